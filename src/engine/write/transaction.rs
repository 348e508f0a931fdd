//! One input over a view of the store, to writes. A plain function: no clock, no threads, no waiting.

use std::collections::BTreeSet;

use super::adopting;
use super::erasing;
use super::outbox::{Attempted, Outbox};
use super::working::Working;
use crate::domain::action::Outcome;
use crate::domain::adoption::Gap;
use crate::domain::decide;
use crate::domain::decision::Verb;
use crate::domain::fact::Fact;
use crate::domain::finding::Report;
use crate::domain::hold::Distrust;
use crate::domain::holding;
use crate::domain::id::{MachineId, Scope, SourceName};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::no_use::NoEvent;
use crate::domain::operator::{self, Order};
use crate::domain::plan::Plan;
use crate::domain::policy::Policy;
use crate::domain::standing::StandingOrders;
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Receipt, Rules, SourceRules};
use crate::engine::record::gaps;
use crate::engine::record::key;
use crate::engine::record::labels;
use crate::engine::record::probe;
use crate::engine::record::revisions;
use crate::engine::record::server;
use crate::engine::record::standing;
use crate::engine::record::{self, RecordError, RefusedRecord};
use crate::engine::route::expire_parked;
use crate::engine::route::parked_query;
use crate::engine::route::reparse;
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
    /// The finding, and when it was made.
    pub report: Report,
}

/// A transaction under way.
pub struct Transaction<'w, 'a> {
    pub(in crate::engine) working: &'w mut Working<'a>,
    pub(in crate::engine) context: TxContext<'w>,
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
    pub fn new(working: &'w mut Working<'a>, context: TxContext<'w>) -> Self {
        Self {
            working,
            context,
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
            Input::Dismiss { scope, event, by } => self.dismiss(scope, event, by),
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
                self.change(machine, |m, context| {
                    decide::outcome(m, *action, outcome, *sent, context)
                })
            }
            Input::Mailed {
                machine,
                notice,
                mailed,
            } => self.change(machine, |m, context| {
                decide::mailed(m, *notice, mailed, context)
            }),
            Input::WakeUp { machine } => self.change(machine, |_, _| {}),
            Input::Decision {
                machine,
                id,
                decision,
                at,
            } => self.decided(
                machine,
                &Fact::decided(id.clone(), decision, *at, self.context.at),
            ),
            Input::ParkedQueryDone {
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
            Input::NeverLinked { scope, event } => expire_parked::never_linked(self, scope, event),
            Input::Revision { plans, policies } => self.revision(plans, policies),
            Input::ReadBy(binary) => Ok(reparse::note_reader(self.working, binary)),
            Input::Adopt(what) => adopting::carry_out(self, what),
            Input::Erase(erasure) => erasing::carry_out(self, erasure),
            Input::Labels(pairs) => labels::keep(self.working, pairs),
            Input::Gap(gap) => gaps::note_jump(self.working, *gap),
            Input::Probed(learned) => probe::keep(self.working, learned),
            Input::Keep(kept) => server::keep(self.working, kept),
            Input::Standing(order) => standing::order(self.working, order),
            Input::GuardReset => standing::reset_guard(self.working),
            Input::Compare { machine } => self.change(machine, |m, w| holding::compare(m, w.now)),
            Input::Mend { key } => verify::mend(self.working, key),
            Input::Heartbeat => Ok(gaps::beat(self.working, self.context.at)),
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
        let known = parked_query::answered(self, scope, name, outcome)?;
        Ok(if known {
            Receipt::Done
        } else {
            Receipt::Unknown
        })
    }

    fn mail_now(&mut self, machine: &MachineId) -> Result<Receipt, RecordError> {
        self.change(machine, |m, context| operator::mail_now(m, context.now))
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
        let new = revisions::put(self.working, &kept, plans, policies, self.context.at)?;
        Ok(new.map_or(Receipt::Duplicate, |_| Receipt::Done))
    }

    pub(in crate::engine) fn source_rules(&self, source: &SourceName) -> &'w SourceRules {
        self.context.rules.source(source)
    }
}

/// Characters kept of a delivery that was no event: enough to recognize it.
const EXCERPT_LEN: usize = 500;

/// The beginning of a body that was refused, as text.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().take(EXCERPT_LEN).collect()
}
