//! Looks for a license before one is made, or where one should end: an attempt of ours whose answer was lost may have made
//! it, or others before us.

use std::collections::BTreeSet;

use super::{ActionExecutor, confirmed};
use crate::clock::pause;
use crate::domain::action::{Action, CreatePhase, Outcome, RefusalScope};
use crate::domain::adoption;
use crate::domain::machine::Machine;
use crate::domain::time::{Span, Timestamp};
use crate::effects::license::choice::choose;
use crate::effects::license::recover::{RecoverError, RecoverRequest, Recovered};
use crate::effects::license::sweep::Wanted;
use crate::effects::license::{License, RefusalKind};
use crate::effects::other_handler;
use crate::effects::services::LicenseService;
use crate::effects::throttle::CallResult;
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::labels;

/// How often a long recovery keeps what it has read, so that the next process goes on there.
const KEEP_EVERY: Span = Span::from_s(1);
/// So many labels are kept in one commit.
const KEPT_AT_ONCE: usize = 10 * labels::CHUNK_MAX;

impl ActionExecutor<'_> {
    /// Looks once. `sent_at`: when our own attempt was sent, where the question is only whether that came through; `None`:
    /// whoever made it, whenever. Without an outcome on the order to stop: the list may be long, and what was read of it is
    /// kept for the next process.
    pub(super) async fn recover(
        &self,
        machine: &Machine,
        action: &Action,
        sent_at: Option<Timestamp>,
    ) -> Option<Outcome> {
        let loaded = self
            .services
            .load_held(self.handle.reader())
            .and_then(|()| self.load_labels());
        if let Err(error) = loaded {
            return Some(Outcome::Again {
                after: None,
                why: error.to_string(),
            });
        }
        let app = self.app_of(action, None);
        let labels = match sent_at {
            Some(_) => own_label(action),
            None => self.labels(machine, action),
        };
        let wanted = labels
            .into_iter()
            .map(|label| Wanted { label, sent_at })
            .collect();
        let asked = RecoverRequest {
            wanted,
            since: counts_from(action),
            clock: self.handle.clock(),
        };
        let find = self
            .service
            .recoverer
            .recover(&app, asked, |key| self.services.is_held(key));
        let mut find = std::pin::pin!(find);
        let found = loop {
            tokio::select! {
                found = &mut find => break Some(found),
                () = self.stop.cancelled() => break None,
                () = pause(KEEP_EVERY) => self.service.keep_labels(self.handle, labels::CHUNK_MAX).await,
            }
        };
        self.service.keep_labels(self.handle, 1).await;
        let found = found?;
        // A service that is dead is seen though nothing but recoveries wait for it, as after a restart.
        let result = found
            .as_ref()
            .map_or_else(RecoverError::call_result, |_| CallResult::Good);
        let why = || {
            found
                .as_ref()
                .map_or_else(ToString::to_string, |_| String::new())
        };
        self.service.breaker.record(result, self.now(), why);
        Some(match found {
            Err(RecoverError::Refused(refusal)) if refusal.kind == RefusalKind::Forbidden => {
                Outcome::Refused {
                    why: refusal.to_string(),
                    scope: RefusalScope::Access,
                }
            }
            Err(failed) => Outcome::Again {
                after: None,
                why: failed.to_string(),
            },
            Ok(Recovered { licenses, began }) => {
                if sent_at.is_none() {
                    self.judge_makers(machine, &licenses).await;
                }
                self.take(machine, action, licenses)
                    .unwrap_or(Outcome::Absent { began })
            }
        })
    }

    /// A license of a purchase that was made since licenses are made here, and not here, is another program's. While the list
    /// was read, another create of the purchase may have made one.
    async fn judge_makers(&self, machine: &Machine, found: &[License]) {
        let kept = view::machine(self.handle.reader(), &machine.id);
        let Ok(Some(now)) = kept else { return };
        let others = found.iter().filter(|l| !made(l).may_be_ours(&now));
        let another = |made: &Timestamp| other_handler::is_another_s(self.handle, &now, *made);
        let made = others.filter_map(|l| l.created_at).filter(another);
        if let Some(made) = made.max() {
            other_handler::report(self.handle, &machine.id, made).await;
        }
    }

    /// Takes up the labels that former processes have read.
    fn load_labels(&self) -> Result<(), RecordError> {
        let recoverer = &self.service.recoverer;
        if !recoverer.with_memory(|memory| memory.is_loaded) {
            let kept = labels::read(self.handle.reader())?;
            recoverer.with_memory(|memory| {
                memory.learn(kept);
                memory.is_loaded = true;
            });
        }
        Ok(())
    }

    /// The labels under which an action's license may be found. Whoever made licenses before us may have made the purchase
    /// several, one for another: all its labels count. What replaces a license of the machine's can only be our own.
    fn labels(&self, machine: &Machine, action: &Action) -> BTreeSet<String> {
        let mut labels = own_label(action);
        if !action
            .act
            .new_license()
            .is_some_and(|new| adoption::has_had(machine, &new.seat))
        {
            labels.extend(adoption::labels_of(machine, &self.services.adopt));
        }
        labels
    }

    /// Takes the best of what was found, unless nothing is left for this action.
    fn take(&self, machine: &Machine, action: &Action, mut found: Vec<License>) -> Option<Outcome> {
        let mut recoveries = 0;
        for other in machine.open_actions().filter(|a| a.id != action.id) {
            let Some(label) = &other.label else { continue };
            if recovers_others(other) {
                leave_one(&mut found, label.as_str(), self.now());
                recoveries += 1;
            } else {
                // It may be making this very license.
                found.retain(|l| l.label.as_deref() != Some(label.as_str()));
            }
        }
        let seat = action
            .act
            .new_license()
            .map(|new| adoption::SeatEnds::of(machine, new));
        let foreign = matches!(action.phase, CreatePhase::Recover { any_age: true, .. });
        loop {
            let choice = choose(found, seat.as_ref(), self.now())?;
            if !self.services.reserve(&choice.adopt.key) {
                found = choice.others;
                continue;
            }
            // What the machine's other recoveries will take is no leftover.
            let left: Vec<&License> = choice.others.iter().skip(recoveries).collect();
            for other in &left {
                tracing::warn!(machine.id = %machine.id, license = ?other.key, "another license has a label of this purchase; it is left alone");
            }
            let mut outcome = confirmed(action, None, &choice.adopt, self.now());
            if let Outcome::Done(confirmed) = &mut outcome {
                confirmed.adopted = foreign;
                confirmed.others = left.iter().map(|l| l.key.clone()).collect();
            }
            return Some(outcome);
        }
    }
}

