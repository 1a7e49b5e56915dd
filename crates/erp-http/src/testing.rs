//! Helps for unit tests: driving futures on a clock that stands still.

use erp_core::time::Timestamp;
use erp_testkit::clock::VirtualClock;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) fn clock() -> VirtualClock {
    VirtualClock::new(Timestamp::EPOCH)
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls until the future is done; whenever nothing can go on, time jumps to the next sleeper.
pub(crate) fn drive<F: Future>(clock: &VirtualClock, future: F) -> F::Output {
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    for _ in 0..1_000_000 {
        if flag.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        } else {
            assert!(clock.advance_to_next(), "nobody sleeps, nobody is done");
        }
    }
    panic!("it never ends");
}
