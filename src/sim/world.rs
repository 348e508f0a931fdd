//! The one loop: time jumps to whatever comes next, a delivery or something due, and nothing sleeps.

use super::history::Line;
use super::services::SimulatedLicenses;
use crate::domain::action::Outcome;
use crate::domain::decide::{Mailed, recipient};
use crate::domain::id::{EventId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Receipt, Rules};
use crate::engine::read::{due, view};
use crate::engine::record::RecordError;
use crate::engine::record::key::{Due, Item};
use crate::engine::write::transaction::{Transaction, TxContext};
use crate::engine::write::working::Working;
use crate::store::memory::Memory;
use crate::store::{Batch, Commit, CommitError};

/// More steps than this within one instant mean that two parts answer each other without end.
const STEPS_MAX: u32 = 100_000;

/// A simulation that cannot go on. Each of these is a defect of Keyward, never of a history.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// No end.
    #[error("at {at} something keeps coming due without time passing ({machine})")]
    Endless {
        /// The instant.
        at: Timestamp,
        /// The machine that came up last.
        machine: MachineId,
    },
}

/// A simulated world.
pub struct Simulation {
    /// The store.
    pub store: Memory,
    /// The rules.
    pub rules: Rules,
    /// The license service.
    pub licenses: SimulatedLicenses,
    /// The instant.
    pub now: Timestamp,
    /// Events in the order in which they first came.
    pub events: Vec<(Scope, EventId)>,
}

impl Simulation {
    /// A world without history.
    #[must_use]
    pub fn new(rules: Rules, seed: Option<u64>) -> Self {
        Self {
            store: Memory::new(),
            rules,
            licenses: SimulatedLicenses::new(seed),
            now: Timestamp::from_ms(0),
            events: Vec::new(),
        }
    }

    /// Plays a history and then lets time run on to an instant. What was received later is not used.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn play(
        &mut self,
        lines: impl IntoIterator<Item = Line>,
        until: Timestamp,
    ) -> Result<(), SimulationError> {
        for line in lines {
            // rule 45: what was received up to the instant.
            if line.received <= until {
                self.hear(line)?;
            }
        }
        self.end(until)
    }

    /// Lets time run to a line's instant, and plays it.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn hear(&mut self, line: Line) -> Result<(), SimulationError> {
        self.advance(line.received)?;
        self.deliver(line)?;
        self.work_off()
    }

    /// Lets time run on to an instant after the last line.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn end(&mut self, until: Timestamp) -> Result<(), SimulationError> {
        self.advance(until)?;
        self.submit(&Input::Forget).map(|_| ())
    }

    /// Hands one line in, at its instant or at the present one if that is later.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn deliver(&mut self, line: Line) -> Result<Receipt, SimulationError> {
        self.now = self.now.max(line.received);
        if let Input::Delivery(delivery) = &line.input {
            let (scope, id) = (delivery.scope(), delivery.id.clone());
            let receipt = self.submit(&line.input)?;
            if receipt != Receipt::Duplicate {
                self.events.push((scope, id));
            }
            return Ok(receipt);
        }
        self.submit(&line.input)
    }

    /// Lets time run to an instant, stopping at everything that is due.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn advance(&mut self, to: Timestamp) -> Result<(), SimulationError> {
        self.work_off()?;
        while let Some(next) = self.next_due()?.filter(|at| *at <= to) {
            self.now = self.now.max(next);
            self.work_off()?;
        }
        self.now = self.now.max(to);
        Ok(())
    }

    fn next_due(&self) -> Result<Option<Timestamp>, SimulationError> {
        Ok(due::next(&self.store)?)
    }

    /// Carries out everything that is due by now.
    fn work_off(&mut self) -> Result<(), SimulationError> {
        let mut steps = 0;
        while let Some((_, due)) = due::until(&self.store, self.now, 1)?.pop() {
            // Nobody is asked for a parked name's purchase in a replay: no search is ever begun.
            let Due::Of(machine, item) = due else {
                return Ok(());
            };
            steps += 1;
            if steps > STEPS_MAX {
                return Err(SimulationError::Endless {
                    at: self.now,
                    machine,
                });
            }
            self.step(machine, item)?;
        }
        Ok(())
    }

    fn step(&mut self, id: MachineId, item: Item) -> Result<(), SimulationError> {
        let Some(machine) = view::machine(&self.store, &id)? else {
            return Ok(());
        };
        let input = match item {
            Item::Wake => Input::WakeUp { machine: id },
            // What Stripe would have been asked stands in the history.
            Item::LookUp(action) => {
                let outcome = Outcome::Refused {
                    why: "not asked in a replay".to_owned(),
                    service_wide: false,
                };
                Input::Outcome {
                    machine: id,
                    action,
                    outcome,
                    sent: self.now,
                }
            }
            Item::Create(action) | Item::Action(action) => {
                let Some(found) = machine.actions.iter().find(|a| a.id == action) else {
                    return Ok(());
                };
                let outcome = self.licenses.carry_out(found, self.now);
                Input::Outcome {
                    machine: id,
                    action,
                    outcome,
                    sent: self.now,
                }
            }
            Item::Notice(notice) => {
                let mailed = self.mail(&machine, notice)?;
                Input::Mailed {
                    machine: id,
                    notice,
                    mailed,
                }
            }
        };
        self.submit(&input)?;
        Ok(())
    }

    /// The simulated mail server takes everything.
    fn mail(&self, machine: &Machine, id: u32) -> Result<Mailed, SimulationError> {
        let folded = machine.folded(&self.rules.revisions, self.now);
        let on_record = match &folded.contact.customer {
            Some(customer) => view::customer(&self.store, machine.id.scope(), customer)?,
            None => None,
        };
        let notice = machine
            .notices
            .iter()
            .find(|n| n.id == id && n.status == NoticeStatus::Pending);
        let email = on_record.filter(|c| !c.deleted).and_then(|c| c.email);
        let to = notice.and_then(|n| recipient(n, &folded, email.as_deref()));
        Ok(to.map_or_else(
            || Mailed::Again {
                why: "no address".to_owned(),
            },
            |to| Mailed::Sent { to },
        ))
    }

    fn submit(&mut self, input: &Input) -> Result<Receipt, SimulationError> {
        let base = self.store.clone();
        let mut working = Working::new(&base);
        let now = TxContext {
            rules: &self.rules,
            at: self.now,
            jitter: 500,
            stops_held: None,
            gaps: &[],
        };
        let receipt = Transaction::new(&mut working, now).input(input)?;
        let batch = Batch {
            expect: Vec::new(),
            writes: working.into_writes(),
        };
        if !batch.is_empty() {
            self.store.commit(&batch)?;
        }
        Ok(receipt)
    }
}
