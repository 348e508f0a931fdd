//! What each policy key does when it does not have its default (section K).

use super::*;
use crate::domain::policy::{
    AtGraceEnd, DunningMail, OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, OnPartialRefund,
    OnRefund, Trial,
};

fn bought(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::purchase(change);
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .is("paid: live for life");
    case
}

fn failing(change: impl FnOnce(&mut Policy)) -> Case {
    let mut case = Case::subscription(change);
    case.paid(0.0, "in_1", 0.0, 30.0)
        .failed(30.0, "in_2", 30.0, 60.0);
    case
}

#[test]
fn refunds_do_what_the_policy_says() {
    let refunded = |change: fn(&mut Policy), amount| {
        let mut case = bought(change);
        case.told(1.0, "refund.created", refund("re_1", "cs_1", amount));
        case
    };
    refunded(|p| p.on_refund = OnRefund::Keep, 100).is("refunded: live for life");
    refunded(|p| p.on_partial_refund = OnPartialRefund::Revoke, 1).is("partly_refunded: revoked");
    refunded(|p| p.on_partial_refund = OnPartialRefund::Keep, 99)
        .is("partly_refunded: live for life");
    // Several events of one refund, and the charge's own word, count once.
    let mut once = refunded(|_| {}, 100);
    once.told(1.1, "charge.refunded", charge(100)).told(
        1.2,
        "refund.updated",
        refund("re_1", "cs_1", 100),
    );
    once.on(9.0)
        .is("refunded: revoked")
        .acts("create revoke")
        .mails("license_issued 0, refunded 1.01");
}

#[test]
fn disputes_do_what_the_policy_says() {
    let disputed = |change: fn(&mut Policy), statuses: &[DisputeStatus]| {
        let mut case = bought(change);
        for (n, status) in (1..).zip(statuses) {
            case.told(
                f64::from(n),
                "charge.dispute.updated",
                dispute("dp_1", "cs_1", *status),
            );
        }
        case
    };
    let (open, won, lost) = (DisputeStatus::Open, DisputeStatus::Won, DisputeStatus::Lost);
    disputed(|p| p.on_dispute = OnDispute::Keep, &[open]).is("paid: live for life");
    disputed(|p| p.on_dispute = OnDispute::Keep, &[open, lost]).is("paid: revoked");
    disputed(|p| p.on_dispute_won = OnDisputeWon::Keep, &[open, won]).is("paid: suspended");
    disputed(|p| p.on_dispute_lost = OnDisputeLost::Keep, &[open, lost]).is("paid: live for life");
    let (inquiry, closed) = (DisputeStatus::Inquiry, DisputeStatus::InquiryClosed);
    disputed(|p| p.on_inquiry = OnInquiry::Suspend, &[inquiry]).is("paid: suspended");
    disputed(|p| p.on_inquiry = OnInquiry::Suspend, &[inquiry, closed]).is("paid: live for life");
    disputed(|_| {}, &[inquiry, open, closed]).is("paid: live for life");
}

#[test]
fn spans_are_those_of_the_policy() {
    let mut short = failing(|p| {
        (p.grace, p.reminders) = (Span::from_days(5), vec![Span::ZERO, Span::from_days(2)])
    });
    short.is("grace: live 35").on(40.0).is("lapsed: suspended");
    short.mails("license_issued 0, payment_failed 30.01, grace_ending 32, suspended 35.01");
    let mut silent = failing(|p| p.reminders = Vec::new());
    silent.on(40.0).mails("license_issued 0");
    let mut at_once = failing(|p| p.notice_delay = Span::ZERO);
    at_once
        .on(30.0)
        .mails("license_issued 0, payment_failed 30");
    let mut none = Case::subscription(|p| p.expiry_margin = Span::ZERO);
    none.paid(0.0, "in_1", 0.0, 30.0)
        .is("active: live 30")
        .on(30.0)
        .is("active: expired");
    none.paid(30.1, "in_2", 30.0, 60.0)
        .is("active: live 60")
        .acts("create extend")
        .mails("license_issued 0");
    let mut slow = Case::subscription(|p| p.processing_margin = Span::from_days(5));
    let open = invoice(
        "in_2",
        InvoiceEvent::Finalized,
        vec![line("si_1", "price_pro", 29, 30.0, 60.0)],
    );
    slow.paid(0.0, "in_1", 0.0, 30.0)
        .told(30.0, "invoice.finalized", open)
        .on(34.0)
        .is("active: live 35");
}

