//! Observe mode, a paused service and adoption: what is held, and what becomes of it (rule 53).

mod aside;
mod awaited;
mod late;

use super::*;
use crate::domain::adoption::ADOPTED_PREFIX;
use crate::domain::change::Change;
use crate::domain::hold::Hold;
use crate::domain::holding::compare;
use crate::domain::operator::{Order, carry_out};
use crate::domain::policy::OnCancel;
use crate::domain::standing::{Author, Standing, StandingOrder};

impl Case {
    pub(super) fn order(&mut self, at: f64, what: Standing) -> &mut Self {
        self.on(at);
        let (by, reason) = (Author::Person("ada".to_owned()), "a test".to_owned());
        let order = StandingOrder {
            what,
            by,
            reason,
            at: day(at),
        };
        self.standing.add(order);
        self.reconcile();
        self
    }

    /// An order is given, and nothing due is carried out yet.
    fn ordered(&mut self, at: f64, what: Standing) {
        self.now = day(at);
        let order = StandingOrder {
            what,
            by: Author::Config,
            reason: String::new(),
            at: self.now,
        };
        self.standing.add(order);
        self.in_context(|machine, context| {
            reconcile(machine, context);
        });
    }

    /// A person lets go what is held.
    fn approved(&mut self) -> &mut Self {
        let order = Order::Approve {
            author: "ada".to_owned(),
            reason: "a test".to_owned(),
        };
        carry_out(&mut self.machine, None, &order, self.now);
        self.reconcile();
        self
    }

    /// A renewal that is paid.
    pub(super) fn renewed(&mut self, at: f64, id: &str, from: f64, to: f64) -> &mut Self {
        let lines = vec![line("si_1", "price_pro", 29, from, to)];
        self.told(at, "invoice.paid", invoice(id, InvoiceEvent::Paid, lines))
    }
}

fn observe() -> Standing {
    Standing::Observe { plan: None }
}

fn live() -> Standing {
    Standing::Live { plan: None }
}

/// What the one action that is held would change.
fn would_be(case: &Case) -> String {
    let mut actions = case.machine.actions.iter();
    let held = actions.find(|a| a.outcome == ActionOutcome::Held).unwrap();
    Change::of(&case.machine, held).unwrap().to_string()
}

fn observed() -> Case {
    let mut case = Case::subscription(|_| {});
    case.since = Some(day(-100.0));
    case.order(-1.0, observe());
    case.renewed(0.0, "in_1", 0.0, 30.0);
    case
}

/// Everything is decided, nothing is sent; what others made meanwhile is taken over, not made again, and nobody is written to.
#[test]
fn what_is_observed_is_held_and_others_licenses_are_taken_over() {
    let mut case = observed();
    case.holds(&[("create_license", Hold::Observed)])
        .is("active:")
        .acts("")
        .mails("");
    let new = format!("a license of the plan pro until {}", day(33.0));
    assert_eq!(would_be(&case), new);
    // The old handler has made it by the time of the next comparison.
    case.there = Some((GrantStatus::Live, Some(day(30.0)), Devices::Count(3)));
    compare(&mut case.machine, case.now);
    case.reconcile();
    case.is("active: live 30").acts("create").mails("");
    assert_eq!(case.machine.licenses_created(), 0);
    // It lasts as long as what was paid for: that the other handler knows no margin is no difference.
    case.holds(&[]);
    // A failed renewal, and its end, are the other handler's matter.
    case.failed(30.0, "in_2", 30.0, 60.0)
        .on(50.0)
        .mails("")
        .acts("create");
    case.renewed(50.0, "in_2", 30.0, 60.0)
        .holds(&[("extend_license", Hold::Observed)]);
    let longer = format!("until {}, is until {}", day(63.0), day(30.0));
    assert_eq!(would_be(&case), longer);
    case.order(51.0, live()).is("active: live 63").holds(&[]);
    case.renewed(60.0, "in_3", 60.0, 90.0)
        .is("active: live 93")
        .mails("");
    assert_eq!(case.machine.licenses_created(), 0);
}

/// Whoever bought under observation and got nothing from anybody gets a key when the shop goes live, after a recovery.
#[test]
fn what_nobody_made_is_made_when_it_goes_live() {
    let mut case = observed();
    case.order(3.0, live())
        .is("active: live 33")
        .acts("create")
        .mails("license_issued 3");
    assert_eq!(case.machine.licenses_created(), 1);
}

/// A license that the other handler made longer than we would is not cut when the shop goes live.
#[test]
fn going_live_takes_nothing_that_others_gave() {
    let mut case = observed();
    case.there = Some((GrantStatus::Live, Some(day(400.0)), Devices::Count(3)));
    case.order(3.0, live())
        .is("active: live 400")
        .acts("create");
    case.renewed(30.0, "in_2", 30.0, 60.0)
        .is("active: live 400");
}

