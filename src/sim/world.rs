//! The one loop: time jumps to whatever comes next, a delivery or something due, and nothing sleeps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::history::Line;
use super::services::SimulatedLicenses;
use crate::domain::action::{Outcome, RefusalScope};
use crate::domain::decide::{Mailed, recipient};
use crate::domain::id::{EventId, MachineId, Scope};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::standing::StandingOrders;
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Receipt, Rules};
use crate::engine::read::scan::{self, Cursor};
use crate::engine::read::view;
use crate::engine::record::key::{self, Item};
use crate::engine::record::{self, RecordError};
use crate::engine::write::machines::Machines;
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
    /// A kept line of the history is damaged.
    #[error("a line that was kept cannot be read again: {0}")]
    Unpacked(String),
    /// Virtual time stands still: something is due again and again at one instant.
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
    /// The store. Machines are written into it when something was played.
    pub store: Memory,
    /// The rules.
    pub rules: Arc<Rules>,
    /// The license service.
    pub licenses: SimulatedLicenses,
    /// The instant.
    pub now: Timestamp,
    /// Events in the order in which they first came.
    pub events: Vec<(Scope, EventId)>,
    /// The machines.
    machines: Machines,
}

impl Simulation {
    /// A world without history.
    #[must_use]
    pub fn new(rules: impl Into<Arc<Rules>>, seed: Option<u64>) -> Self {
        Self {
            store: Memory::new(),
            rules: rules.into(),
            licenses: SimulatedLicenses::new(seed),
            now: Timestamp::from_ms(0),
            events: Vec::new(),
            machines: Machines::default(),
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
                self.play_line(&line)?;
            }
        }
        self.end(until)
    }

    /// Hands one line in, at its instant or at the present one if that is later.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn deliver(&mut self, line: &Line) -> Result<Receipt, SimulationError> {
        let receipt = self.take_in(line)?;
        self.write()?;
        Ok(receipt)
    }

    /// Lets time run to an instant, stopping at everything that is due.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn advance(&mut self, to: Timestamp) -> Result<(), SimulationError> {
        self.pass(to)?;
        self.write()
    }

    /// Lets time run to a line's instant, and plays it.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn hear(&mut self, line: &Line) -> Result<(), SimulationError> {
        self.play_line(line)?;
        self.write()
    }

    /// Lets time run on to an instant after the last line.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn end(&mut self, until: Timestamp) -> Result<(), SimulationError> {
        self.run_out(until)?;
        self.write()
    }

    /// The same as [`Self::hear`], for whoever does not look into the store.
    pub(super) fn play_line(&mut self, line: &Line) -> Result<(), SimulationError> {
        self.pass(line.received)?;
        self.take_in(line)?;
        self.work_off()
    }

    /// The same as [`Self::end`], for whoever does not look into the store.
    pub(super) fn run_out(&mut self, until: Timestamp) -> Result<(), SimulationError> {
        self.pass(until)?;
        let parked = scan::never_linked(&self.store, self.now, &mut Cursor::default(), usize::MAX)?;
        for (scope, event) in parked {
            self.submit(&Input::NeverLinked { scope, event })?;
        }
        Ok(())
    }

    /// Writes the machines into the store, for whoever looks there.
    fn write(&mut self) -> Result<(), SimulationError> {
        let base = self.store.clone();
        let mut working = Working::new(&base);
        for machine in self.machines.iter() {
            record::put(&mut working, key::machine(&machine.id), machine)
                .map_err(RecordError::from)?;
        }
        self.commit(working.into_writes())
    }

    /// Every machine.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter()
    }

    /// Every machine with its fold at the world's instant.
    pub(super) fn all_folded(&self) -> impl Iterator<Item = (&Machine, Cow<'_, Folded>)> {
        self.machines.all_folded(&self.rules.revisions, self.now)
    }

    fn take_in(&mut self, line: &Line) -> Result<Receipt, SimulationError> {
        self.now = self.now.max(line.received);
        let receipt = self.submit(&line.input)?;
        if let Input::Delivery(delivery) = &line.input
            && receipt != Receipt::Duplicate
        {
            self.events.push((delivery.scope(), delivery.id.clone()));
        }
        Ok(receipt)
    }

    fn pass(&mut self, to: Timestamp) -> Result<(), SimulationError> {
        self.work_off()?;
        while let Some((next, ..)) = self.machines.next_due().filter(|(at, ..)| *at <= to) {
            self.now = self.now.max(next);
            self.work_off()?;
        }
        self.now = self.now.max(to);
        Ok(())
    }

    /// Carries out everything that is due by now. Nobody is asked for a parked name's purchase in a replay: no search is ever
    /// begun.
    fn work_off(&mut self) -> Result<(), SimulationError> {
        let mut steps = 0;
        while let Some((at, machine, item)) = self.machines.next_due() {
            if at > self.now {
                break;
            }
            let machine = machine.clone();
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
        let input = match item {
            Item::Wake => Input::WakeUp { machine: id },
            // What Stripe would have been asked stands in the history.
            Item::Query(action) => {
                let outcome = Outcome::Refused {
                    why: "not asked in a replay".to_owned(),
                    scope: RefusalScope::Action,
                };
                Input::Outcome {
                    machine: id,
                    action,
                    outcome,
                    sent: self.now,
                }
            }
            Item::Create(action)
            | Item::CreateAgain(action)
            | Item::Recover(action)
            | Item::Action(action)
            | Item::ActionAgain(action) => {
                let machine = self.machines.get(&id);
                let found = machine.and_then(|m| m.actions.iter().find(|a| a.id == action));
                let Some(found) = found else {
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
                let mailed = self.mail(&id, notice)?;
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
    fn mail(&mut self, id: &MachineId, notice: u32) -> Result<Mailed, SimulationError> {
        let nobody = || Mailed::Again {
            why: "no address".to_owned(),
        };
        let Some((machine, folded)) = self.machines.folded(id, &self.rules, self.now) else {
            return Ok(nobody());
        };
        let on_record = match &folded.contact.customer {
            Some(customer) => view::customer(&self.store, machine.id.scope(), customer)?,
            None => None,
        };
        let notice = machine
            .notices
            .iter()
            .find(|n| n.id == notice && n.status == NoticeStatus::Pending);
        let email = on_record.filter(|c| !c.deleted).and_then(|c| c.email);
        let to = notice.and_then(|n| recipient(n, folded, email.as_deref()));
        Ok(to.map_or_else(nobody, |to| Mailed::Sent { to }))
    }

    fn submit(&mut self, input: &Input) -> Result<Receipt, SimulationError> {
        let base = self.store.clone();
        let mut working = Working::with_machines(&base, &mut self.machines);
        let context = TxContext {
            rules: &self.rules,
            at: self.now,
            jitter: 500,
            stops_held: None,
            gaps: &[],
            standing: &StandingOrders::default(),
            live_licenses: 0,
        };
        let receipt = Transaction::new(&mut working, context).input(input)?;
        let writes = working.into_writes();
        self.commit(writes)?;
        Ok(receipt)
    }

    fn commit(
        &mut self,
        writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<(), SimulationError> {
        let batch = Batch {
            expect: Vec::new(),
            writes,
        };
        if !batch.is_empty() {
            self.store.commit(&batch)?;
        }
        Ok(())
    }
}
