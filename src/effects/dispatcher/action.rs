//! Actions at a license service: taken up when there is a slot and the service is well, carried out, and what came of
//! them handed in.

use std::sync::Arc;

use super::queues::{Entry, Exclusive, Queues};
use super::{Begun, Dispatcher, refused};
use crate::domain::action::{Action, ActionOutcome, Outcome};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::effects::execute::{ActionExecutor, CallKind};
use crate::effects::services::LicenseService;
use crate::effects::tally;
use crate::effects::throttle::Gate;
use crate::engine::input::{Input, Version};
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::write::outbox::{Attempted, Slot};

/// An action that may go.
struct Turn {
    machine: Arc<Machine>,
    /// The version of the machine that it was read from; `None`: its attempt is on disk.
    read: Option<Version>,
    action: Action,
    service: Arc<LicenseService>,
    slot: Slot,
}

/// A due entry that stands for an action at a license service.
#[derive(Clone, Copy)]
pub(super) struct DueAction<'a> {
    pub(super) entry: &'a Entry,
    pub(super) machine: &'a MachineId,
    /// The action's number.
    pub(super) number: u32,
    pub(super) kind: CallKind,
}

impl Dispatcher {
    pub(super) fn begin_action(
        self: &Arc<Self>,
        queues: &mut Queues,
        due: DueAction<'_>,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let Some(service) = self.services.license(due.machine.source()).cloned() else {
            // Its source is in the config no more: it waits in the table until it is.
            return Ok(Begun::Settled);
        };
        // Asked before the machine is read: a service that takes nothing costs nothing.
        let Some(slot) = self.slots(&service).and_then(|slots| slots.take()) else {
            return Ok(Begun::Blocked);
        };
        self.take_up(queues, due, service, slot, now)
    }

    /// A recovery takes no slot from what is sent.
    pub(super) fn begin_recovery(
        self: &Arc<Self>,
        queues: &mut Queues,
        due: DueAction<'_>,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let Some(service) = self.services.license(due.machine.source()).cloned() else {
            return Ok(Begun::Settled);
        };
        let Ok(permit) = Arc::clone(&self.recoveries).try_acquire_owned() else {
            return Ok(Begun::Blocked);
        };
        self.take_up(queues, due, service, Slot::from(permit), now)
    }

    /// Begins an action that has its place, if it still stands and its service is well.
    fn take_up(
        self: &Arc<Self>,
        queues: &mut Queues,
        due: DueAction<'_>,
        service: Arc<LicenseService>,
        slot: Slot,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let DueAction {
            entry,
            machine: id,
            number,
            kind,
        } = due;
        if service.gate(kind, now) != Gate::Go {
            return Ok(Begun::Blocked);
        }
        let read = view::machine_and_version(self.handle.reader(), id)
            .inspect_err(|_| service.not_sent(kind, now))?;
        let Some((machine, read)) = read else {
            service.not_sent(kind, now);
            return Ok(Begun::Settled);
        };
        let stands = |a: &&Action| {
            a.id == number
                && a.outcome == ActionOutcome::Pending
                && a.due <= now
                && CallKind::of(a) == kind
        };
        let action = machine.actions.iter().find(stands);
        let Some(action) = action.filter(|_| machine.held.is_none()).cloned() else {
            service.not_sent(kind, now);
            return Ok(Begun::Settled);
        };
        let license = Exclusive::License(id.clone(), action.license);
        if !queues.claim(&license, entry) {
            service.not_sent(kind, now);
            return Ok(Begun::Waits);
        }
        let turn = Turn {
            machine: Arc::new(machine),
            read: Some(read),
            action,
            service,
            slot,
        };
        let this = Arc::clone(self);
        let acts = Box::pin(async move { this.act(turn).await });
        self.spawn(self.running(entry, Some(license)), acts);
        Ok(Begun::Running)
    }

    /// Sends a create whose attempt was committed with what decided it.
    pub(super) fn send_attempted(self: &Arc<Self>, queues: &mut Queues, attempted: Attempted) {
        let Attempted {
            machine,
            action,
            entry,
            slot,
        } = attempted;
        let Some(service) = self.services.license(&machine.source).cloned() else {
            return; // slots are given for the sources that have a service
        };
        let license = Exclusive::License(machine.id.clone(), action.license);
        let (this, now) = (Arc::clone(self), self.handle.clock().now());
        // A license that was only just decided has nothing under way.
        let is_alone = queues.claim(&license, &entry);
        let running = self.running(&entry, is_alone.then_some(license));
        if is_alone && service.gate(CallKind::Create, now) == Gate::Go {
            let turn = Turn {
                machine,
                read: None,
                action,
                service,
                slot,
            };
            self.spawn(running, Box::pin(async move { this.act(turn).await }));
        } else {
            self.spawn(running, async move {
                let why = "not sent: the license service takes nothing now".to_owned();
                this.hand_in(|| Input::Outcome {
                    machine: machine.id.clone(),
                    action: action.id,
                    outcome: Outcome::Again {
                        after: None,
                        why: why.clone(),
                    },
                    sent: now,
                })
                .await;
            });
        }
    }

    /// Carries an action out, and hands in what came of it.
    async fn act(&self, turn: Turn) {
        let Turn {
            machine,
            read,
            action,
            service,
            slot,
        } = turn;
        if let Some(read) = read.filter(|_| action.is_ready_create()) {
            match self.attempt(&machine, &action, read, &service).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(_refused) => {
                    drop(slot);
                    return self.leave().await;
                }
            }
        }
        let sent = self.handle.clock().now();
        let executor = ActionExecutor {
            handle: &self.handle,
            services: &self.services,
            service: &service,
            stop: &self.stop,
        };
        let outcome = executor.execute(&machine, &action).await;
        drop(slot);
        let Some(outcome) = outcome else {
            return;
        };
        tally::action(service.name, &machine.source, action.act.as_str(), &outcome);
        refused::report(&machine, &action, &outcome, &service);
        self.hand_in(|| Input::Outcome {
            machine: machine.id.clone(),
            action: action.id,
            outcome: outcome.clone(),
            sent,
        })
        .await;
    }
}
