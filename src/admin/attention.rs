//! Everything that waits for a person, as a list.

use serde::Serialize;

use super::context::{Context, raw};
use super::failure::Failure;
use super::response::Response;
use crate::domain::attention::{Attention, Concern};
use crate::domain::id::MachineId;
use crate::domain::time::Timestamp;
use crate::engine::read::attention::{self, HeldCount};

/// One line of the list. Relied on from outside.
#[derive(Clone, Debug, Serialize)]
struct AttentionRow<'a> {
    cause: &'static str,
    since: Timestamp,
    /// The action, purchase, event or service.
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a MachineId>,
    reason: String,
    /// What belongs to it beyond the reason, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    settle: String,
}

impl<'a> AttentionRow<'a> {
    fn of(attention: &'a Attention) -> Self {
        let concern = &attention.concern;
        Self {
            cause: concern.cause().as_str(),
            since: attention.since,
            about: concern.about(),
            machine: machine_of(concern),
            reason: concern.to_string(),
            details: concern.details(),
            settle: concern.settled_by(),
        }
    }
}

const fn machine_of(concern: &Concern) -> Option<&MachineId> {
    match concern {
        Concern::RefusedAction(action) | Concern::HeldAction { action, .. } => {
            Some(&action.machine)
        }
        Concern::PaidWithoutKey { machine, .. }
        | Concern::NoAddress { machine, .. }
        | Concern::Undeliverable { machine, .. }
        | Concern::Found { machine, .. }
        | Concern::MachineHeld { machine, .. } => Some(machine),
        Concern::Parked { .. }
        | Concern::UnreadableEvents { .. }
        | Concern::BackfillFails { .. }
        | Concern::MissedDeliveries { .. }
        | Concern::SignaturesFail { .. }
        | Concern::SourceSilent { .. }
        | Concern::Endpoint { .. }
        | Concern::OtherHandler { .. }
        | Concern::AuditDiffers { .. }
        | Concern::Backup(_)
        | Concern::Restored { .. }
        | Concern::HeldBack { .. }
        | Concern::StoreFull { .. }
        | Concern::ClockJumped(_)
        | Concern::ServiceGone { .. } => None,
    }
}

/// The list, what concerns the server itself first: what waits of purchases often follows from it.
pub(super) fn list(context: &Context, of_server: Vec<Attention>) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    let (rules, orders) = (context.handle.rules(), context.handle.standing());
    let mut held = HeldCount::default();
    let (reader, revisions) = (context.handle.reader(), &rules.revisions);
    let of_purchases = attention::all(reader, revisions, now, |m| held.add(m, &rules))?;
    let mut all = of_server;
    all.extend(attention::restored(reader, &orders, &rules)?);
    all.extend(attention::held_back(&orders, &rules, Some(&held)));
    all.extend(attention::audited(context.handle.reader())?);
    all.extend(attention::unread(context.handle.reader())?);
    all.extend(of_purchases);
    let rows = all
        .iter()
        .map(|attention| raw(&AttentionRow::of(attention)));
    Ok(Response::List {
        rows: rows.collect::<Result<_, _>>()?,
        more: 0,
    })
}
