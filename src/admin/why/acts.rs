//! What was done or tried for a license at its service.

use serde::{Deserialize, Serialize};

use crate::admin::context::Context;
use crate::admin::failure::Failure;
use crate::admin::lists::waits_because;
use crate::domain::action::{Act, Action, NewLicense, Word};
use crate::domain::entitlement::SeatDue;
use crate::domain::explain::At;
use crate::domain::guard::name_of;
use crate::domain::machine::Grant;
use crate::domain::time::Timestamp;
use crate::engine::route::awaited::Awaited;

/// Something done or tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyAction {
    /// Its name, like `stripe/sub_123#4`.
    pub id: String,
    pub kind: String,
    pub outcome: String,
    pub at: Timestamp,
    pub attempts: u32,
    /// What the service said, or what it waits for.
    pub answer: Option<String>,
    /// What a person said of it when it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
}

/// What was done or tried for a seat until the instant of knowing, and until the one that is spoken of.
pub(super) fn actions(
    context: &Context,
    awaited: &mut Awaited<'_>,
    seat: &SeatDue,
    grant: Option<&Grant>,
    asked: At,
) -> Result<Vec<WhyAction>, Failure> {
    let machine = awaited.machine();
    let concerns = |a: &&Action| {
        let of_grant = grant.is_some_and(|g| g.number == a.license);
        let makes = |new: &NewLicense| new.seat.item == seat.item && new.seat.unit == seat.unit;
        (of_grant || a.act.new_license().is_some_and(makes))
            && !matches!(a.act, Act::Read { .. } | Act::Query(_))
            && asked.knows(a.at)
    };
    let rows = machine.actions.iter().filter(concerns).map(|a| {
        Ok(WhyAction {
            id: format!("{}#{}", machine.id, a.id),
            kind: name_of(machine, a, asked.known_at).to_owned(),
            outcome: a.outcome.as_str().to_owned(),
            at: a.at,
            attempts: a.attempts,
            answer: waits_because(context, awaited, a)?,
            word: a.word(),
        })
    });
    rows.collect()
}
