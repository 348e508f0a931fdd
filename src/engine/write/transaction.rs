//! One input over a view of the store, to writes. A plain function: no clock, no threads, no waiting.

use std::collections::BTreeSet;

use super::addresses;
use super::adopting;
use super::dues;
use super::guarding;
use super::machines::Fold;
use super::outbox::{Attempted, Outbox};
use super::unheard;
use super::working::Working;
use crate::domain::action::{ActionOutcome, Outcome};
use crate::domain::adoption::Gap;
use crate::domain::context::DecisionContext;
use crate::domain::customer::{Arrival, Customer};
use crate::domain::decide;
use crate::domain::decision::Verb;
use crate::domain::extension;
use crate::domain::fact::Fact;
use crate::domain::finding::{Finding, Report};
use crate::domain::hold::Distrust;
use crate::domain::holding::{self, Brakes};
use crate::domain::id::{MachineId, Scope, SourceName};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::no_use::NoEvent;
use crate::domain::operator::{self, Order};
use crate::domain::plan::Plan;
use crate::domain::policy::Policy;
use crate::domain::routing::{Meanwhile, Route};
use crate::domain::standing::StandingOrders;
use crate::domain::time::Timestamp;
use crate::domain::transfer::apart;
use crate::engine::input::{Delivery, EventPayload, Input, Receipt, Rules, SourceRules};
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::gaps;
use crate::engine::record::key::{self};
use crate::engine::record::labels;
use crate::engine::record::probe;
use crate::engine::record::revisions;
use crate::engine::record::server;
use crate::engine::record::standing;
use crate::engine::record::{self, EventRecord, RecordError, RefusedRecord, View};
use crate::engine::route::expire_parked;
use crate::engine::route::extend;
use crate::engine::route::query;
use crate::engine::route::reparse;
use crate::engine::route::route;
use crate::engine::route::transfer;
use crate::engine::route::unpark;
use crate::engine::verify;

/// What a transaction depends on besides the store.
#[derive(Clone, Copy, Debug)]
pub struct TxContext<'a> {
    /// The config, as the engine needs it.
    pub rules: &'a Rules,
    /// The instant.
    pub at: Timestamp,
    /// A number from 0 to 999 for jitter.
    pub jitter: u32,
    /// Why nobody is stopped by time alone at present.
    pub stops_held: Option<Distrust>,
    /// Times of which the store has no memory.
    pub gaps: &'a [Gap],
    /// The shop's orders.
    pub standing: &'a StandingOrders,
    /// How many licenses worked when they were last counted.
    pub live_licenses: u64,
}

/// What the operator should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The machine.
    pub machine: MachineId,
    /// What.
    pub report: Report,
}

/// A transaction under way.
pub struct Transaction<'w, 'a> {
    pub(in crate::engine) working: &'w mut Working<'a>,
    pub(in crate::engine) now: TxContext<'w>,
    /// What the operator should be told when it is committed.
    pub alerts: Vec<Alert>,
    /// Where what is decided goes when it is committed.
    pub(super) outbox: Option<&'w Outbox>,
    /// Creates that are sent when they are committed, each with its slot.
    pub attempted: Vec<Attempted>,
}

impl<'w, 'a> Transaction<'w, 'a> {
    /// Begins one over a view.
    #[must_use]
    pub fn new(working: &'w mut Working<'a>, now: TxContext<'w>) -> Self {
        Self {
            working,
            now,
            alerts: Vec::new(),
            outbox: None,
            attempted: Vec::new(),
        }
    }

    /// The same, with creates sent at once where there are slots for them.
    #[must_use]
    pub(super) fn with_outbox(self, outbox: &'w Outbox) -> Self {
        Self {
            outbox: Some(outbox),
            ..self
        }
    }