/// Back to observation: what waits is held, what runs stays.
#[test]
fn a_shop_that_goes_back_to_observing_sends_nothing_more() {
    let mut case = Case::subscription(|_| {});
    case.renewed(0.0, "in_1", 0.0, 30.0).acts("create");
    case.order(5.0, observe());
    case.told(
        6.0,
        "charge.dispute.created",
        dispute("dp_1", "in_1", DisputeStatus::Open),
    );
    case.holds(&[("suspend_license", Hold::Observed)])
        .is("active: live 33");
    case.order(7.0, live())
        .acts("create check suspend")
        .is("active: suspended");
}

/// A plan alone can be observed.
#[test]
fn another_plan_is_live() {
    let mut case = Case::subscription(|_| {});
    case.order(-2.0, observe()).order(
        -1.0,
        Standing::Live {
            plan: Some("pro".into()),
        },
    );
    case.renewed(0.0, "in_1", 0.0, 30.0)
        .is("active: live 33")
        .mails("license_issued 0");
}

/// Nothing goes to a paused service, not even a recovery; then it goes on where it was.
#[test]
fn a_paused_service_is_not_asked() {
    let mut case = Case::subscription(|_| {});
    let service = "simulated".to_owned();
    case.order(
        -1.0,
        Standing::Pause {
            service: service.clone(),
        },
    );
    let paused = Hold::Paused {
        reason: "a test".to_owned(),
    };
    case.renewed(0.0, "in_1", 0.0, 30.0)
        .holds(&[("create_license", paused)])
        .acts("");
    case.order(0.1, Standing::Resume { service })
        .acts("create")
        .mails("license_issued 0.1");
}

/// Who bought while another program made licenses may have got his from it, also where that is told only after it stopped.
/// Who bought afterwards did not.
#[test]
fn what_was_sold_before_the_other_handler_stopped_is_looked_for_first() {
    for (bought, made_here) in [(1.0, 0), (6.0, 1)] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        let source = case.machine.source.clone();
        let other = Standing::OtherHandler {
            source: source.clone(),
        };
        case.order(-5.0, other)
            .order(5.0, Standing::Alone { source });
        let ends = Some(day(bought + 33.0));
        case.there = Some((GrantStatus::Live, ends, Devices::Count(3)));
        let lines = vec![line("si_1", "price_pro", 29, bought, bought + 30.0)];
        let paid = invoice("in_1", InvoiceEvent::Paid, lines);
        case.told_late(7.0, bought, "invoice.paid", paid);
        assert_eq!(case.machine.grants.len(), 1, "bought at {bought}");
        assert_eq!(case.machine.licenses_created(), made_here, "at {bought}");
    }
}

/// In the week after an adoption the old handler may still run. It hears of a sale when Keyward does, and takes its time.
#[test]
fn a_handler_that_is_slower_than_the_first_look_is_waited_for() {
    for (still_runs, made_here) in [(true, 0), (false, 1)] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        let source = case.machine.source.clone();
        if still_runs {
            case.order(-1.0, Standing::Adopted { source });
        }
        let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
        let paid = invoice("in_1", InvoiceEvent::Paid, lines);
        case.told_late(0.0001, 0.0, "invoice.paid", paid);
        case.there = Some((GrantStatus::Live, Some(day(33.0)), Devices::Count(3)));
        case.on(0.01);
        assert_eq!(case.machine.grants.len(), 1, "still runs: {still_runs}");
        assert_eq!(case.machine.licenses_created(), made_here, "{still_runs}");
    }
}

/// What only the reading of an adopted purchase asks for waits for a person; what is heard later is carried out.
#[test]
fn an_adopted_purchase_is_left_as_it_is_until_something_new_is_heard() {
    let mut case = Case::subscription(|_| {});
    case.machine.adopted_at = Some(day(10.0));
    let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    let paid = invoice("in_1", InvoiceEvent::Paid, lines);
    case.told_late(10.0, 0.0, "invoice.paid", paid);
    case.holds(&[("create_license", Hold::Adoption)])
        .acts("")
        .mails("");
    // Neither time nor a later look makes it go ahead; only a person does.
    case.on(29.0)
        .holds(&[("create_license", Hold::Adoption)])
        .mails("");
    case.renewed(30.0, "in_2", 30.0, 60.0);
    case.holds(&[("create_license", Hold::Adoption)])
        .is("active:")
        .mails("");
}

