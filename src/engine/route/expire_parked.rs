//! What waited so long for its machine that it never will find one.

use super::query;
use crate::domain::fact::Fact;
use crate::domain::time::Span;
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError, View};
use crate::engine::write::transaction::Transaction;
use crate::store::KeyRange;

/// So long a refund or a dispute waits for its purchase (rule 7).
pub const NEVER_LINKED_AFTER: Span = Span::from_days(400);

/// The most waiting events that are looked at in one batch; the caller comes again.
const LOOKED_AT_MAX: usize = 1_000;

/// Ends the wait of what has waited too long: its event is ignored, and says why.
pub(in crate::engine) fn never_linked(tx: &mut Transaction<'_, '_>) -> Result<(), RecordError> {
    let waiting = KeyRange::prefix(&[Table::Waiting as u8]);
    for (entry, _) in tx.working.range(&waiting, LOOKED_AT_MAX)? {
        let (scope, Some(event)) = (key::scope_of(&entry), key::event_of(&entry)) else {
            continue;
        };
        let Some(fact) = record::get::<Fact>(tx.working, &entry)? else {
            continue;
        };
        if fact.received + NEVER_LINKED_AFTER > tx.now.at {
            continue;
        }
        for name in fact.names() {
            tx.working
                .delete(key::parked(&scope, name.as_str(), &event));
        }
        let kept_at = key::event(&scope, &event);
        if let Some(mut kept) = record::get::<EventRecord>(tx.working, &kept_at)?
            && matches!(kept.disposition, Disposition::Parked(_))
        {
            kept.disposition = Disposition::Ignored(Reason::NeverLinked);
            record::put(tx.working, kept_at, &kept)?;
        }
        record::delete(tx.working, entry.clone())?;
        query::end(tx, &scope, &fact)?;
    }
    Ok(())
}