    /// Carries an input out.
    ///
    /// # Errors
    /// The store's, or a record that cannot be read.
    pub fn input(&mut self, input: &Input) -> Result<Receipt, RecordError> {
        match input {
            Input::Delivery(delivery) => self.delivery(delivery),
            Input::ReadAgain(delivery) => self.read_again(delivery),
            Input::Attempt {
                machine,
                action,
                read,
            } => self.attempt(machine, *action, *read),
            Input::Outcome {
                machine,
                action,
                outcome,
                sent,
            } => {
                self.working.delete(key::attempt(machine, *action));
                self.change(machine, |m, world| {
                    decide::outcome(m, *action, outcome, *sent, world)
                })
            }
            Input::Mailed {
                machine,
                notice,
                mailed,
            } => self.change(machine, |m, world| {
                decide::mailed(m, *notice, mailed, world)
            }),
            Input::WakeUp { machine } => self.change(machine, |_, _| {}),
            Input::Decision {
                machine,
                id,
                decision,
                at,
            } => self.decided(
                machine,
                &Fact::decided(id.clone(), decision, *at, self.now.at),
            ),
            Input::Searched {
                scope,
                name,
                outcome,
            } => self.searched(scope, name, outcome),
            Input::Actions {
                machine,
                action,
                order,
            } => self.ordered(machine, *action, order),
            Input::Mails { machine } => self.mail_now(machine),
            Input::Refused {
                source,
                why,
                body,
                at,
            } => self.refused(source, why, body, *at),
            Input::Forget => expire_parked::never_linked(self).map(|()| Receipt::Done),
            Input::Revision { plans, policies } => self.revision(plans, policies),
            Input::ReadBy(binary) => Ok(reparse::note_reader(self.working, binary)),
            Input::Adopt(what) => adopting::carry_out(self, what),
            Input::Labels(pairs) => labels::keep(self.working, pairs),
            Input::Gap(gap) => gaps::note_jump(self.working, *gap),
            Input::Probed(learned) => probe::keep(self.working, learned),
            Input::Keep(kept) => server::keep(self.working, kept),
            Input::Standing(order) => standing::order(self.working, order),
            Input::GuardReset => standing::reset_guard(self.working),
            Input::Compare { machine } => self.change(machine, |m, w| holding::compare(m, w.now)),
            Input::Mend { key } => verify::mend(self.working, key),
            Input::Heartbeat => Ok(gaps::beat(self.working, self.now.at)),
        }
    }

    /// A person's decision about a machine. One that issues a license is its machine's beginning.
    fn decided(&mut self, id: &MachineId, fact: &Fact) -> Result<Receipt, RecordError> {
        let issues = fact
            .decision()
            .is_some_and(|d| matches!(d.verb, Verb::Issue { .. }));
        if issues && record::machine(self.working, id)?.is_none() {
            let source = id.scope().source().clone();
            let mut machine = Machine::new(id.clone(), Kind::Payment, source, None);
            decide::add_fact(&mut machine, fact);
            self.settle_and_write(id.scope(), machine, None, &BTreeSet::new())?;
            return Ok(Receipt::Done);
        }
        self.change(id, |m, _| decide::add_fact(m, fact))
    }

    /// What a person says of actions.
    fn ordered(
        &mut self,
        machine: &MachineId,
        action: Option<u32>,
        order: &Order,
    ) -> Result<Receipt, RecordError> {
        self.change(machine, |m, w| operator::carry_out(m, action, order, w.now))
    }

    fn searched(
        &mut self,
        scope: &Scope,
        name: &str,
        outcome: &Outcome,
    ) -> Result<Receipt, RecordError> {
        let known = query::looked(self, scope, name, outcome)?;
        Ok(if known {
            Receipt::Done
        } else {
            Receipt::Unknown
        })
    }

    fn mail_now(&mut self, machine: &MachineId) -> Result<Receipt, RecordError> {
        self.change(machine, |m, world| operator::mail_now(m, world.now))
    }

    /// Keeps a delivery that was no event, for the operator.
    fn refused(
        &mut self,
        source: &SourceName,
        why: &NoEvent,
        body: &[u8],
        at: Timestamp,
    ) -> Result<Receipt, RecordError> {
        let refused = RefusedRecord {
            at,
            source: source.clone(),
            why: why.clone(),
            excerpt: excerpt(body),
        };
        self.working
            .put(key::refused(at, body), record::encode(&refused));
        Ok(Receipt::Done)
    }

