//! What the jobs do: plain functions over the engine's door, which tests, the demo and simulation call themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::holding;
use crate::domain::id::MachineId;
use crate::domain::time::{Span, Timestamp};
use crate::engine::backup::{Backups, Schedule};
use crate::engine::input::{Input, Receipt};
use crate::engine::read::counts::Counts;
use crate::engine::read::{due, scan, view};
use crate::engine::record::RecordError;
use crate::engine::record::key::{Due, Lane};
use crate::engine::{Handle, SubmitError};

pub use crate::engine::read::scan::Cursor;

/// Inputs of a job that wait in the committer's queue at one time: a batch's worth, so that deliveries find room.
const IN_FLIGHT_MAX: usize = 64;
/// Machines that one run of `due` wakes.
const SCAN_MAX: usize = 5_000;
/// Machines that one run of `repair` looks at.
const REPAIR_MAX: usize = 1_000;
/// Stretches of each count in one run: 10,000 due entries, and 1,000 machines.
const STRETCHES_MAX: usize = 10;
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
    /// A defect.
    #[error(transparent)]
    Panicked(#[from] tokio::task::JoinError),
}

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
pub async fn due(handle: &Handle, notify: &Notify, cursor: &mut Cursor) -> Result<Ran, JobError> {
    let now = handle.clock().now();
    let rang = is_anything_due(handle, now)?;
    if rang {
        notify.notify_one();
    }
    // What a full page leaves out comes in the next run.
    let wakes = scan::wakes(handle.reader(), now, cursor, SCAN_MAX)?;
    Ok(Ran {
        woken: wake_all(handle, wakes.into_iter().collect()).await?,
        rang,
    })
}

/// Whether anything is due for the dispatcher.
fn is_anything_due(handle: &Handle, now: Timestamp) -> Result<bool, RecordError> {
    for lane in due::lanes(handle.reader())? {
        if lane != Lane::WAKE && !due::page(handle.reader(), &lane, &[], now, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a job's sweeps go on in its next run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweeps {
    /// Over the machines, or what is due for them.
    pub machines: Cursor,
    /// Over the parked events.
    pub parked: Cursor,
}

/// Looks at the next machines of a rolling sweep, and at those for which something is overdue; gives up parked events whose
/// purchase will not come.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn repair(
    handle: &Handle,
    notify: &Notify,
    sweeps: &mut Sweeps,
) -> Result<Ran, JobError> {
    let overdue = due::until(handle.reader(), handle.clock().now() - OVERDUE, REPAIR_MAX)?;
    let rang = !overdue.is_empty();
    if rang {
        notify.notify_one();
    }
    // A search belongs to no machine yet.
    let of_machine = |(_, due)| {
        if let Due::Of(machine, _) = due {
            Some(machine)
        } else {
            None
        }
    };
    let overdue = overdue.into_iter().filter_map(of_machine);
    let mut next = sweeps.clone();
    let swept = scan::machines(handle.reader(), &mut next.machines, REPAIR_MAX)?;
    let machines: BTreeSet<MachineId> = swept.into_iter().chain(overdue).collect();
    let woken = wake_all(handle, machines).await?;
    // rule 7
    let now = handle.clock().now();
    let parked = scan::never_linked(handle.reader(), now, &mut next.parked, REPAIR_MAX)?;
    for (scope, event) in parked {
        let input = Input::NeverLinked { scope, event };
        match handle.submit_waiting(input).await {
            // Told where it was refused; the others are looked at all the same.
            Ok(_) | Err(SubmitError::TooLarge | SubmitError::Unreadable) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Only now: what an error left out is looked at again.
    *sweeps = next;
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

/// Counts on: what waits for each service, and, in rounds a minute apart, the licenses.
///
/// A run reads at most 1,000 machines and 10,000 due entries, whatever there is: 0.4 s and as much again in a debug build. At
/// the usual run every five seconds, 1,000,000 machines are 1,000 runs, so licenses and grace periods are an hour and a half
/// old at most; 1,000,000 actions that wait are 100 runs, so what waits is eight minutes old at most.
///
/// # Errors
/// The store's.
pub async fn count(handle: &Handle, counts: &Counts) -> Result<(), JobError> {
    let now = handle.clock().now();
    for _ in 0..STRETCHES_MAX {
        if counts.count_backlog(handle.reader(), now)? {
            break;
        }
        tokio::task::yield_now().await;
    }
    for _ in 0..STRETCHES_MAX {
        if counts.count_census(handle.reader(), now)? {
            break;
        }
        tokio::task::yield_now().await;
    }
    handle.note_live_licenses(counts.census().map_or(0, |census| census.live()));
    Ok(())
}

/// Makes the backup that is due by schedule, if one is. What goes wrong is kept and told by the backups themselves.
///
/// # Errors
/// When it panicked.
pub async fn backup(
    handle: &Handle,
    backups: &Arc<Backups>,
    schedule: &Schedule,
) -> Result<(), JobError> {
    let now = handle.clock().now();
    // Dropped with this job, it ends the work on the other thread.
    let stop = CancellationToken::new();
    let stops = stop.clone().drop_guard();
    let (backups, schedule) = (Arc::clone(backups), schedule.clone());
    let made = tokio::task::spawn_blocking(move || {
        backups.check(&schedule, now);
        if backups.is_due(&schedule, now) {
            backups.by_schedule(&schedule, now, &|_| !stop.is_cancelled());
        }
    });
    let made = made.await;
    drop(stops);
    Ok(made?)
}

/// In observe mode: has what is held compared with what the license service has by now. Says for how many purchases.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn compare(handle: &Handle) -> Result<usize, JobError> {
    if !handle.standing().observes_anything() {
        return Ok(0);
    }
    let machines = view::ids(handle.reader(), holding::is_observed)?;
    each(handle, machines, |machine| Input::Compare { machine }).await
}

/// Has every purchase looked at anew for which an order for the whole shop may change something.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn wake_concerned(handle: &Handle) -> Result<usize, JobError> {
    wake_all(handle, view::ids(handle.reader(), holding::is_concerned)?).await
}

/// Has machines looked at anew, several at a time so that they share their syncs.
///
/// # Errors
/// The store's, or that the engine takes nothing now.
pub async fn wake_all(handle: &Handle, machines: BTreeSet<MachineId>) -> Result<usize, JobError> {
    each(handle, machines, |machine| Input::WakeUp { machine }).await
}

async fn each(
    handle: &Handle,
    machines: BTreeSet<MachineId>,
    input: fn(MachineId) -> Input,
) -> Result<usize, JobError> {
    let (mut under_way, mut woken) = (JoinSet::new(), 0);
    let mut machines = machines.into_iter();
    loop {
        while under_way.len() < IN_FLIGHT_MAX
            && let Some(machine) = machines.next()
        {
            let handle = handle.clone();
            under_way.spawn(async move { handle.submit_waiting(input(machine)).await });
        }
        match under_way.join_next().await {
            None => return Ok(woken),
            Some(Ok(Ok(Receipt::Unknown))) => {
                tracing::warn!("something is due for a machine that does not exist")
            }
            Some(Ok(Ok(_))) => woken += 1,
            // Told where it was refused; the others are looked at all the same.
            Some(Ok(Err(SubmitError::TooLarge | SubmitError::Unreadable))) => {}
            Some(Ok(Err(error))) => return Err(error.into()),
            // Submitting does not panic; an aborted task means that we are being stopped.
            Some(Err(_)) => return Err(SubmitError::Stopped.into()),
        }
    }
}
