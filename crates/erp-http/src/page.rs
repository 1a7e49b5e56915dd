//! Pages into a stream.

use erp_core::error::{Error, Result};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use std::collections::BTreeSet;
use std::future::Future;

/// How many pages [`paginate`] reads at most.
pub const PAGES_MAX: usize = 100_000;

/// One page: its items, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// What is on it; may be empty in the middle.
    pub items: Vec<T>,
    /// The token or link of the next page; `None` ends the stream. Only this ends it, never an empty page.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// A page.
    pub fn new(items: Vec<T>, next: Option<C>) -> Self {
        Self { items, next }
    }
}

/// Reads page after page, beginning at `start`. A page is fetched only when the one before has been taken. The first error
/// ends the stream.
///
/// # Errors
/// Those of `fetch`; `Malformed` if a token comes back that was there before (the server goes in circles), or after
/// [`PAGES_MAX`] pages.
///
/// ```
/// # use erp_http::page::{Page, paginate};
/// # use futures_util::TryStreamExt as _;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> erp_core::error::Result<()> {
/// let pages = paginate(1u32, |page| async move {
///     Ok(Page::new(vec![page * 10, page * 10 + 1], (page < 3).then_some(page + 1)))
/// });
/// assert_eq!(pages.try_collect::<Vec<_>>().await?, [10, 11, 20, 21, 30, 31]);
/// # Ok(()) }
/// ```
pub fn paginate<T, C, F, Fut>(start: C, fetch: F) -> BoxStream<'static, Result<T>>
where
    T: Send + 'static,
    C: Ord + Clone + Send + 'static,
    F: FnMut(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Page<T, C>>> + Send + 'static,
{
    paginate_up_to(PAGES_MAX, start, fetch)
}

/// As [`paginate`], with another bound on the number of pages.
///
/// # Errors
/// As [`paginate`].
pub fn paginate_up_to<T, C, F, Fut>(pages_max: usize, start: C, fetch: F) -> BoxStream<'static, Result<T>>
where
    T: Send + 'static,
    C: Ord + Clone + Send + 'static,
    F: FnMut(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Page<T, C>>> + Send + 'static,
{
    let walk = Walk { next: Some(start), seen: BTreeSet::new(), pages_max, fetch };
    stream::try_unfold(walk, Walk::step)
        .map_ok(|items| stream::iter(items.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

struct Walk<C, F> {
    next: Option<C>,
    seen: BTreeSet<C>,
    pages_max: usize,
    fetch: F,
}

impl<C: Ord + Clone, F> Walk<C, F> {
    async fn step<T, Fut>(mut self) -> Result<Option<(Vec<T>, Self)>>
    where
        F: FnMut(C) -> Fut,
        Fut: Future<Output = Result<Page<T, C>>>,
    {
        let Some(token) = self.next.take() else { return Ok(None) };
        if self.seen.len() >= self.pages_max {
            return Err(Error::malformed(format!("there are more than {} pages", self.pages_max)));
        }
        if !self.seen.insert(token.clone()) {
            return Err(Error::malformed("the server names a next page that was read already"));
        }
        let page = (self.fetch)(token).await?;
        self.next = page.next;
        Ok(Some((page.items, self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn all(stream: BoxStream<'static, Result<u32>>) -> (Vec<u32>, Option<Error>) {
        let mut error = None;
        let results: Vec<_> = stream.collect().now_or_never().unwrap();
        let items = results.into_iter().filter_map(|r| r.map_err(|e| error = Some(e)).ok()).collect();
        (items, error)
    }

    fn scripted(pages: Vec<(Vec<u32>, Option<usize>)>) -> BoxStream<'static, Result<u32>> {
        paginate_up_to(10, 0, move |at: usize| {
            let page = pages.get(at).cloned().map(|(items, next)| Page::new(items, next));
            async move { page.ok_or_else(|| Error::transient("gone")) }
        })
    }

    #[test]
    fn an_empty_page_in_the_middle_goes_on() {
        let (items, error) = all(scripted(vec![(vec![1], Some(1)), (vec![], Some(2)), (vec![2, 3], None)]));
        assert_eq!(items, [1, 2, 3]);
        assert!(error.is_none());
    }

    #[test]
    fn a_repeated_token_is_an_error_even_after_a_detour() {
        let (items, error) = all(scripted(vec![(vec![1], Some(1)), (vec![2], Some(2)), (vec![3], Some(1))]));
        assert_eq!(items, [1, 2, 3], "what was read is given");
        assert_eq!(error.unwrap().code(), "erp.malformed");
    }

    #[test]
    fn there_is_a_bound() {
        let endless =
            paginate_up_to(3, 0u32, |page| async move { Ok(Page::new(vec![page], Some(page + 1))) });
        let (items, error) = all(endless);
        assert_eq!(items, [0, 1, 2]);
        assert!(error.unwrap().to_string().contains("more than 3 pages"));
    }

    #[test]
    fn the_first_error_ends_the_stream() {
        let (items, error) = all(scripted(vec![(vec![1], Some(7))]));
        assert_eq!(items, [1]);
        assert_eq!(error.unwrap().code(), "erp.transient");
    }

    #[test]
    fn pages_are_fetched_as_they_are_taken() {
        let fetched = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&fetched);
        let mut stream = paginate(0u32, move |page| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { Ok(Page::new(vec![page], Some(page + 1))) }
        });
        assert_eq!(stream.next().now_or_never().flatten().unwrap().unwrap(), 0);
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
    }
}