    /// Keeps plans and policies as the newest revision; a duplicate where it says so already.
    fn revision(&mut self, plans: &[Plan], policies: &[Policy]) -> Result<Receipt, RecordError> {
        let kept = revisions::kept(self.working)?;
        let new = revisions::put(self.working, &kept, plans, policies, self.now.at)?;
        Ok(new.map_or(Receipt::Duplicate, |_| Receipt::Done))
    }

    fn delivery(&mut self, delivery: &Delivery) -> Result<Receipt, RecordError> {
        let scope = delivery.scope();
        let key = key::event(&scope, &delivery.id);
        if self.working.get(&key)?.is_some() {
            return Ok(Receipt::Duplicate);
        }
        self.take_in(&scope, key, delivery)
    }

    /// An event that changed nothing when it came, as it reads now: it is taken in. Any other is known.
    fn read_again(&mut self, delivery: &Delivery) -> Result<Receipt, RecordError> {
        let scope = delivery.scope();
        let key = key::event(&scope, &delivery.id);
        let kept: Option<EventRecord> = record::get(self.working, &key)?;
        let is_void = |e: &EventRecord| {
            matches!(
                e.disposition,
                Disposition::Unreadable(_) | Disposition::Ignored(_)
            )
        };
        if !kept.as_ref().is_some_and(is_void) {
            return Ok(Receipt::Duplicate);
        }
        self.take_in(&scope, key, delivery)
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
        } else if !crate::engine::route::key_limits::fits(&delivery.heard) {
            Disposition::Ignored(Reason::UnfitId)
        } else {
            match &delivery.heard {
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
        let receipt = receipt(&disposition);
        let record = EventRecord {
            kind: delivery.kind.clone(),
            created: delivery.created,
            received: delivery.received,
            disposition,
            raw: delivery.raw.clone(),
            livemode: delivery.livemode,
        };
        record::put(self.working, key, &record)?;
        Ok(receipt)
    }

    fn source_rules(&self, source: &SourceName) -> &'w SourceRules {
        self.now.rules.source(source)
    }

