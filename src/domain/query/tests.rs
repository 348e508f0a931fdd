//! Tests of `query.rs`.

use super::*;
use crate::domain::action::{Abilities, Confirmed, GrantStatus, Outcome, RefusalScope};
use crate::domain::customer::Customer;
use crate::domain::decide::{outcome, reconcile};
use crate::domain::fact::{Bought, LineItems, PaymentStatus, Priced, Session, SessionEvent, Wants};
use crate::domain::id::{
    CustomerId, LicenseKey, MachineId, PlanName, PriceId, SessionId, SourceName,
};
use crate::domain::lifecycle::Kind;
use crate::domain::plan::{Plan, Seats, Template};
use crate::domain::revision::Revisions;
use crate::domain::time::{Span, Timestamp};

const BOUGHT: Timestamp = Timestamp::from_s(1_000_000);

/// A machine with what it depends on, and an instant that only moves when told.
struct Case {
    machine: Machine,
    revisions: Revisions,
    abilities: Abilities,
    customer: Option<Customer>,
    now: Timestamp,
    reports: Vec<Finding>,
}

impl Case {
    /// A session that was paid for a price, by a customer without an address.
    fn new(wants: Wants) -> Self {
        let plan = Plan {
            name: PlanName::from("tool"),
            prices: vec![PriceId::from("price_tool")],
            lookup_keys: Vec::new(),
            products: Vec::new(),
            policy: None,
            seats: Seats::Devices,
            license: Template::default(),
            extends: Vec::new(),
        };
        let mut case = Self {
            machine: Machine::new(
                "stripe/cs_1".parse::<MachineId>().unwrap(),
                Kind::Payment,
                SourceName::from("stripe"),
                None,
            ),
            revisions: Revisions::always(vec![plan], Vec::new()),
            abilities: Abilities {
                can_query: true,
                ..Abilities::simulated()
            },
            customer: None,
            now: BOUGHT,
            reports: Vec::new(),
        };
        let session = Session {
            id: SessionId::from("cs_1"),
            event: SessionEvent::Completed,
            mode: SessionMode::Payment,
            payment_status: PaymentStatus::Paid,
            customer: Some(CustomerId::from("cus_1")),
            email: None,
            name: None,
            payment_intent: None,
            subscription: None,
            invoice: None,
            wants,
            locale: None,
            amount: None,
            currency: None,
            line_items: Vec::new(),
            line_items_cut: false,
        };
        case.hear(FactBody::Session(Box::new(session)));
        case
    }

