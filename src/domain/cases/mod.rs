//! Cases for the rules, one line a step: what is told on which day, and what must hold then. The machine is settled as the
//! engine does it, against a license service that does at once what it is asked.

mod agreeing;
mod asserting;
mod between;
mod buying;
mod claiming;
mod cutting;
mod deciding;
mod decisions;
mod ending;
mod events;
mod explaining;
mod facts;
mod failing;
mod hands;
mod holding;
mod items;
mod keys;
mod kinds;
mod money;
mod moving;
mod notices;
mod overrides;
mod paying;
mod recovering;
mod restored;
mod returned;
mod services;
mod unproved;

use super::action::{Abilities, Act, Action, ActionOutcome};
use super::action::{Confirmed, CreatePhase, GrantStatus, Outcome};
use super::adoption::Gap;
use super::context::DecisionContext;
use super::decide::{Mailed, add_fact, mailed, outcome, recipient, reconcile};
use super::decision::{Decision, Verb};
use super::fact::*;
use super::finding::Finding;
use super::hold::Distrust;
use super::holding::Brakes;
use super::id::{LicenseKey, MachineId, PlanName, PriceId, SourceName};
use super::lifecycle::Kind;
use super::machine::{LicenseStatus, Machine};
use super::notice::NoticeStatus;
use super::plan::{Devices, Plan, Seats, Template};
use super::policy::Policy;
use super::revision::{Revision, Revisions};
use super::service::{License, apply};
use super::standing::StandingOrders;
use super::time::{Span, Timestamp};
use facts::*;

/// Days since the first payment; fractions are hours and minutes.
pub(super) fn day(day: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "days of a test are small")]
    let s = (day * 86_400.0).round() as i64;
    Timestamp::from_s(1_767_607_200 + s)
}

fn days(at: Timestamp) -> String {
    #[expect(clippy::cast_precision_loss, reason = "days of a test are small")]
    let days = (at - day(0.0)).ms() as f64 / 86_400_000.0;
    format!("{}", (days * 100.0).round() / 100.0)
}

/// One machine through time.
pub(super) struct Case {
    machine: Machine,
    revisions: Vec<Revision>,
    now: Timestamp,
    made: u32,
    /// The n-th license is made on this day at the earliest: until then the service says that it is busy.
    ready: Vec<Timestamp>,
    /// When the store began.
    since: Option<Timestamp>,
    /// Why nobody is stopped by time alone at present.
    stops_held: Option<Distrust>,
    standing: StandingOrders,
    /// Times of which the store has no memory.
    gaps: Vec<Gap>,
    /// Keys that the service shows revoked when they are read, or found.
    revoked_there: Vec<&'static str>,
    /// Whether another hand let its license work again, as a read shows it.
    works_there: bool,
    /// Whether the service brings no revoked license back.
    revokes_for_good: bool,
    /// As the next read shows the license.
    shows: Option<(Option<Timestamp>, Devices)>,
    /// What the service makes of what it was asked for.
    garbles: Option<fn(&mut License)>,
    /// Whether the service refuses to set an end, whatever a read shows.
    takes_no_end: bool,
    /// Whether the service refuses to bring a revoked license back.
    keeps_revoked: bool,
    /// The license that a recovery finds, made before this store began.
    there: Option<(GrantStatus, Option<Timestamp>, Devices)>,
    /// What Stripe says when it is asked.
    stripe: cutting::Stripe,
    /// Whether its source hears of no invoices.
    deaf: bool,
    /// Whether its license service takes the keys that customers have.
    takes_keys: bool,
    /// The license service that the config names.
    service: &'static str,
    /// Addresses that the mail server refuses for good.
    refuses: &'static [&'static str],
}

pub(super) fn plan(name: &str, price: &str) -> Plan {
    Plan {
        name: PlanName::from(name),
        prices: vec![PriceId::from(price)],
        lookup_keys: Vec::new(),
        products: Vec::new(),
        policy: None,
        seats: Seats::Devices,
        license: Template {
            devices: Some(Devices::Count(3)),
            ..Template::default()
        },
        extends: Vec::new(),
    }
}

/// What a [`DecisionContext`] borrows.
struct OwnedContext {
    revisions: Revisions,
    abilities: Abilities,
    since: Option<Timestamp>,
    gaps: Vec<Gap>,
    stops_held: Option<Distrust>,
    standing: StandingOrders,
    service: &'static str,
}

impl OwnedContext {
    fn at(&self, now: Timestamp) -> DecisionContext<'_> {
        DecisionContext {
            revisions: &self.revisions,
            now,
            abilities: &self.abilities,
            customer: None,
            store_since: self.since,
            gaps: &self.gaps,
            jitter: 0,
            under_way: &[],
            stops_held: self.stops_held,
            brakes: Brakes {
                standing: &self.standing,
                service: self.service,
            },
        }
    }
}