    /// Gives a fact to its machine, or parks it.
    pub(in crate::engine) fn fact(
        &mut self,
        source: &SourceName,
        scope: &Scope,
        livemode: Option<bool>,
        fact: &Fact,
    ) -> Result<Disposition, RecordError> {
        match route(self.working, scope, fact, &self.now.rules.revisions)? {
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
                if counts == Meanwhile::Parked && self.source_rules(source).abilities.looks_up {
                    query::begin(self, scope, fact)?;
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

    /// Loads a machine, lets something change it, and settles it.
    pub(in crate::engine) fn change(
        &mut self,
        id: &MachineId,
        change: impl FnOnce(&mut Machine, &DecisionContext<'_>),
    ) -> Result<Receipt, RecordError> {
        let Some((mut machine, fold)) = self.working.take_machine(id)? else {
            return Ok(Receipt::Unknown);
        };
        let before = self.working.dues(&machine);
        let scope = machine.id.scope().clone();
        let customer = self.customer_of(&scope, &machine)?;
        let rules = self.source_rules(&machine.source);
        let under_way = self.under_way(&machine)?;
        change(
            &mut machine,
            &self.world(rules, customer.as_ref(), &under_way),
        );
        self.settle_and_write(&scope, machine, fold, &before)?;
        Ok(Receipt::Done)
    }

    fn world<'r>(
        &'r self,
        rules: &'r SourceRules,
        customer: Option<&'r Customer>,
        under_way: &'r [u32],
    ) -> DecisionContext<'r> {
        DecisionContext {
            revisions: &self.now.rules.revisions,
            now: self.now.at,
            abilities: &rules.abilities,
            customer,
            store_since: self.now.rules.store_since,
            gaps: self.now.gaps,
            jitter: self.now.jitter,
            under_way,
            stops_held: self.now.stops_held,
            brakes: Brakes {
                standing: self.now.standing,
                service: rules.service,
            },
        }
    }

    /// Creates of a machine whose attempt is on disk: they were sent, or are just about to be.
    pub(super) fn under_way(&self, machine: &Machine) -> Result<Vec<u32>, RecordError> {
        let mut out = Vec::new();
        for action in machine
            .actions
            .iter()
            .filter(|a| a.act.creates() && a.outcome == ActionOutcome::Pending)
        {
            if self
                .working
                .get(&key::attempt(&machine.id, action.id))?
                .is_some()
            {
                out.push(action.id);
            }
        }
        Ok(out)
    }

    fn customer_of(
        &self,
        scope: &Scope,
        machine: &Machine,
    ) -> Result<Option<Customer>, RecordError> {
        let Some(id) = machine.customer() else {
            return Ok(None);
        };
        let kept: Option<Customer> = record::get(self.working, &key::customer(scope, id))?;
        Ok(kept.filter(|c| !apart(c.livemode, machine.livemode)))
    }

    /// Settles a machine and writes it with what is due for it.
    pub(in crate::engine) fn settle_and_write(
        &mut self,
        scope: &Scope,
        mut machine: Machine,
        fold: Option<Fold>,
        before: &BTreeSet<Vec<u8>>,
    ) -> Result<(), RecordError> {
        let customer = self.customer_of(scope, &machine)?;
        let rules = self.source_rules(&machine.source);
        let under_way = self.under_way(&machine)?;
        let known = fold.and_then(|fold| fold.of(&machine, self.now.at));
        let mut settled = decide::reconcile_folded(
            &mut machine,
            known,
            &self.world(rules, customer.as_ref(), &under_way),
        );
        if machine.kind == Kind::Subscription
            && transfer::resubscription(self, scope, &mut machine, &settled)?
        {
            settled = decide::reconcile_folded(
                &mut machine,
                Some(settled.folded),
                &self.world(rules, customer.as_ref(), &under_way),
            );
        }
        let world = self.world(rules, customer.as_ref(), &under_way);
        if let Some(found) = extend::look(self, scope, &mut machine, &settled, &world)? {
            let told = std::mem::take(&mut settled.reports);
            settled = decide::reconcile_folded(&mut machine, Some(settled.folded), &world);
            settled.reports.splice(0..0, told.into_iter().chain(found));
        }
        let added = extension::added_by(&machine, &settled.due);
        extend::link_keys(self, scope, &machine);
        guarding::admit(self, &mut machine)?;
        unheard::report(self, &machine, &settled.folded)?;
        for report in settled.reports {
            self.alerts.push(Alert {
                machine: machine.id.clone(),
                report,
            });
        }
        if let Some(customer) = &settled.folded.contact.customer {
            let entry = key::by_customer(scope, customer, &machine.id);
            if self.working.get(&entry)?.is_none() {
                self.working.put(entry, Vec::new());
            }
        }
        addresses::note(self, &machine, &settled.folded.contact, customer.as_ref())?;
        let fold = Fold::new(&machine, self.now.at, settled.folded);
        if let Some(machine) = self.write(machine, Some(fold), before)? {
            self.attempt_at_once(machine)?;
        }
        for (owner, extension) in added {
            extend::tell(self, &owner, &extension)?;
        }
        Ok(())
    }

    /// Writes a machine and the difference of what is due for it. One that fails its own check is held. A machine that was
    /// written as a record is given back.
    pub(in crate::engine) fn write(
        &mut self,
        mut machine: Machine,
        fold: Option<Fold>,
        before: &BTreeSet<Vec<u8>>,
    ) -> Result<Option<Machine>, RecordError> {
        if machine.held.is_none()
            && let Err(why) = machine.check()
        {
            let report = Report::new(self.now.at, Finding::Held(why));
            self.alerts.push(Alert {
                machine: machine.id.clone(),
                report,
            });
            machine.held = Some(why);
        }
        if !self.working.keeps_machines() {
            let after = dues::dues(&machine);
            for gone in before.difference(&after) {
                self.working.delete(gone.clone());
            }
            for new in after.difference(before) {
                self.working.put(new.clone(), Vec::new());
            }
        }
        Ok(self.working.put_machine(machine, fold)?)
    }
}

/// Characters kept of a delivery that was no event: enough to recognize it.
const EXCERPT_LEN: usize = 500;

/// The beginning of a body that was refused, as text.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().take(EXCERPT_LEN).collect()
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
