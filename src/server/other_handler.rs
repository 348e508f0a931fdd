//! Another program that makes licenses for our purchases: what waits for a person because of it, and what an audit saw.

use crate::adopt::Stranger;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::SourceName;
use crate::domain::standing::{StandingOrder, StandingOrders};
use crate::effects::other_handler::{is_another_s, report};
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::read::view;

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

/// Reports it where an audit found a license that somebody else made beside one from here, since they are made here. It is
/// judged by what the purchase is by now: while the list was read, one of its own may have been made.
pub(super) async fn judge(handle: &Handle, services: &Services, strangers: &[Stranger]) {
    let another = |of: &&Stranger| {
        // What cannot be read now is judged by the next audit.
        let machine = view::machine(handle.reader(), &of.machine);
        let Some((machine, made)) = machine.ok().flatten().zip(of.made.at) else {
            return false;
        };
        let ours = services.is_held(&of.made.key) || of.made.may_be_ours(&machine);
        !ours && is_another_s(handle, &machine, made)
    };
    let newest = strangers.iter().filter(another).max_by_key(|of| of.made.at);
    if let Some((of, made)) = newest.and_then(|of| Some((of, of.made.at?))) {
        report(handle, &of.machine, made).await;
    }
}
