//! Revisions in the store: what was loaded so far, and one more.

use super::key::{self, Table};
use super::{RecordError, View};
use crate::domain::plan::Plan;
use crate::domain::policy::Policy;
use crate::domain::revision::Revision;
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::write::working::Working;
use crate::store::KeyRange;

/// The most revisions that are read at once; a vendor loads a handful a year.
const REVISIONS_MAX: usize = 100_000;

/// The revisions kept so far, oldest first.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn kept(view: &dyn View) -> Result<Vec<Revision>, RecordError> {
    let all = view.range(&KeyRange::prefix(&[Table::Revision as u8]), REVISIONS_MAX)?;
    all.into_iter()
        .map(|(key, first)| record::whole(view, &key, first))
        .collect()
}

/// Writes plans and policies as the newest revision, unless the newest one says the same. Returns what was written.
///
/// # Errors
/// The store's.
pub fn put(
    working: &mut Working<'_>,
    kept: &[Revision],
    plans: &[Plan],
    policies: &[Policy],
    now: Timestamp,
) -> Result<Option<Revision>, RecordError> {
    let newest = kept.last();
    if newest.is_some_and(|r| r.plans == plans && r.policies == policies) {
        return Ok(None);
    }
    // A clock that went back must not put the newest revision before an older one.
    let from = newest.map_or(now, |r| r.from.max(now));
    let revision = Revision {
        from,
        plans: plans.to_vec(),
        policies: policies.to_vec(),
    };
    // Revisions are never deleted, so that their count is the next number.
    let number = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    record::put(working, key::revision(number), &revision)?;
    Ok(Some(revision))
}
