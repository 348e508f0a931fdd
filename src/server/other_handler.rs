//! Another program that makes licenses for our purchases: what waits for a person because of it, and what an audit saw.

use crate::domain::adoption::made_by_another;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::{MachineId, SourceName};
use crate::domain::standing::{StandingOrder, StandingOrders};
use crate::domain::time::Timestamp;
use crate::effects::other_handler::{makes_since, report};
use crate::engine::Handle;

/// What waits for a person.
pub(super) fn attention(orders: &StandingOrders) -> Vec<Attention> {
    let waits = |(source, order): (&_, &StandingOrder)| Attention {
        since: order.at,
        concern: Concern::OtherHandler {
            source: SourceName::clone(source),
            seen: order.reason.clone(),
        },
    };
    orders.shared().map(waits).collect()
}

/// Reports it where an audit found a license that somebody else made beside one from here, since they are made here.
pub(super) async fn judge(handle: &Handle, strangers: &[(MachineId, Timestamp)]) {
    let gaps = handle.gaps();
    let another = |machine: &MachineId, made: Timestamp| {
        made_by_another(made, makes_since(handle, machine.source()), &gaps)
    };
    let newest = strangers.iter().filter(|(m, made)| another(m, *made));
    if let Some((machine, made)) = newest.max_by_key(|(_, made)| *made) {
        report(handle, machine, *made).await;
    }
}