#[test]
fn the_other_choices_are_kept_apart() {
    failing(|p| p.at_grace_end = AtGraceEnd::Revoke)
        .on(50.0)
        .is("lapsed: revoked");
    failing(|p| p.at_grace_end = AtGraceEnd::Keep)
        .on(50.0)
        .is("lapsed: live 106");
    failing(|p| p.dunning_mail = DunningMail::Stripe)
        .on(50.0)
        .mails("license_issued 0, suspended 46.01");
    let trial = |s: &mut Subscription| {
        (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(14.0)))
    };
    let on_trial = |trial_gives| {
        let mut case = Case::subscription(|p| p.trial = trial_gives);
        case.shown(0.0, 0.0, 14.0, trial);
        case
    };
    on_trial(Trial::License).is("trialing: live 17");
    on_trial(Trial::None).is("trialing:");
}

#[test]
fn plans_are_found_by_price_lookup_key_product_and_rest() {
    let named = |name: &str, change: fn(&mut Plan)| {
        let mut made = plan(name, "price_of_nobody");
        change(&mut made);
        made
    };
    let plans = vec![
        named("rest", |p| p.prices = vec!["*".into()]),
        named("product", |p| p.products = vec!["prod_1".into()]),
        named("key", |p| p.lookup_keys = vec!["monthly".to_owned()]),
        plan("price", "price_1"),
    ];
    let revisions = Revisions::always(plans, Vec::new());
    let found = |id: &str, key: Option<&str>, product: &str| {
        let price = Priced {
            id: Some(id.into()),
            lookup_key: key.map(str::to_owned),
            product: Some(product.into()),
        };
        revisions
            .plan_for(&price, day(0.0))
            .unwrap()
            .name
            .as_str()
            .to_owned()
    };
    assert_eq!(found("price_1", Some("monthly"), "prod_1"), "price");
    assert_eq!(found("price_2", Some("monthly"), "prod_1"), "key");
    assert_eq!(found("price_2", Some("yearly"), "prod_1"), "product");
    assert_eq!(found("price_2", None, "prod_2"), "rest");
}

#[test]
fn a_plan_is_judged_by_its_policy() {
    let policy = |name: &str, days| Policy {
        name: name.into(),
        grace: Span::from_days(days),
        ..Policy::default()
    };
    let mut hard = plan("hard", "price_hard");
    hard.policy = Some("hard".into());
    let revisions =
        |policies| Revisions::always(vec![hard.clone(), plan("pro", "price_pro")], policies);
    let both = revisions(vec![policy("standard", 9), policy("hard", 1)]);
    let grace =
        |revisions: &Revisions, plan: &str| revisions.policy(Some(&plan.into()), day(0.0)).grace;
    assert_eq!(grace(&both, "hard"), Span::from_days(1));
    assert_eq!(grace(&both, "pro"), Span::from_days(9));
    assert_eq!(
        grace(&revisions(Vec::new()), "pro"),
        Policy::default().grace
    );
}

#[test]
fn a_template_becomes_licenses() {
    let made = |change: fn(&mut Plan), quantity| {
        let mut case = Case::subscription(|_| {});
        case.load(-1.0, |r| change(&mut r.plans[0]));
        case.paid(0.0, "in_1", 0.0, 30.0)
            .shown(0.0, 0.0, 30.0, |s| s.items[0].quantity = Some(quantity));
        let of = |g: &crate::domain::machine::Grant| {
            (g.devices, g.app_id.as_ref().map(|a| a.as_str().to_owned()))
        };
        case.machine
            .grants
            .iter()
            .filter(|g| g.status == GrantStatus::Live)
            .map(of)
            .collect::<Vec<_>>()
    };
    assert_eq!(made(|_| {}, 1), [(Devices::Count(3), None)]);
    assert_eq!(
        made(|p| p.license.devices = Some(Devices::Unlimited), 1),
        [(Devices::Unlimited, None)]
    );
    assert_eq!(
        made(|p| p.license.devices_per_unit = Some(2), 4),
        [(Devices::Count(11), None)]
    );
    let app = (Devices::Count(3), Some("app_2".to_owned()));
    assert_eq!(made(|p| p.license.app_id = Some("app_2".into()), 1), [app]);
    let keys = |p: &mut Plan| p.seats = Seats::Keys;
    assert_eq!(
        made(keys, 2),
        [(Devices::Count(3), None), (Devices::Count(3), None)]
    );
}
