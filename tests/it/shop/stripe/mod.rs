//! A small Stripe: a virtual clock, objects, what Stripe does by itself, and the events that it makes of all that.

mod again;
mod change;
mod invoice;
pub(crate) mod ledger;
mod lookup;
mod money;
mod session;
pub(crate) mod shape;
mod subscription;

use std::collections::BTreeMap;

use serde_json::Value;

use super::calendar::{DAY, HOUR, OPENS, Time};
use super::catalog::without_plan;
use super::script::{Shop, Step, What, Word};
use ledger::{Decision, Dispute, Invoice, Refund, Session, Status, Sub};

/// An event as Stripe made it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) created: Time,
    pub(crate) object: Value,
    pub(crate) previous: Option<Value>,
}

/// An answer of a look-up that stands in the history.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) at: Time,
    pub(crate) object: Value,
}

/// What Stripe has planned.
#[derive(Clone, Copy, Debug)]
enum Task {
    Begin(usize),
    Step(usize, usize),
    Turn(usize),
    TrialEnd(usize),
    End(usize),
    ExpireIncomplete(usize),
    FirstPayment(usize),
    Finalize(usize),
    Retry(usize),
    Debit(usize, bool),
    Due(usize),
    Refund(usize, &'static str),
    Dispute(usize, &'static str),
    SessionDecides(usize, bool),
    SessionExpires(usize),
}

/// What a purchase became.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bought {
    Sub(usize),
    Session(usize),
}

/// The small Stripe.
#[derive(Debug)]
pub(crate) struct Stripe {
    pub(crate) now: Time,
    pub(crate) new_shape: bool,
    /// Whether there is an API key, so that cut lists are asked for.
    pub(crate) has_key: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) subs: Vec<Sub>,
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) decisions: Vec<Decision>,
    /// What each purchase of the script is by now.
    pub(crate) bought: BTreeMap<usize, Bought>,
    /// Subscriptions whose customers began anew since.
    pub(crate) former: Vec<usize>,
    /// Until when it all was lived.
    pub(crate) until: Time,
    /// Since when lookup keys have moved on to other prices.
    pub(crate) lookups_moved: Option<Time>,
    agenda: BTreeMap<(Time, u32), Task>,
    planned: u32,
    ids: u32,
}

/// How long the shop goes on after its last step.
const RUNS_ON: i64 = 75 * DAY;

impl Stripe {
    /// Lets a shop's whole life happen.
    pub(crate) fn live(shop: &Shop) -> Self {
        let mut stripe = Self {
            now: OPENS,
            new_shape: shop.delivery.new_shape,
            has_key: shop.delivery.has_key(),
            events: Vec::new(),
            lookups: Vec::new(),
            subs: Vec::new(),
            invoices: Vec::new(),
            sessions: Vec::new(),
            refunds: Vec::new(),
            disputes: Vec::new(),
            decisions: Vec::new(),
            bought: BTreeMap::new(),
            former: Vec::new(),
            until: OPENS,
            lookups_moved: None,
            agenda: BTreeMap::new(),
            planned: 0,
            ids: 0,
        };
        let mut end = OPENS;
        for (n, purchase) in shop.purchases.iter().enumerate() {
            let mut at = OPENS + 41 * HOUR * i64::try_from(n).unwrap();
            stripe.plan(at, Task::Begin(n));
            for (m, timed) in purchase.steps.iter().enumerate() {
                // A step and what Stripe does by itself do not fall on one second.
                at += i64::from(timed.hours) * HOUR + 1_237;
                stripe.plan(at, Task::Step(n, m));
            }
            end = end.max(at + RUNS_ON);
        }
        stripe.until = end;
        while let Some((&(at, n), _)) = stripe.agenda.first_key_value()
            && at <= end
        {
            let task = stripe.agenda.remove(&(at, n)).unwrap();
            stripe.now = stripe.now.max(at);
            stripe.work(shop, task);
        }
        stripe
    }

    fn plan(&mut self, at: Time, task: Task) {
        self.planned += 1;
        self.agenda.insert((at.max(self.now), self.planned), task);
    }

    fn work(&mut self, shop: &Shop, task: Task) {
        match task {
            Task::Begin(n) => self.begin(n, &shop.purchases[n].what),
            Task::Step(n, m) => self.step(n, &shop.purchases[n].steps[m].step),
            Task::Turn(sub) => self.turn(sub),
            Task::TrialEnd(sub) => self.trial_ends(sub),
            Task::End(sub) => self.scheduled_end(sub),
            Task::ExpireIncomplete(sub) => self.expire_incomplete(sub),
            Task::FirstPayment(invoice) => self.first_payment(invoice),
            Task::Finalize(invoice) => self.finalize(invoice),
            Task::Retry(invoice) => self.retry(invoice),
            Task::Debit(invoice, comes) => self.debit(invoice, comes),
            Task::Due(invoice) => self.falls_due(invoice),
            Task::Refund(refund, word) => self.refund_becomes(refund, word),
            Task::Dispute(dispute, word) => self.dispute_becomes(dispute, word),
            Task::SessionDecides(session, paid) => self.session_decides(session, paid),
            Task::SessionExpires(session) => self.session_expires(session),
        }
    }