/// A license that others made ends with its period. At the turn the margin is given without asking, so that nobody who pays
/// stands before a closed door until the renewal is paid an hour later; whatever is more than that waits for a yes.
#[test]
fn at_the_turn_of_its_period_an_adopted_license_is_given_the_margin() {
    for (ends, held) in [(30.0, false), (20.0, true), (40.0, true)] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0);
        for fact in &mut case.machine.facts {
            fact.id = format!("{ADOPTED_PREFIX}{}", fact.id).as_str().into();
        }
        let grant = &mut case.machine.grants[0];
        (grant.adopted, grant.expires_at) = (true, Some(day(ends)));
        case.machine.adopted_at = Some(day(10.0));
        case.on(10.0).reconcile();
        let waits = [("extend_license", Hold::Adoption)];
        let waits = if held { &waits[..] } else { &[] };
        case.on(29.0).holds(waits);
        assert_eq!(case.machine.grants[0].expires_at, Some(day(ends)));
        case.on(30.0).holds(waits);
        let until = case.machine.grants[0].expires_at;
        assert_eq!(until, Some(day(if held { ends } else { 33.0 })));
    }
}

/// Of a purchase that was heard of before its history was read, time that it is owed is given: an event may have asked for it.
/// What takes something waits for a person all the same, and so does everything of one that was only read.
#[test]
fn what_gives_time_to_a_purchase_that_was_heard_of_is_not_held_by_its_adoption() {
    let read = |case: &mut Case, kind: &str, body: FactBody| {
        let id = format!("{ADOPTED_PREFIX}{}", case.machine.facts.len());
        let fact = Fact {
            id: id.as_str().into(),
            kind: kind.to_owned(),
            at: case.now,
            received: case.now,
            body,
            chain: None,
        };
        add_fact(&mut case.machine, &fact);
        case.reconcile();
    };
    for heard in [true, false] {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 30.0).is("active: live 33");
        if !heard {
            for fact in &mut case.machine.facts {
                fact.id = format!("{ADOPTED_PREFIX}{}", fact.id).as_str().into();
            }
        }
        case.on(29.0);
        case.machine.adopted_at = Some(case.now);
        let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
        let paid = invoice("in_2", InvoiceEvent::Paid, lines);
        read(&mut case, "invoice.paid", paid);
        if heard {
            case.holds(&[]).acts("create extend");
        } else {
            case.holds(&[("extend_license", Hold::Adoption)]);
        }
        let mut ended = snapshot(0.0, 30.0, |_| {});
        if let FactBody::Subscription(s) = &mut ended {
            (s.status, s.ended_at) = (SubscriptionStatus::Canceled, Some(case.now));
            s.event = SubscriptionEvent::Deleted;
        }
        case.revisions[0].policies[0].on_cancel = OnCancel::Now;
        read(&mut case, "customer.subscription.deleted", ended);
        let held = case
            .machine
            .actions
            .iter()
            .filter(|a| a.held == Some(Hold::Adoption));
        assert!(held.count() > 0, "an end is held, heard: {heard}");
        assert!(case.machine.grants[0].live_at(case.now), "heard: {heard}");
    }
}

/// Who approves does not know what others have made since the last comparison: the license is looked for first.
#[test]
fn a_create_that_is_approved_while_it_is_observed_is_looked_for_first() {
    for made in [false, true] {
        let mut case = observed();
        case.holds(&[("create_license", Hold::Observed)]);
        case.there = made.then_some((GrantStatus::Live, Some(day(33.0)), Devices::Count(3)));
        case.approved().is("active: live 33");
        assert_eq!(case.machine.licenses_created(), usize::from(!made));
    }
}

/// A recovery that began before the shop went live may have missed what the old handler made until then.
#[test]
fn a_look_from_before_going_live_does_not_count() {
    let mut case = observed();
    case.now = day(2.9);
    compare(&mut case.machine, case.now);
    case.ordered(3.0, live());
    let create = case.machine.actions.iter().find(|a| a.act.creates());
    let phase = create.map(|a| a.phase);
    let anew = CreatePhase::Recover {
        since: day(3.0),
        absent: 1,
        any_age: true,
    };
    assert_eq!(phase, Some(anew));
}

/// A purchase without any license follows the whole shop: nobody is written to about it.
#[test]
fn nobody_is_written_to_about_a_purchase_that_has_no_license() {
    let mut case = Case::subscription(|_| {});
    case.order(-1.0, observe());
    for (at, id) in [(0.0, "in_1"), (30.0, "in_2")] {
        let lines = vec![line("si_1", "price_other", 29, at, at + 30.0)];
        let paid = invoice(id, InvoiceEvent::Paid, lines);
        case.told(at, "invoice.paid", paid);
    }
    let lines = vec![line("si_1", "price_other", 29, 60.0, 90.0)];
    let failed = invoice("in_3", InvoiceEvent::PaymentFailed, lines);
    case.told(60.0, "invoice.payment_failed", failed);
    case.on(80.0).mails("");
}