    fn with_context<T>(&mut self, with: impl FnOnce(&mut Machine, &DecisionContext<'_>) -> T) -> T {
        let context = DecisionContext {
            revisions: &self.revisions,
            now: self.now,
            abilities: &self.abilities,
            customer: self.customer.as_ref(),
            store_since: None,
            gaps: &[],
            jitter: 500,
            under_way: &[],
            stops_held: None,
            brakes: crate::domain::holding::Brakes::none(),
        };
        with(&mut self.machine, &context)
    }

    fn reconcile(&mut self) {
        let settled = self.with_context(reconcile);
        self.reports
            .extend(settled.reports.into_iter().map(|r| r.finding));
    }

    fn hear(&mut self, body: FactBody) {
        let id = format!("evt_{}", self.machine.facts.len()).as_str().into();
        self.machine.facts.push(Fact {
            id,
            kind: "test".to_owned(),
            at: self.now,
            received: self.now,
            body,
            chain: None,
        });
        self.reconcile();
    }

    fn sold(&mut self, prices: &[&str]) {
        let price = |p: &&str| Priced {
            id: Some(PriceId::from(*p)),
            ..Priced::default()
        };
        let line = |p| Bought {
            line: None,
            price: price(p),
            quantity: 1,
        };
        let lines = prices.iter().map(line).collect();
        self.hear(FactBody::LineItems(LineItems {
            session: SessionId::from("cs_1"),
            lines,
        }));
    }

    fn came(&mut self, act: &str, came: &Outcome) {
        let id = self
            .machine
            .actions
            .iter()
            .rfind(|a| a.act.as_str() == act)
            .unwrap()
            .id;
        let now = self.now;
        self.with_context(|m, context| outcome(m, id, came, now, context));
        self.reconcile();
    }

    fn later(&mut self, span: Span) {
        self.now = self.now + span;
        self.reconcile();
    }

    /// Its work in short: `look_up pending, create_license done`.
    fn work(&self) -> String {
        let word = |a: &Action| format!("{} {}", a.act.as_str(), a.outcome.as_str());
        self.machine
            .actions
            .iter()
            .map(word)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

#[test]
fn what_a_session_sold_is_asked_once_and_handed_out() {
    let mut case = Case::new(Wants::default());
    case.reconcile();
    assert_eq!(case.work(), "look_up pending");
    assert_eq!(
        case.machine.actions[0].act.question(),
        Some(&Question::LineItems(SessionId::from("cs_1")))
    );
    case.later(Span::from_hours(9));
    assert_eq!(
        case.reports,
        Vec::<Finding>::new(),
        "it waits for the answer"
    );
    case.sold(&["price_tool"]);
    assert_eq!(case.work(), "look_up done, create_license pending");
    assert_eq!(case.reports, Vec::<Finding>::new());
}

#[test]
fn an_answer_that_names_no_plan_is_told() {
    let mut case = Case::new(Wants::default());
    case.sold(&["price_sticker"]);
    assert_eq!(case.work(), "look_up done");
    assert_eq!(case.reports, [Finding::NothingToHandOut]);
}

#[test]
fn nothing_is_asked_that_is_known_or_cannot_be_asked() {
    let named = Case::new(Wants {
        app_id: Some("app".to_owned()),
        ..Wants::default()
    });
    assert_eq!(named.work(), "create_license pending");
    let mut deaf = Case::new(Wants::default());
    deaf.abilities.can_query = false;
    deaf.reconcile();
    assert_eq!(deaf.work(), "look_up superseded", "the key was taken away");
    deaf.later(Span::from_minutes(11));
    assert_eq!(deaf.reports, [Finding::NothingToHandOut]);
    deaf.abilities.can_query = true;
    deaf.reconcile();
    assert_eq!(
        deaf.work(),
        "look_up superseded, look_up pending",
        "and given back"
    );
}

#[test]
fn a_refusal_is_told_and_not_asked_again_until_somebody_says_so() {
    let mut case = Case::new(Wants::default());
    let slow = Outcome::Refused {
        why: "403".to_owned(),
        scope: RefusalScope::Service,
    };
    case.came("look_up", &slow);
    assert_eq!(case.work(), "look_up pending");
    assert!(case.machine.actions[0].due > case.now + Span::from_minutes(2));
    case.came(
        "look_up",
        &Outcome::Again {
            after: Some(Span::from_s(9)),
            why: "429".to_owned(),
        },
    );
    assert!(case.machine.actions[0].due >= case.now + Span::from_s(9));
    case.came(
        "look_up",
        &Outcome::Refused {
            why: "404".to_owned(),
            scope: RefusalScope::Action,
        },
    );
    case.later(Span::from_hours(1));
    assert_eq!(case.work(), "look_up refused");
    assert_eq!(case.reports, [Finding::NothingToHandOut]);
    // What `keyward retry` does.
    case.machine.actions[0].outcome = ActionOutcome::Superseded;
    case.reconcile();
    assert_eq!(case.work(), "look_up superseded, look_up pending");
}

#[test]
fn an_address_is_asked_for_when_a_mail_needs_it() {
    let mut case = Case::new(Wants {
        app_id: Some("app".to_owned()),
        ..Wants::default()
    });
    let made = Confirmed {
        key: LicenseKey::new("KEY-1"),
        status: GrantStatus::Live,
        expires_at: None,
        devices: None,
        adopted: false,
        others: Vec::new(),
    };
    case.came("create_license", &Outcome::Done(made));
    assert_eq!(case.machine.notices[0].status, NoticeStatus::NoAddress);
    assert_eq!(case.work(), "create_license done, look_up pending");
    let told = |email: Option<&str>, deleted| Customer {
        livemode: None,
        id: CustomerId::from("cus_1"),
        at: BOUGHT,
        email: email.map(str::to_owned),
        name: None,
        locale: None,
        deleted,
    };
    case.customer = Some(told(None, true));
    case.reconcile();
    assert_eq!(
        case.work(),
        "create_license done, look_up done",
        "deleted there: nobody is asked again"
    );
    assert_eq!(case.machine.notices[0].status, NoticeStatus::NoAddress);
    case.customer = Some(told(Some("a@example.com"), false));
    case.reconcile();
    assert_eq!(case.machine.notices[0].status, NoticeStatus::Pending);
}

#[test]
fn an_answer_without_effect_is_not_asked_for_again() {
    let mut case = Case::new(Wants::default());
    case.came("look_up", &Outcome::Answered);
    assert_eq!(case.work(), "look_up done");
}