    fn begin(&mut self, n: usize, what: &What) {
        let bought = match what {
            What::Subscription { .. } => Bought::Sub(self.subscribe(n, what)),
            What::Once { .. } => Bought::Session(self.sell(n, what)),
            What::Abandoned => Bought::Session(self.abandon(n)),
        };
        self.bought.insert(n, bought);
    }

    fn step(&mut self, n: usize, step: &Step) {
        match self.bought.get(&n) {
            Some(&Bought::Sub(sub)) => {
                if let Step::Resubscribe { price } = step {
                    self.resubscribe(n, sub, price.as_deref());
                } else {
                    self.subscription_step(sub, step);
                }
            }
            Some(&Bought::Session(session)) => self.session_step(session, step),
            None => {}
        }
    }

    /// The price that a step names, as this shop sells it.
    fn offer<'p>(&self, s: usize, price: &'p str) -> &'p str {
        if self.subs[s].metadata.is_some() {
            without_plan(price)
        } else {
            price
        }
    }

    fn subscription_step(&mut self, s: usize, step: &Step) {
        match step {
            Step::PaysBy(method) => self.subs[s].method = *method,
            Step::PayOpen {
                oldest,
                out_of_band,
            } => self.pay_open(s, *oldest, *out_of_band),
            Step::WriteOff { void } => self.write_off(s, *void),
            Step::CancelNow => self.delete(s, Some("cancellation_requested")),
            Step::CancelAtEnd => self.cancel_at_end(s),
            Step::CancelAt { days } => self.cancel_at(s, i64::from(*days) * DAY),
            Step::Undo => self.undo_cancel(s),
            Step::Refund {
                back,
                percent,
                fate,
            } => self.refund_invoice(s, *back, *percent, *fate),
            Step::Dispute {
                back,
                days,
                verdict,
            } => self.dispute_invoice(s, *back, *days, *verdict),
            Step::Change {
                which,
                price,
                billed,
            } => self.change_price(s, *which, self.offer(s, price), *billed),
            Step::Swap {
                which,
                price,
                billed,
            } => self.swap_item(s, *which, self.offer(s, price), *billed),
            Step::Quantity {
                which,
                quantity,
                billed,
            } => self.change_quantity(s, *which, *quantity, *billed),
            Step::Add {
                price,
                quantity,
                billed,
            } => self.add_item(s, self.offer(s, price), *quantity, *billed),
            Step::Remove { which, billed } => self.remove_item(s, *which, *billed),
            Step::Pause => self.pause(s, true),
            Step::Resume if self.subs[s].now().status == Status::Paused => self.resume_trial(s),
            Step::Resume => self.pause(s, false),
            Step::Manual => self.bill_by_hand(s),
            Step::Coupon(on) => self.subs[s].coupon = *on,
            Step::AddTrial { days } => self.add_trial(s, i64::from(*days) * DAY),
            Step::Metadata => self.edit_metadata(s),
            Step::MoveLookup => self.lookups_moved = self.lookups_moved.or(Some(self.now)),
            Step::ResetAnchor => self.reset_anchor(s),
            Step::ChangeAtTurn { which, price } => {
                self.change_at_turn(s, *which, self.offer(s, price))
            }
            Step::Decide(word) => self.decide(self.subs[s].id.clone(), *word),
            Step::Resubscribe { .. } => {}
        }
    }

    fn session_step(&mut self, s: usize, step: &Step) {
        if let Step::Refund { percent, fate, .. } = step {
            self.refund_session(s, *percent, *fate);
        } else if let Step::Dispute { days, verdict, .. } = step {
            self.dispute_session(s, *days, *verdict);
        } else if let Step::Decide(word) = step {
            self.decide(self.sessions[s].id.clone(), *word);
        }
    }

    fn decide(&mut self, about: String, word: Word) {
        let at = self.now;
        self.decisions.push(Decision { about, at, word });
    }

    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}_1S{:010}", self.ids)
    }

    fn emit(&mut self, kind: &'static str, object: Value) {
        self.emit_with(kind, object, None);
    }

    fn emit_with(&mut self, kind: &'static str, object: Value, previous: Option<Value>) {
        let id = self.id("evt");
        self.look_up(&object);
        self.events.push(Event {
            id,
            kind,
            created: self.now,
            object,
            previous,
        });
    }
}
