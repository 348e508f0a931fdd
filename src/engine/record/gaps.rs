//! The times of which the store has no memory of its own (rules 52, 54): kept for good, for Stripe may tell of them late.

use super::key;
use super::{RecordError, View};
use crate::domain::adoption::{Gap, add_gap};
use crate::domain::time::Timestamp;
use crate::engine::input::Receipt;
use crate::engine::record::{self, standing};
use crate::engine::write::working::Working;
use crate::store::Read;

fn heartbeat_key() -> Vec<u8> {
    key::general("heartbeat")
}

fn gaps_key() -> Vec<u8> {
    key::general("gaps")
}

/// The gaps that are known, in the order in which they were noticed.
///
/// # Errors
/// The store's.
pub fn read(view: &dyn View) -> Result<Vec<Gap>, RecordError> {
    Ok(record::get(view, &gaps_key())?.unwrap_or_default())
}

/// Keeps one more.
///
/// # Errors
/// The store's.
pub fn note(working: &mut Working<'_>, gap: Gap) -> Result<Receipt, RecordError> {
    let mut gaps = read(working)?;
    add_gap(&mut gaps, gap);
    record::put(working, gaps_key(), &gaps)?;
    Ok(Receipt::Done)
}

/// Keeps one over which the clock jumped.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn note_jump(
    working: &mut Working<'_>,
    gap: Gap,
) -> Result<Receipt, RecordError> {
    let mut guard = standing::guard(working)?;
    if gap.noted == gap.to && !guard.taken.is_empty() {
        guard.clock_set_forward(gap.to - gap.from);
        standing::put_guard(working, &guard)?;
    }
    note(working, gap)
}

/// Keeps that the process lives.
pub(in crate::engine) fn beat(working: &mut Working<'_>, now: Timestamp) -> Receipt {
    working.put(heartbeat_key(), now.ms().to_be_bytes().to_vec());
    Receipt::Done
}

/// When the process was last known to live.
#[must_use]
pub fn last_heartbeat(reader: &dyn Read) -> Option<Timestamp> {
    let kept = reader.get(&heartbeat_key()).ok()??;
    kept.bytes[..]
        .try_into()
        .map(i64::from_be_bytes)
        .map(Timestamp::from_ms)
        .ok()
}

/// Keeps the gap that ends with a start: it began at the last heartbeat, or where there is none, at the store's beginning.
/// However short it is: what is started may be a copy, and what the other one did is not in it.
///
/// # Errors
/// The store's.
pub fn note_start(
    working: &mut Working<'_>,
    heartbeat: Option<Timestamp>,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), RecordError> {
    let last = heartbeat.unwrap_or(since);
    if last == now {
        return Ok(());
    }
    note(working, Gap::between(last, now)).map(|_| ())
}
