//! A machine, settled: something changed it, what should follow is worked out, and it is written with what is due for it.

use std::collections::BTreeSet;

use super::addresses;
use super::adopting;
use super::dues;
use super::guarding;
use super::machines::Fold;
use super::transaction::{Alert, Transaction};
use super::unheard;
use crate::domain::action::ActionOutcome;
use crate::domain::context::DecisionContext;
use crate::domain::customer::Customer;
use crate::domain::customer_orders;
use crate::domain::decide;
use crate::domain::extension;
use crate::domain::finding::{Finding, Report};
use crate::domain::holding::Brakes;
use crate::domain::id::{MachineId, Scope};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::transfer::apart;
use crate::engine::input::{Receipt, SourceRules};
use crate::engine::record::key;
use crate::engine::record::{self, RecordError, View};
use crate::engine::route::awaited;
use crate::engine::route::extend;
use crate::engine::route::transfer;

impl Transaction<'_, '_> {
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
            &self.decision_context(rules, customer.as_ref(), &under_way),
        );
        self.settle_and_write(&scope, machine, fold, &before)?;
        Ok(Receipt::Done)
    }

    fn decision_context<'r>(
        &'r self,
        rules: &'r SourceRules,
        customer: Option<&'r Customer>,
        under_way: &'r [u32],
    ) -> DecisionContext<'r> {
        DecisionContext {
            revisions: &self.context.rules.revisions,
            now: self.context.at,
            abilities: &rules.abilities,
            customer,
            store_since: self.context.rules.store_since,
            gaps: self.context.gaps,
            jitter: self.context.jitter,
            under_way,
            stops_held: self.context.stops_held,
            brakes: Brakes {
                standing: self.context.standing,
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
        customer_orders::hear(&mut machine, self.context.standing, self.context.at);
        adopting::link_waiting(self, &mut machine)?;
        let customer = self.customer_of(scope, &machine)?;
        let rules = self.source_rules(&machine.source);
        let under_way = self.under_way(&machine)?;
        let known =
            fold.and_then(|fold| fold.of(&machine, &self.context.rules.revisions, self.context.at));
        let mut settled = decide::reconcile_folded(
            &mut machine,
            known,
            &self.decision_context(rules, customer.as_ref(), &under_way),
        );
        if machine.kind == Kind::Subscription
            && transfer::resubscription(self, scope, &mut machine, &settled)?
        {
            settled = decide::reconcile_folded(
                &mut machine,
                Some(settled.folded),
                &self.decision_context(rules, customer.as_ref(), &under_way),
            );
        }
        let context = self.decision_context(rules, customer.as_ref(), &under_way);
        if let Some(found) = extend::resolve(self, scope, &mut machine, &settled, &context)? {
            let told = std::mem::take(&mut settled.reports);
            settled = decide::reconcile_folded(&mut machine, Some(settled.folded), &context);
            settled.reports.splice(0..0, told.into_iter().chain(found));
        }
        let added = extension::added_by(&machine, &settled.due);
        extend::link_keys(self, scope, &machine);
        awaited::hold_back(self, &mut machine)?;
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
        let fold = Fold::new(&machine, self.context.at, settled.folded);
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
            let report = Report::new(self.context.at, Finding::Held(why));
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
