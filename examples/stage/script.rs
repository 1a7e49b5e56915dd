//! A script, and how it is played by a clock.

use super::{Progress, Trouble};
use erp_core::time::{Clock as _, Timestamp};
use erp_testkit::clock::VirtualClock;
use std::fmt::Debug;

/// Something that happens in a world.
pub trait Happening: Debug + Sync {
    /// Whether it leaves nothing behind, so that a day which goes on need not make it good.
    fn passing(&self) -> bool;
}

/// A world in which things happen.
pub trait World: Sync {
    /// What can happen in it.
    type Happening: Happening;

    /// Something happens. The id is the shop's, of an order that came to be.
    fn happen(
        &self,
        happening: &Self::Happening,
        now: Timestamp,
        progress: &Progress,
    ) -> impl Future<Output = Result<Option<i64>, Trouble>> + Send;
}

/// Plays what has not happened yet, in its order, until `end`.
///
/// # Errors
/// What keeps something from happening.
pub async fn play<W: World>(
    world: &W,
    script: &[(Timestamp, W::Happening)],
    progress: &mut Progress,
    clock: &VirtualClock,
    end: Timestamp,
) -> Result<(), Trouble> {
    let before = progress.last;
    for (at, happening) in script {
        let passing = happening.passing();
        // One word: the journal's lines are words.
        let name = if passing { "-".to_owned() } else { format!("{happening:?}").replace(' ', "") };
        if (passing && before.is_some_and(|before| *at <= before)) || progress.did(&name) {
            continue;
        }
        clock.sleep(at.since(clock.now())).await;
        let now = clock.now();
        let id = world.happen(happening, now, progress).await?;
        progress.note(now, &name, id)?;
    }
    clock.sleep(end.since(clock.now())).await;
    Ok(())
}
