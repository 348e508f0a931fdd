//! Another program that still makes licenses for our purchases: from the moment that it is seen no key is made for them, so
//! that nobody gets two, until a person says that it has stopped.

use crate::domain::adoption::{MadeHere, begun_by, made_by_another};
use crate::domain::id::{MachineId, SourceName};
use crate::domain::machine::Machine;
use crate::domain::standing::{Author, Standing, StandingOrder};
use crate::domain::time::Timestamp;
use crate::engine::Handle;

/// Since when licenses are made here for a source; `None`: nothing was ever served, or something is only observed, and others
/// make them.
fn makes_since(handle: &Handle, of: &SourceName) -> Option<Timestamp> {
    let store = handle.rules().store_since?;
    let standing = handle.standing();
    if standing.observes_anything() {
        return None;
    }
    Some(
        standing
            .live_since(of)
            .map_or(store, |live| live.max(store)),
    )
}

/// Whether a license of a purchase that is not its own, made at an instant by the service's clock, shows another program.
pub(crate) fn is_another_s(handle: &Handle, machine: &Machine, made: Timestamp) -> bool {
    let gaps = handle.gaps();
    let here = MadeHere {
        since: makes_since(handle, &machine.source),
        gaps: &gaps,
        clock_agrees: handle.clock_agrees(),
    };
    made_by_another(made, begun_by(machine), &here)
}

/// Orders that no key is made for a source, once. One that cannot be written is seen again.
pub(crate) async fn report(handle: &Handle, machine: &MachineId, made: Timestamp) {
    let source = machine.source();
    if handle.standing().other_handler(source).is_some() {
        return;
    }
    let order = StandingOrder {
        what: Standing::OtherHandler {
            source: source.clone(),
        },
        by: Author::Keyward,
        reason: format!("another program made a license for {machine} at {made}"),
        at: handle.clock().now(),
    };
    tracing::error!(source.name = %source, "{}: {}", order.what, order.reason);
    if let Err(error) = handle.order(order).await {
        tracing::warn!(source.name = %source, "it could not be noted yet: {error}");
    }
}
