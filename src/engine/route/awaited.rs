//! Which purchase of the same customer waits for a license that is to end. What waits for what is `domain/awaited.rs`.

use super::transfer::others_of;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::awaited::{self, Awaiting};
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::engine::record::{self, RecordError, View};
use crate::engine::write::transaction::Transaction;

/// A machine beside the other purchases of its customer, by which ends of its licenses are judged. They are read once, however
/// many ends there are, and not at all where there is none.
pub struct Awaited<'a> {
    view: &'a dyn View,
    machine: &'a Machine,
    others: Option<Vec<Machine>>,
}

impl<'a> Awaited<'a> {
    #[must_use]
    pub const fn new(view: &'a dyn View, machine: &'a Machine) -> Self {
        Self {
            view,
            machine,
            others: None,
        }
    }

    /// The machine whose licenses they are.
    #[must_use]
    pub const fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// The purchase that waits for the license which an action ends.
    ///
    /// # Errors
    /// The store's, or a record that cannot be read.
    pub fn by(
        &mut self,
        action: &Action,
        revisions: &Revisions,
        now: Timestamp,
    ) -> Result<Option<Awaiting>, RecordError> {
        let machine = self.machine;
        if !awaited::ends(machine, action, now) {
            return Ok(None);
        }
        let mut others = self.others()?.iter();
        Ok(others.find_map(|other| awaited::awaiting(other, machine, action, revisions, now)))
    }

    fn others(&mut self) -> Result<&[Machine], RecordError> {
        let others = match self.others.take() {
            Some(others) => others,
            None => self.read()?,
        };
        Ok(self.others.insert(others))
    }

    fn read(&self) -> Result<Vec<Machine>, RecordError> {
        let id = &self.machine.id;
        let Some(customer) = self.machine.customer() else {
            return Ok(Vec::new());
        };
        let ids = others_of(self.view, id.scope(), customer, id)?;
        let others = ids.iter().map(|id| record::machine(self.view, id));
        others.filter_map(Result::transpose).collect()
    }
}

/// Holds the ends of licenses that another purchase waits for, whatever let them go.
pub(in crate::engine) fn hold_back(
    tx: &Transaction<'_, '_>,
    machine: &mut Machine,
) -> Result<(), RecordError> {
    let (revisions, now) = (&tx.context.rules.revisions, tx.context.at);
    let mut awaited = Awaited::new(&*tx.working, machine);
    let mut back = Vec::new();
    for (index, action) in machine.actions.iter().enumerate() {
        if action.outcome == ActionOutcome::Pending && awaited.by(action, revisions, now)?.is_some()
        {
            back.push(index);
        }
    }
    for index in back {
        awaited::hold(&mut machine.actions[index], now);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytes::Bytes;

    use super::*;
    use crate::domain::action::Act;
    use crate::domain::adoption::samples::licensed;
    use crate::domain::fact::{Charge, Fact, FactBody};
    use crate::domain::hold::Hold;
    use crate::domain::id::MachineId;
    use crate::engine::record::Pair;
    use crate::engine::record::key::by_customer;
    use crate::store::{KeyRange, ReadError};

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    /// A customer's purchases, and how often one was read.
    struct Counting {
        others: Vec<MachineId>,
        reads: Cell<u32>,
    }

    impl View for Counting {
        fn get(&self, _: &[u8]) -> Result<Option<Bytes>, ReadError> {
            self.reads.set(self.reads.get() + 1);
            Ok(Some(record::encode(&licensed("OTHER", None)).into()))
        }

        fn range(&self, _: &KeyRange, _: usize) -> Result<Vec<Pair>, ReadError> {
            let entry = |id: &MachineId| by_customer(id.scope(), &"cus_1".into(), id);
            let entries = self.others.iter().map(|id| (entry(id), Bytes::new()));
            Ok(entries.collect())
        }
    }

    /// A charge that names the customer.
    fn charge() -> Fact {
        Fact {
            id: "evt_1".into(),
            kind: "charge.succeeded".to_owned(),
            at: NOW,
            received: NOW,
            body: FactBody::Charge(Charge {
                id: "ch_1".into(),
                payment_intent: None,
                invoice: None,
                customer: Some("cus_1".into()),
                amount: 1_000,
                amount_refunded: 0,
                refunded: false,
                refunds: Vec::new(),
                released: None,
                email: None,
            }),
            chain: None,
        }
    }

    #[test]
    fn the_other_purchases_are_read_once_and_only_where_something_is_to_end() {
        let mut machine = licensed("KEY", None);
        machine.facts.push(charge());
        let key = machine.grants[0].key.clone();
        let number = machine.grants[0].number;
        let others = ["stripe/sub_2", "stripe/sub_3"].map(|id| id.parse().unwrap());
        let view = Counting {
            others: others.to_vec(),
            reads: Cell::default(),
        };
        let held = |act: Act| {
            let mut action = Action::new(1, act, number, NOW);
            action.hold(Hold::Adoption, NOW);
            action
        };
        let mut awaited = Awaited::new(&view, &machine);
        let mut reads_after = |act: Act| {
            let found = awaited.by(&held(act), &Revisions::default(), NOW).unwrap();
            assert_eq!(found, None);
            view.reads.get()
        };
        let (key, until) = (|| key.clone(), Some(NOW));
        assert_eq!(reads_after(Act::Reinstate { key: key(), until }), 0);
        assert_eq!(reads_after(Act::Revoke { key: key() }), 2);
        assert_eq!(reads_after(Act::SetExpiry { key: key(), until }), 2);
        assert_eq!(reads_after(Act::Suspend { key: key() }), 2);
    }
}
