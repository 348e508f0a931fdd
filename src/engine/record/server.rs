//! What the server keeps of its own work: how far Stripe's event lists were read.

use minicbor::{Decode, Encode};

use super::key::{self, Table};
use super::{RecordError, View};
use crate::domain::id::{AccountId, Scope, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::input::Receipt;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::{Direction, KeyRange, Read};

/// Something that the server keeps for its next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRecord {
    /// Every event of an account that was created before an instant is known.
    Backfilled {
        /// The account.
        scope: Scope,
        /// The instant.
        to: Timestamp,
    },
}

/// How far an account's events are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct BackfillRecord {
    #[n(0)]
    complete_to: Timestamp,
}

fn backfill_key(scope: &Scope) -> Vec<u8> {
    key::general(&format!("backfill/{scope}"))
}

/// Keeps it. How far a list was read never goes back.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn keep(
    working: &mut Working<'_>,
    kept: &ServerRecord,
) -> Result<Receipt, RecordError> {
    match kept {
        ServerRecord::Backfilled { scope, to } => {
            let before = complete_to(working, scope)?;
            let complete_to = before.map_or(*to, |before| before.max(*to));
            record::put(
                working,
                backfill_key(scope),
                &BackfillRecord { complete_to },
            )?;
        }
    }
    Ok(Receipt::Done)
}

/// Up to when every event of an account is known; `None`: its list was never read to an end.
///
/// # Errors
/// The store's.
pub fn complete_to(view: &dyn View, scope: &Scope) -> Result<Option<Timestamp>, RecordError> {
    let kept: Option<BackfillRecord> = record::get(view, &backfill_key(scope))?;
    Ok(kept.map(|kept| kept.complete_to))
}

/// The same in a committed store.
///
/// # Errors
/// The store's.
pub fn backfilled(reader: &dyn Read, scope: &Scope) -> Result<Option<Timestamp>, RecordError> {
    complete_to(&Committed(reader), scope)
}

/// The connected accounts of which a source has events. One read for each.
///
/// # Errors
/// The store's.
pub fn accounts(reader: &dyn Read, source: &SourceName) -> Result<Vec<AccountId>, RecordError> {
    let prefix = [&[Table::Event as u8], source.as_str().as_bytes(), b"/"].concat();
    let mut range = KeyRange::prefix(&prefix);
    let mut found = Vec::new();
    loop {
        let first = reader.range(&range, Direction::Forward, 1)?;
        let Some((entry, _)) = first.first() else {
            return Ok(found);
        };
        let scope = key::scope_of(entry);
        // The scope ends with a zero byte in every key: what follows it is the next account's.
        let len = 1 + scope.to_string().len();
        range.start = [&entry[..len], &[1]].concat();
        found.extend(scope.account().cloned());
    }
}
