//! What the jobs do: plain functions over the engine's door, which tests, the demo and simulation call themselves.

use std::collections::BTreeSet;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::domain::id::MachineId;
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::{Input, Receipt};
use crate::engine::key::{self, Item, Table};
use crate::engine::record::RecordError;
use crate::engine::{Handle, SubmitError, view};
use crate::store::{Direction, KeyRange};

/// Inputs of a job that wait in the committer's queue at one time: a batch's worth, so that deliveries find room.
const IN_FLIGHT_MAX: usize = 64;
/// Due entries that one run of `due` looks at; a license service that is down for long leaves many behind it.
const SCAN_MAX: usize = 5_000;
/// Machines that one run of `repair` looks at.
const REPAIR_MAX: usize = 1_000;
/// What is due longer than this was forgotten by somebody.
const OVERDUE: Span = Span::from_minutes(5);

/// Why a job did not finish. Its next run tries again.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The store.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The engine takes nothing now.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl From<crate::store::ReadError> for JobError {
    fn from(error: crate::store::ReadError) -> Self {
        Self::Record(error.into())
    }
}

/// Where a job goes on in its next run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(Option<Vec<u8>>);

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Machines that were looked at anew.
    pub woken: usize,
    /// Whether something else is due, so that the dispatcher was rung.
    pub rang: bool,
}

/// Wakes every machine whose instant has come, and rings for the rest that is due.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn due(handle: &Handle, bell: &Notify, cursor: &mut Cursor) -> Result<Ran, JobError> {
    let mut range = key::due_until(handle.clock().now());
    if let Some(from) = cursor.0.take() {
        range.start = from;
    }
    let entries = handle.reader().range(&range, Direction::Forward, SCAN_MAX)?;
    // A full page may hide wake-ups behind actions that wait for their service: the next run goes on behind it.
    cursor.0 = entries.last().filter(|_| entries.len() == SCAN_MAX).map(|(k, _)| [k.as_slice(), &[0]].concat());
    let due: Vec<_> = entries.iter().filter_map(|(k, _)| key::parse_due(k)).collect();
    let rang = due.iter().any(|(_, _, item)| *item != Item::Wake);
    if rang {
        bell.notify_one();
    }
    let wakes = due.into_iter().filter(|(_, _, item)| *item == Item::Wake).map(|(_, machine, _)| machine).collect();
    Ok(Ran { woken: wake(handle, wakes).await?, rang })
}

/// Looks at the next machines of a rolling sweep, and at those for which something is overdue.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn repair(handle: &Handle, bell: &Notify, cursor: &mut Cursor) -> Result<Ran, JobError> {
    let overdue: Vec<(Timestamp, MachineId, Item)> =
        view::due(handle.reader(), handle.clock().now() - OVERDUE, REPAIR_MAX)?;
    let rang = !overdue.is_empty();
    if rang {
        bell.notify_one();
    }
    let mut range = KeyRange::prefix(&[Table::Machine as u8]);
    if let Some(from) = &cursor.0 {
        range.start.clone_from(from);
    }
    let page = handle.reader().range(&range, Direction::Forward, REPAIR_MAX)?;
    let swept = page.iter().filter_map(|(k, _)| key::parts(k).first().map(|id| MachineId::from(*id)));
    let overdue = overdue.into_iter().filter(|(_, _, item)| *item != Item::Search).map(|(_, machine, _)| machine);
    let machines: BTreeSet<MachineId> = swept.chain(overdue).collect();
    let woken = wake(handle, machines).await?;
    // Only now: what an error left out is looked at again.
    cursor.0 = page.last().filter(|_| page.len() == REPAIR_MAX).map(|(k, _)| [k.as_slice(), &[0]].concat());
    Ok(Ran { woken, rang })
}

/// Notes that the process lives, so that the next start knows how long it was away.
///
/// # Errors
/// That the engine takes nothing now.
pub async fn heartbeat(handle: &Handle) -> Result<(), JobError> {
    handle.submit_waiting(Input::Heartbeat).await?;
    Ok(())
}

/// Has machines looked at anew, several at a time so that they share their syncs.
async fn wake(handle: &Handle, machines: BTreeSet<MachineId>) -> Result<usize, JobError> {
    let (mut under_way, mut woken) = (JoinSet::new(), 0);
    let mut machines = machines.into_iter();
    loop {
        while under_way.len() < IN_FLIGHT_MAX
            && let Some(machine) = machines.next()
        {
            let handle = handle.clone();
            under_way.spawn(async move { handle.submit_waiting(Input::WakeUp { machine }).await });
        }
        match under_way.join_next().await {
            None => return Ok(woken),
            Some(Ok(Ok(Receipt::Unknown))) => tracing::warn!("something is due for a machine that does not exist"),
            Some(Ok(Ok(_))) => woken += 1,
            Some(Ok(Err(error))) => return Err(error.into()),
            // Submitting does not panic; an aborted task means that we are being stopped.
            Some(Err(_)) => return Err(SubmitError::Stopped.into()),
        }
    }
}
