//! Waiting for a condition: by looking, up to a bound, never by hoping that some time is enough.

use std::time::Duration;

use keyward::clock::{Stopwatch, pause};
use keyward::domain::time::Span;

/// Long enough for anything on a loaded machine; a test that needs it all has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something to see.
///
/// # Panics
/// When nothing came within the bound.
pub(crate) async fn until<T>(
    what: &str,
    bound: Duration,
    look: impl AsyncFnMut() -> Option<T>,
) -> T {
    within(bound, look)
        .await
        .unwrap_or_else(|| panic!("not within {bound:?}: {what}"))
}

/// The same, for whoever goes on without it.
pub(crate) async fn within<T>(
    bound: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(seen) = look().await {
            return Some(seen);
        }
        if watch.elapsed() >= bound {
            return None;
        }
        pause(Span::from_ms(20)).await;
    }
}
