//! What waited so long for its machine that it never will find one.

use super::parked_query;
use crate::domain::fact::Fact;
use crate::domain::id::{EventId, Scope};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Receipt;
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::key;
use crate::engine::record::{self, EventRecord, RecordError};
use crate::engine::write::transaction::Transaction;

/// So long a refund or a dispute waits for its purchase (rule 7).
pub const NEVER_LINKED_AFTER: Span = Span::from_days(400);

/// Whether a parked event has waited so long that its purchase will not come.
#[must_use]
pub fn has_waited_too_long(parked: &Fact, now: Timestamp) -> bool {
    parked.received + NEVER_LINKED_AFTER <= now
}

/// Ends the wait of an event that has waited too long: it is ignored, and says why.
pub(in crate::engine) fn never_linked(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    event: &EventId,
) -> Result<Receipt, RecordError> {
    let entry = key::waiting(scope, event);
    let parked = record::get::<Fact>(tx.working, &entry)?;
    let Some(fact) = parked.filter(|fact| has_waited_too_long(fact, tx.context.at)) else {
        return Ok(Receipt::Unknown); // its purchase has come meanwhile
    };
    for name in fact.names() {
        tx.working.delete(key::parked(scope, name.as_str(), event));
    }
    let kept_at = key::event(scope, event);
    if let Some(mut kept) = record::get::<EventRecord>(tx.working, &kept_at)?
        && matches!(kept.disposition, Disposition::Parked(_))
    {
        kept.disposition = Disposition::Ignored(Reason::NeverLinked);
        record::put(tx.working, kept_at, &kept)?;
    }
    record::delete(tx.working, entry)?;
    parked_query::end(tx, scope, &fact)?;
    Ok(Receipt::Done)
}
