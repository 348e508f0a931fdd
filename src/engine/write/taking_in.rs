//! A delivery, taken in: its event is kept with what became of it, and its fact goes to its machine, or waits.

use super::transaction::Transaction;
use crate::domain::customer::{Arrival, Customer};
use crate::domain::decide;
use crate::domain::fact::Fact;
use crate::domain::id::{EventId, Scope, SourceName};
use crate::domain::machine::Machine;
use crate::domain::no_use::Dismissal;
use crate::domain::routing::{Meanwhile, Route};
use crate::engine::input::{Delivery, EventPayload, Receipt};
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::key;
use crate::engine::record::{self, EventRecord, RecordError, View};
use crate::engine::route::parked_query;
use crate::engine::route::route;
use crate::engine::route::transfer;
use crate::engine::route::unpark;

impl Transaction<'_, '_> {
    pub(super) fn delivery(&mut self, delivery: &Delivery) -> Result<Receipt, RecordError> {
        let scope = delivery.scope();
        let key = key::event(&scope, &delivery.id);
        if self.working.get(&key)?.is_some() {
            return Ok(Receipt::Duplicate);
        }
        self.take_in(&scope, key, delivery)
    }

    /// An event that changed nothing when it came, as it reads now: it is taken in. Any other is known.
    pub(super) fn read_again(&mut self, delivery: &Delivery) -> Result<Receipt, RecordError> {
        let scope = delivery.scope();
        let key = key::event(&scope, &delivery.id);
        let kept: Option<EventRecord> = record::get(self.working, &key)?;
        match kept.map(|kept| kept.disposition) {
            Some(Disposition::Unreadable(_)) => {
                self.working.delete(key::unread(&scope, &delivery.id));
            }
            Some(Disposition::Ignored(_)) => {}
            Some(Disposition::Applied(_) | Disposition::Parked(_)) | None => {
                return Ok(Receipt::Duplicate);
            }
        }
        self.take_in(&scope, key, delivery)
    }

    /// A person looked at an event. One that could not be read changes nothing, whatever a newer binary reads in it; one that
    /// waits for its purchase waits on.
    pub(super) fn dismiss(
        &mut self,
        scope: &Scope,
        event: &EventId,
        by: &Dismissal,
    ) -> Result<Receipt, RecordError> {
        let key = key::event(scope, event);
        let Some(kept) = record::get::<EventRecord>(self.working, &key)? else {
            return Ok(Receipt::Unknown);
        };
        let record = match kept.disposition {
            Disposition::Unreadable(was) => {
                self.working.delete(key::unread(scope, event));
                EventRecord {
                    disposition: Disposition::Ignored(Reason::Dismissed {
                        by: by.clone(),
                        was,
                    }),
                    ..kept
                }
            }
            Disposition::Parked(_) => EventRecord {
                noted: Some(by.clone()),
                ..kept
            },
            Disposition::Applied(_) | Disposition::Ignored(_) => return Ok(Receipt::Duplicate),
        };
        record::put(self.working, key, &record)?;
        Ok(Receipt::Done)
    }

    fn take_in(
        &mut self,
        scope: &Scope,
        key: Vec<u8>,
        delivery: &Delivery,
    ) -> Result<Receipt, RecordError> {
        let rules = self.source_rules(&delivery.source);
        let other_mode =
            matches!((rules.livemode, delivery.livemode), (Some(wanted), Some(is)) if wanted != is);
        // rules 4 and 9.
        let disposition = if other_mode {
            Disposition::Ignored(Reason::OtherMode)
        } else if delivery.account.is_some() && !rules.connect {
            Disposition::Ignored(Reason::Connect)
        } else if !crate::engine::route::key_limits::fits(&delivery.payload) {
            Disposition::Ignored(Reason::UnfitId)
        } else {
            match &delivery.payload {
                EventPayload::Fact(fact) => {
                    self.fact(&delivery.source, scope, delivery.livemode, fact)?
                }
                EventPayload::Customer(customer) => {
                    let livemode = delivery.livemode.or(customer.livemode);
                    self.customer(
                        scope,
                        &Customer {
                            livemode,
                            ..customer.clone()
                        },
                    )?
                }
                EventPayload::Ignored(why) => Disposition::Ignored(Reason::NoUse(*why)),
                EventPayload::Unreadable(why) => Disposition::Unreadable(why.clone()),
            }
        };
        if matches!(disposition, Disposition::Unreadable(_)) {
            self.working
                .put(key::unread(scope, &delivery.id), Vec::new());
        }
        let receipt = receipt(&disposition);
        let record = EventRecord {
            kind: delivery.kind.clone(),
            created: delivery.created,
            received: delivery.received,
            disposition,
            raw: delivery.raw.clone(),
            livemode: delivery.livemode,
            noted: None,
        };
        record::put(self.working, key, &record)?;
        Ok(receipt)
    }

