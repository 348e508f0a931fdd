//! After an outage, or a clock that jumped, nobody is stopped by time alone at once: Stripe may be about to tell of payments.
//!
//! The hold ends when a verified delivery has confirmed our clock, and `catch_up` has passed since it began or every event that
//! Stripe made until then was read from its list. The operator can release a single stop before (`keyward retry`).

use tokio_util::sync::CancellationToken;

use std::sync::Arc;

use super::StartError;
use super::backfills::Backfills;
use crate::clock::{Passed, SteadyClock, pause};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::adoption::Gap;
use crate::domain::decide::WAIT_MAX;
use crate::domain::hold::{Distrust, DistrustCause, Hold};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::notice::{Notice, NoticeStatus};
use crate::domain::time::{Span, Timestamp};
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::{due, view};
use crate::engine::record::gaps;
use crate::engine::write::working::Working;
use crate::store::sled::{Reader, Writer};
use crate::store::{Batch, Commit};

/// A heartbeat that is older at the start means an outage; one is kept each minute.
const AWAY_MAX: Span = Span::from_minutes(10);
/// How often it is looked whether the clock jumped, and whether the hold can end.
const LOOK_EVERY: Span = Span::from_s(2);

/// Keeps the time since the last heartbeat, or since the store's beginning, as one of which the store knows nothing.
///
/// # Errors
/// The store's; nothing may be served then, for what is due might be carried out twice.
pub(super) fn note_start(
    writer: &mut Writer,
    reader: &Reader,
    (heartbeat, since): (Option<Timestamp>, Option<Timestamp>),
    now: Timestamp,
) -> Result<(), StartError> {
    let mut working = Working::new(reader);
    gaps::note_start(&mut working, heartbeat, since.unwrap_or(now), now)
        .map_err(StartError::Record)?;
    let batch = Batch {
        expect: Vec::new(),
        writes: working.into_writes(),
    };
    if !batch.is_empty() {
        writer.commit(&batch)?;
    }
    Ok(())
}

/// For how long the process was away, if that is an outage.
fn away(handle: &Handle, heartbeat: Option<Timestamp>) -> Option<DistrustCause> {
    let away = heartbeat
        .map(|at| handle.clock().now() - at)
        .filter(|away| away.ms().abs() > AWAY_MAX.ms());
    away.map(DistrustCause::Away)
}

/// Holds stops after an outage before anything is decided; [`run`] says when that ends.
pub(super) fn hold_at_start(handle: &Handle, heartbeat: Option<Timestamp>, catch_up: Span) {
    if let Some(cause) = away(handle, heartbeat) {
        let until = handle.clock().now() + catch_up;
        handle.hold_stops(Distrust { cause, until });
    }
}

/// A hold that goes on.
struct Doubt {
    /// Since when.
    began: Timestamp,
    /// How long it is since: by the machine's own clock, for the other one cannot be trusted.
    lasts: Passed,
}

/// Holds stops while time cannot be trusted, until the token is cancelled.
pub(super) async fn run(
    handle: Handle,
    heartbeat: Option<Timestamp>,
    (catch_up, backfills): (Span, Arc<Backfills>),
    steady: SteadyClock,
    stop: CancellationToken,
) {
    let mut doubt = away(&handle, heartbeat).map(|cause| hold(&handle, cause, catch_up));
    if heartbeat.is_some_and(|at| at > handle.clock().now()) {
        redate(&handle).await;
    }
    loop {
        for (jump, doubts) in handle.take_jumps() {
            note_jump(&handle, jump).await;
            if jump < Span::ZERO {
                redate(&handle).await;
            }
            if doubts {
                doubt = Some(hold(&handle, DistrustCause::Jumped(jump), catch_up));
            }
        }
        let told_of_all = |d: &Doubt| d.lasts.span() >= catch_up || backfills.covers(d.began);
        let over = doubt.as_ref().is_some_and(told_of_all) && handle.clock_agrees();
        if over && handle.release_stops() {
            doubt = None;
            steady.trust();
            tracing::info!("time is trusted again: stops that were held go ahead");
            release(&handle).await;
        }
        tokio::select! { () = stop.cancelled() => return, () = pause(LOOK_EVERY) => {} }
    }
}

/// What the clock jumped over is a gap: the machine slept, or was put back to an earlier state with its clock.
async fn note_jump(handle: &Handle, jump: Span) {
    let seconds = jump.ms() / 1000;
    tracing::warn!(
        seconds,
        "the wall clock jumped: check NTP, and whether this machine was asleep"
    );
    let now = handle.clock().now();
    if let Err(error) = handle.note_gap(Gap::between(now - jump, now)).await {
        tracing::error!(%error, "a jump of the clock could not be noted");
    }
}

/// What a clock that was ahead dated would wait for the wrong date: whatever is due later than anything waits is dated anew.
async fn redate(handle: &Handle) {
    match due::behind(handle.reader(), handle.clock().now() + WAIT_MAX) {
        Ok(machines) => wake(handle, machines).await,
        Err(error) => {
            tracing::error!(%error, "what waits for a wrong date could not be looked for: `keyward retry` sends it");
        }
    }
}

async fn wake(handle: &Handle, machines: impl IntoIterator<Item = MachineId>) {
    for machine in machines {
        let _ = handle.submit_waiting(Input::WakeUp { machine }).await;
    }
}

fn hold(handle: &Handle, cause: DistrustCause, catch_up: Span) -> Doubt {
    let (began, lasts) = (handle.clock().now(), handle.clock().measure());
    let until = began + catch_up;
    handle.doubt_clock();
    handle.hold_stops(Distrust { cause, until });
    tracing::warn!(%until, "{cause}: nobody is stopped by time alone until payments had time to be told of");
    Doubt { began, lasts }
}

/// Wakes every machine with a stop, or a mail, that was held.
async fn release(handle: &Handle) {
    let held = |m: &Machine| {
        let by_time = |hold: &Option<Hold>| matches!(hold, Some(Hold::TimeNotTrusted(_)));
        let stop = |a: &Action| a.outcome == ActionOutcome::Held && by_time(&a.held);
        let waits = |n: &Notice| n.status == NoticeStatus::Waiting;
        m.actions.iter().any(stop) || m.notices.iter().any(waits)
    };
    match view::ids(handle.reader(), held) {
        Ok(machines) => wake(handle, machines).await,
        Err(error) => {
            tracing::error!(%error, "held stops could not be looked for; the repair sweep finds them");
        }
    }
}
