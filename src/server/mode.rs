//! The config's `mode`, as an order for the shop: it counts when it is first read and when it has changed, so that an old
//! line in a file does not undo what was ordered since.

use super::StartError;
use crate::clock::Clock;
use crate::config::Mode;
use crate::domain::attention::{Attention, Concern, HeldBack};
use crate::domain::standing::{Author, Standing, StandingOrder, StandingOrders};
use crate::engine::Handle;
use crate::engine::read::attention::held_back;
use crate::scheduler::jobs::{self, JobError};

/// Orders what the config says, if that is news, and has what waits judged by it.
///
/// # Errors
/// The store's, or that the engine takes nothing.
pub async fn follow(handle: &Handle, mode: Mode, clock: &Clock) -> Result<(), JobError> {
    let by_config = news(&handle.standing(), mode).map(|what| StandingOrder {
        what,
        by: Author::Config,
        reason: "`mode` in the config".to_owned(),
        at: clock.now(),
    });
    // A store that was put back is observed until somebody has looked: what the config said when the backup was made may have
    // changed since, and that is no go-live. So the restore's own order comes last again.
    let restore = by_config.as_ref().and_then(|_| of_restore(handle));
    let orders: Vec<_> = by_config.into_iter().chain(restore).collect();
    let any = !orders.is_empty();
    for order in orders {
        handle.order(order).await?;
    }
    // One that was given just before a kill may not have reached everything that waits.
    if any || handle.standing().hold_anything() {
        jobs::wake_concerned(handle).await?;
    }
    let orders = handle.standing();
    let held = held_back(&orders, &handle.rules(), None);
    let is_of_shop = |held: &Attention| matches!(&held.concern, Concern::HeldBack { what, .. } if *what == HeldBack::Shop);
    if let Some(order) = orders.observes(None)
        && !held.iter().any(is_of_shop)
    {
        tracing::warn!(since = %order.at, by = %order.by, "observe mode: everything is decided, nothing is sent; `keyward go-live` ends it");
    }
    for held in held {
        let end = held.concern.settled_by();
        tracing::warn!(since = %held.since, "{}; `{end}` ends it", held.concern);
    }
    Ok(())
}

/// The order of a restore by which everything is only observed, where it is in force.
fn of_restore(handle: &Handle) -> Option<StandingOrder> {
    let orders = handle.standing();
    let order = orders.observes(None);
    order.filter(|o| o.by == Author::Restore).cloned()
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