    /// Gives a fact to its machine, or parks it.
    pub(in crate::engine) fn fact(
        &mut self,
        source: &SourceName,
        scope: &Scope,
        livemode: Option<bool>,
        fact: &Fact,
    ) -> Result<Disposition, RecordError> {
        match route(self.working, scope, fact, &self.context.rules.revisions)? {
            Route::Nowhere(why) => Ok(Disposition::Ignored(why)),
            Route::Wait { names, .. } if names.is_empty() => {
                Ok(Disposition::Ignored(Reason::NamesNothing))
            }
            Route::Wait { names, counts } => {
                for name in &names {
                    self.working
                        .put(key::parked(scope, name, &fact.id), Vec::new());
                }
                record::put(self.working, key::waiting(scope, &fact.id), fact)?;
                if counts == Meanwhile::Parked && self.source_rules(source).abilities.can_query {
                    parked_query::begin(self, scope, fact)?;
                }
                Ok(match counts {
                    Meanwhile::Parked => Disposition::Parked(names),
                    Meanwhile::Link => Disposition::Applied(None),
                    Meanwhile::Ignored(why) => Disposition::Ignored(why),
                })
            }
            Route::To {
                machine: id,
                kind,
                takes_over,
            } => {
                let loaded = self.working.take_machine(&id)?;
                let before = loaded.as_ref().map(|(m, _)| self.working.dues(m));
                let fresh = loaded.is_none();
                let (mut machine, fold) = loaded
                    .unwrap_or_else(|| (Machine::new(id, kind, source.clone(), livemode), None));
                if let (Some(is), Some(told)) = (machine.livemode, livemode)
                    && is != told
                {
                    self.working.put_back(machine, fold);
                    return Ok(Disposition::Ignored(Reason::OtherModeThanPurchase));
                }
                machine.livemode = machine.livemode.or(livemode);
                if let Some(old) = takes_over {
                    transfer::take_over(self, scope, &mut machine, &old)?;
                }
                decide::add_fact(&mut machine, fact);
                unpark::link(self, scope, &mut machine, fact, fresh)?;
                let id = machine.id.clone();
                self.settle_and_write(scope, machine, fold, &before.unwrap_or_default())?;
                Ok(Disposition::Applied(Some(id)))
            }
        }
    }

    /// A customer's record.
    fn customer(&mut self, scope: &Scope, customer: &Customer) -> Result<Disposition, RecordError> {
        let key = key::customer(scope, &customer.id);
        let known: Option<Customer> = record::get(self.working, &key)?;
        let range = key::under(key::Table::ByCustomer, scope, &[customer.id.as_str()]);
        let mut machines = Vec::new();
        for (entry, _) in self.working.range(&range, CUSTOMER_MACHINES_MAX)? {
            let id = key::machine_of(&entry);
            machines.extend(
                id.and_then(|id| record::machine(self.working, &id).transpose())
                    .transpose()?,
            );
        }
        match customer.arrives(known.as_ref(), machines.iter().map(|m| m.livemode)) {
            Arrival::OtherMode => return Ok(Disposition::Ignored(Reason::OtherModeThanCustomer)),
            Arrival::Older => {}
            Arrival::Kept => {
                record::put(self.working, key, customer)?;
                for machine in machines {
                    self.change(&machine.id, |_, _| {})?;
                }
            }
        }
        Ok(Disposition::Applied(None))
    }
}

/// The most machines of one customer that a change of the address looks at in one batch.
const CUSTOMER_MACHINES_MAX: usize = 200;

fn receipt(disposition: &Disposition) -> Receipt {
    match disposition {
        Disposition::Applied(machine) => Receipt::Applied(machine.clone()),
        Disposition::Parked(names) => Receipt::Parked(names.clone()),
        Disposition::Ignored(_) | Disposition::Unreadable(_) => {
            Receipt::Ignored(disposition.why_ignored().unwrap_or_default())
        }
    }
}
