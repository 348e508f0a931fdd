//! What one customer has of their own: it judges what happens while it is in force, and nothing else.

use super::*;
use crate::domain::customer_orders;
use crate::domain::policy::OnRefund;
use crate::domain::policy_override::PolicyOverride;
use crate::domain::standing::{Author, Standing, StandingOrder};

fn values(set: &[(&str, &str)]) -> PolicyOverride {
    let mut values = PolicyOverride::default();
    for (key, value) in set {
        values.set(key, value).unwrap();
    }
    values
}

fn own(set: &[(&str, &str)], until: Option<f64>) -> Verb {
    Verb::Override {
        values: values(set),
        until: until.map(day),
    }
}

fn paid_once() -> Case {
    let mut case = Case::subscription(|p| p.grace = Span::from_days(16));
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

#[test]
fn a_longer_grace_counts_for_failures_from_then_on() {
    let mut case = paid_once();
    case.decide(10.0, own(&[("grace", "40d")], None))
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(60.0)
        .is("grace: live 70")
        .on(71.0)
        .is("lapsed: suspended");
    // A grace that runs keeps its own end.
    let mut runs = paid_once();
    runs.failed(30.0, "in_2", 30.0, 60.0)
        .decide(31.0, own(&[("grace", "40d")], None))
        .on(47.0)
        .is("lapsed: suspended");
    // Until an instant, or until it is ended.
    for end in [None, Some(29.0)] {
        let mut over = paid_once();
        let until = end.map_or(Some(29.0), |_| None);
        over.decide(10.0, own(&[("grace", "40d")], until));
        if let Some(at) = end {
            over.decide(at, Verb::EndOverride);
        }
        over.failed(30.0, "in_2", 30.0, 60.0)
            .on(47.0)
            .is("lapsed: suspended");
    }
}

/// What is told late is judged by what was in force when it happened.
#[test]
fn what_happened_before_stays_as_it_was_judged() {
    let keep = || own(&[("on_refund", "keep")], Some(20.0));
    for (at, status) in [
        (9.0, "active: revoked"),
        (15.0, "active: live 33"),
        (20.0, "active: revoked"),
    ] {
        let mut case = paid_once();
        case.decide(10.0, keep());
        case.told_late(25.0, at, "refund.created", refund("re_1", "in_1", 1))
            .is(status);
        // The config's history and what is applied of it do not take it back.
        case.load(26.0, |r| r.policies[0].on_refund = OnRefund::Revoke);
        case.decide(27.0, Verb::ApplyRevision).is(status);
    }
}

/// Of two overrides of one key the later one counts, and when it is over the earlier one; other keys stay.
#[test]
fn a_later_override_goes_before_an_earlier_one_key_by_key() {
    let mut case = paid_once();
    case.decide(1.0, own(&[("grace", "40d"), ("on_refund", "keep")], None))
        .decide(2.0, own(&[("grace", "20d")], Some(45.0)))
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(51.0)
        .is("lapsed: suspended");
    case.paid(52.0, "in_2", 30.0, 60.0)
        .told(53.0, "refund.created", refund("re_1", "in_2", 1))
        .is("active: live 63");
    case.failed(60.0, "in_3", 60.0, 90.0)
        .on(99.0)
        .is("grace: live 100");
}

#[test]
fn whoever_is_not_to_be_written_to_is_not() {
    let mut case = paid_once();
    case.decide(1.0, own(&[("dunning_mail", "stripe")], None))
        .failed(30.0, "in_2", 30.0, 60.0)
        .on(40.0)
        .mails("license_issued 0");
}

/// An order for the customer reaches each purchase, also one that comes later, and another customer's not.
#[test]
fn what_is_ordered_for_a_customer_counts_for_later_purchases_too() {
    for (customer, ends) in [("cus_1", "grace: live 70"), ("cus_2", "lapsed: suspended")] {
        let mut case = Case::subscription(|_| {});
        case.standing.add(StandingOrder {
            what: Standing::Override {
                scope: case.machine.id.scope().clone(),
                customer: customer.into(),
                values: values(&[("grace", "40d")]),
                until: None,
            },
            by: Author::Person("ada".to_owned()),
            reason: "a large customer".to_owned(),
            at: day(-50.0),
        });
        case.since = Some(day(-20.0));
        case.paid(0.0, "in_1", 0.0, 30.0);
        let orders = case.standing.clone();
        for _ in 0..2 {
            customer_orders::hear(&mut case.machine, &orders, case.now);
        }
        let heard = case.machine.facts.iter().filter(|f| f.is_override());
        assert_eq!(heard.count(), usize::from(customer == "cus_1"), "once");
        assert_eq!(case.machine.first_told(), Some(day(0.0)));
        case.failed(30.0, "in_2", 30.0, 60.0).on(60.0).is(ends);
        assert_eq!(case.machine.licenses_created(), 1);
    }
}

/// What only its reading asked for stays held when the customer gets something of their own.
#[test]
fn an_adopted_purchase_stays_as_it_is() {
    let mut case = Case::subscription(|_| {});
    case.machine.adopted_at = Some(day(10.0));
    let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
    let paid = invoice("in_1", InvoiceEvent::Paid, lines);
    case.told_late(10.0, 0.0, "invoice.paid", paid);
    case.decide(11.0, own(&[("grace", "40d")], None))
        .acts("")
        .is("active:");
    case.decide(12.0, Verb::EndOverride).acts("").mails("");
}