impl Case {
    /// A subscription to `price_pro` under a policy.
    pub(super) fn subscription(change: impl FnOnce(&mut Policy)) -> Self {
        let id = "stripe/sub_1".parse::<MachineId>().unwrap();
        let machine = Machine::new(
            id,
            Kind::Subscription,
            SourceName::from("stripe"),
            Some(true),
        );
        let mut policy = Policy::default();
        change(&mut policy);
        let first = Revision {
            from: Timestamp::from_ms(0),
            plans: vec![plan("pro", "price_pro"), plan("team", "price_team")],
            policies: vec![policy],
        };
        Self {
            machine,
            revisions: vec![first],
            now: day(0.0),
            made: 0,
            ready: Vec::new(),
            since: None,
            stops_held: None,
            standing: StandingOrders::default(),
            gaps: Vec::new(),
            revoked_there: Vec::new(),
            works_there: false,
            revokes_for_good: false,
            shows: None,
            garbles: None,
            takes_no_end: false,
            keeps_revoked: false,
            there: None,
            stripe: cutting::Stripe::default(),
            deaf: false,
            takes_keys: false,
            service: "simulated",
            refuses: &[],
        }
    }

    /// A purchase with the guide's metadata.
    pub(super) fn purchase(change: impl FnOnce(&mut Policy)) -> Self {
        let mut case = Self::subscription(change);
        let id = "stripe/cs_1".parse::<MachineId>().unwrap();
        case.machine = Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true));
        case
    }

    /// The config is loaded anew.
    pub(super) fn load(&mut self, at: f64, change: impl FnOnce(&mut Revision)) {
        let mut next = self.revisions.last().cloned().unwrap();
        next.from = day(at);
        change(&mut next);
        self.revisions.push(next);
    }

    /// Something is told on the day on which it happened.
    pub(super) fn told(&mut self, at: f64, kind: &str, body: FactBody) -> &mut Self {
        self.told_late(at, at, kind, body)
    }

    /// Something is told later than it happened.
    pub(super) fn told_late(
        &mut self,
        heard: f64,
        at: f64,
        kind: &str,
        body: FactBody,
    ) -> &mut Self {
        self.on(heard);
        let id = format!("evt_{:03}", self.machine.facts.len());
        let fact = Fact {
            id: id.as_str().into(),
            kind: kind.to_owned(),
            at: day(at),
            received: day(heard),
            body,
            chain: None,
        };
        add_fact(&mut self.machine, &fact);
        self.reconcile();
        self
    }

    /// Time runs on, stopping wherever something is due.
    pub(super) fn on(&mut self, to: f64) -> &mut Self {
        let to = day(to);
        for _ in 0..1000 {
            let notices = self
                .machine
                .notices
                .iter()
                .filter(|n| n.status == NoticeStatus::Pending)
                .map(|n| n.due);
            let actions = self
                .machine
                .actions
                .iter()
                .filter(|a| a.outcome == ActionOutcome::Pending)
                .map(|a| a.due);
            let next = notices
                .chain(actions)
                .chain(self.machine.wake_at)
                .filter(|t| *t <= to)
                .min();
            let Some(next) = next else {
                self.now = self.now.max(to);
                return self;
            };
            self.now = self.now.max(next);
            self.reconcile();
        }
        panic!("something keeps coming due");
    }

    fn rules(&self) -> Revisions {
        let deaf = self.deaf.then(|| self.machine.source.clone());
        Revisions::new(self.revisions.clone()).deaf(deaf)
    }

    /// All that a decision depends on besides the machine and the instant, as it is at present.
    fn context(&self) -> OwnedContext {
        OwnedContext {
            revisions: self.rules(),
            abilities: Abilities {
                can_query: self.stripe.has_key(),
                revoke_reversible: !self.revokes_for_good,
                ..Abilities::simulated()
            },
            since: self.since,
            gaps: self.gaps.clone(),
            stops_held: self.stops_held,
            standing: self.standing.clone(),
            service: self.service,
        }
    }

    /// Changes the machine as it is, and carries nothing out.
    fn in_context(&mut self, change: impl FnOnce(&mut Machine, &DecisionContext<'_>)) {
        let context = self.context();
        change(&mut self.machine, &context.at(self.now));
    }

    fn reconcile(&mut self) {
        let context = self.context();
        for _ in 0..1000 {
            let context = context.at(self.now);
            reconcile(&mut self.machine, &context);
            assert_eq!(self.machine.check(), Ok(()));
            let due = self
                .machine
                .actions
                .iter()
                .find(|a| a.outcome == ActionOutcome::Pending && a.due <= self.now);
            if let Some(action) = due.cloned() {
                let came = self.came_of(&action);
                outcome(&mut self.machine, action.id, &came, self.now, &context);
                continue;
            }
            let notice = self
                .machine
                .notices
                .iter()
                .find(|n| n.status == NoticeStatus::Pending && n.due <= self.now);
            let Some(notice) = notice.cloned() else {
                return;
            };
            let folded = self.machine.folded(context.revisions, self.now);
            let to = recipient(&notice, &folded, None).unwrap();
            let answer = if self.refuses.contains(&to.as_str()) {
                let why = "no such user".to_owned();
                Mailed::Undeliverable { why }
            } else {
                Mailed::Sent { to }
            };
            mailed(&mut self.machine, notice.id, &answer, &context);
        }
        panic!("it never settles");
    }
}