impl LicenseService {
    /// Keeps the labels that were read, once there are so many. Those that cannot be written are read again some day.
    pub(in crate::effects) async fn keep_labels(&self, handle: &Handle, at_least: usize) {
        let fresh = self
            .recoverer
            .with_memory(|memory| memory.take_fresh(at_least));
        for pairs in fresh.chunks(KEPT_AT_ONCE) {
            let _ = handle.submit_waiting(Input::Labels(pairs.to_vec())).await;
        }
    }
}

/// What tells who made a license.
fn made(license: &License) -> adoption::Made {
    adoption::Made {
        key: license.key.clone(),
        label: license.label.clone(),
        at: license.created_at,
    }
}

/// From when on a recovery counts for an action: after the attempt in question, and not before its time has come.
fn counts_from(action: &Action) -> Timestamp {
    match action.phase {
        CreatePhase::Recover { since, .. } => since.max(action.due),
        CreatePhase::Ready => action.due,
    }
}

/// Whether an action looks for what others made.
fn recovers_others(action: &Action) -> bool {
    action.act.new_license().is_some()
        && matches!(action.phase, CreatePhase::Recover { any_age: true, .. })
}

/// The label of a license that is to be made or found.
fn own_label(action: &Action) -> BTreeSet<String> {
    action.label.iter().map(ToString::to_string).collect()
}

/// Leaves the best license with the label of another recovery of the machine to that recovery.
fn leave_one(found: &mut Vec<License>, label: &str, now: Timestamp) {
    let (with, mut rest): (Vec<License>, Vec<License>) = std::mem::take(found)
        .into_iter()
        .partition(|l| l.label.as_deref() == Some(label));
    rest.extend(
        choose(with, None, now)
            .into_iter()
            .flat_map(|choice| choice.others),
    );
    *found = rest;
}
