//! The config's `mode`, as an order for the shop: it counts when it is first read and when it has changed, so that an old
//! line in a file does not undo what was ordered since.

use super::StartError;
use crate::clock::Clock;
use crate::config::Mode;
use crate::domain::standing::{Author, Standing, StandingOrder, StandingOrders};
use crate::engine::Handle;
use crate::engine::read::attention::held_back;
use crate::engine::record::restored;
use crate::scheduler::jobs::{self, JobError};

/// Orders what the config says, if that is news, and has what waits judged by it.
///
/// # Errors
/// The store's, or that the engine takes nothing.
pub async fn follow(handle: &Handle, mode: Mode, clock: &Clock) -> Result<(), JobError> {
    observe_if_restored(handle).await?;
    if let Some(what) = news(&handle.standing(), mode) {
        let at = clock.now();
        let reason = "`mode` in the config".to_owned();
        handle
            .order(StandingOrder {
                what,
                by: Author::Config,
                reason,
                at,
            })
            .await?;
        jobs::wake_concerned(handle).await?;
    } else if handle.standing().hold_anything() {
        // An order that was given just before a kill may not have reached everything that waits.
        jobs::wake_concerned(handle).await?;
    }
    let orders = handle.standing();
    if let Some(order) = orders.observes(None) {
        tracing::warn!(since = %order.at, by = %order.by, "observe mode: everything is decided, nothing is sent; `keyward go-live` ends it");
    }
    for held in held_back(&orders, &handle.rules(), None) {
        let end = held.concern.settled_by();
        tracing::warn!(since = %held.since, "{}; `{end}` ends it", held.concern);
    }
    Ok(())
}

/// A store that was put back from a backup is only observed until somebody has looked: what it would do may be done already.
async fn observe_if_restored(handle: &Handle) -> Result<(), JobError> {
    let Some(restored) = restored::read(handle)? else {
        return Ok(());
    };
    let is_known = |o: &StandingOrder| o.by == Author::Restore && o.at >= restored.at;
    if handle.standing().all().iter().any(is_known) {
        return Ok(());
    }
    let order = StandingOrder {
        what: Standing::Observe { plan: None },
        by: Author::Restore,
        reason: format!(
            "restored from {}, which was made {}",
            restored.from, restored.taken
        ),
        at: restored.at,
    };
    handle.order(order).await?;
    jobs::wake_concerned(handle).await?;
    Ok(())
}

/// What the mode orders that its last reading did not.
fn news(orders: &StandingOrders, mode: Mode) -> Option<Standing> {
    let what = match mode {
        Mode::Live => Standing::Live { plan: None },
        Mode::Observe => Standing::Observe { plan: None },
    };
    match orders.by_config() {
        Some(before) => (*before != what).then_some(what),
        // A shop is live unless somebody says otherwise.
        None => (mode == Mode::Observe).then_some(what),
    }
}

impl From<JobError> for StartError {
    fn from(error: JobError) -> Self {
        Self::System {
            what: "ordering what the config's `mode` says".to_owned(),
            error: std::io::Error::other(error.to_string()),
        }
    }
}
