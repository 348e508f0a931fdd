//! Made-up lives whose outcome is known beforehand: a monthly subscription whose renewals are paid, fail and recover, or
//! fail for good, and a purchase with refunds and a dispute. What should come out is worked out here in a few lines that
//! know nothing of the code, and compared at a random instant.

use keyward::domain::machine::LicenseStatus;
use keyward::domain::time::{Span, Timestamp};
use keyward::sim::{ReplayReport, Simulation};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::replay;

const BEGIN: i64 = 1_767_607_200;
const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;

/// What becomes of one renewal.
#[derive(Clone, Copy, Debug)]
enum Renewal {
    Paid,
    /// It fails, fails again, and is paid after so many days.
    FailedThenPaid(i64),
    /// It fails, and nobody ever pays.
    Failed,
}

/// An event with when it is so and how long it takes to reach us.
#[derive(Clone, Debug)]
struct Told {
    at: i64,
    delay: i64,
    event: Value,
    means: Means,
}

#[derive(Clone, Copy, Debug)]
enum Means {
    Paid { end: i64 },
    Failed,
    Other,
}

fn renewal() -> impl Strategy<Value = Renewal> {
    prop_oneof![
        3 => Just(Renewal::Paid),
        3 => (0..29_i64).prop_map(Renewal::FailedThenPaid),
        1 => Just(Renewal::Failed),
    ]
}

fn delay() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0), 1 => 0..3_600_i64, 1 => 0..(20 * DAY)]
}

fn event(n: usize, kind: &str, at: i64, object: &Value) -> Value {
    json!({"id": format!("evt_{n}"), "object": "event", "type": kind, "created": at, "livemode": true,
        "api_version": "2025-09-30.clover", "data": {"object": object}})
}

fn subscription(start: i64, status: &str) -> Value {
    json!({"id": "sub_1", "object": "subscription", "status": status, "customer": "cus_1", "metadata": {},
        "collection_method": "charge_automatically", "start_date": BEGIN,
        "items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "price_pro_monthly", "product": "prod_pro"},
            "current_period_start": start, "current_period_end": start + MONTH}]}})
}

fn invoice(k: i64, paid: bool) -> Value {
    let start = BEGIN + k * MONTH;
    json!({"id": format!("in_{k}"), "object": "invoice", "status": if paid { "paid" } else { "open" },
        "billing_reason": if k == 0 { "subscription_create" } else { "subscription_cycle" }, "currency": "usd",
        "customer": "cus_1", "customer_email": "ada@example.com", "total": 2900, "amount_due": 2900,
        "collection_method": "charge_automatically",
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
        "lines": {"data": [{"id": format!("il_{k}"), "amount": 2900, "quantity": 1,
            "period": {"start": start, "end": start + MONTH},
            "pricing": {"type": "price_details", "price_details": {"price": "price_pro_monthly", "product": "prod_pro"}},
            "parent": {"type": "subscription_item_details", "subscription_item_details":
                {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}}}]}})
}

/// The events of a life, in the order in which they happen.
fn life(renewals: &[Renewal], delays: &[i64]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut tell = |kind: &str, at: i64, object: Value, means: Means| {
        let n = told.len();
        // How it began is heard at once: what only a snapshot tells is another test's.
        let delay = if n < 2 { 0 } else { delays[n % delays.len()] };
        told.push(Told {
            at,
            delay,
            event: event(n, kind, at, &object),
            means,
        });
    };
    tell(
        "customer.subscription.created",
        BEGIN,
        subscription(BEGIN, "active"),
        Means::Other,
    );
    tell(
        "invoice.paid",
        BEGIN + 1,
        invoice(0, true),
        Means::Paid { end: BEGIN + MONTH },
    );
    for (renewal, k) in renewals.iter().zip(1..) {
        renew(renewal, k, &mut tell);
        if matches!(renewal, Renewal::Failed) {
            break;
        }
    }
    told
}

/// The events of one renewal, the k-th.
fn renew(renewal: &Renewal, k: i64, tell: &mut impl FnMut(&str, i64, Value, Means)) {
    let turn = BEGIN + k * MONTH;
    tell(
        "customer.subscription.updated",
        turn,
        subscription(turn, "active"),
        Means::Other,
    );
    let pay = Means::Paid { end: turn + MONTH };
    match renewal {
        Renewal::Paid => tell("invoice.paid", turn + 3_600, invoice(k, true), pay),
        Renewal::FailedThenPaid(days) => {
            tell(
                "invoice.payment_failed",
                turn + 3_600,
                invoice(k, false),
                Means::Failed,
            );
            tell(
                "customer.subscription.updated",
                turn + 3_601,
                subscription(turn, "past_due"),
                Means::Failed,
            );
            if *days > 3 {
                tell(
                    "invoice.payment_failed",
                    turn + 3 * DAY,
                    invoice(k, false),
                    Means::Failed,
                );
            }
            tell(
                "invoice.paid",
                turn + 7_200 + days * DAY,
                invoice(k, true),
                pay,
            );
        }
        Renewal::Failed => {
            tell(
                "invoice.payment_failed",
                turn + 3_600,
                invoice(k, false),
                Means::Failed,
            );
            tell(
                "customer.subscription.updated",
                turn + 3_601,
                subscription(turn, "past_due"),
                Means::Failed,
            );
        }
    }
}

/// Until when the license works by what is known, and whether it was stopped before.
fn truth(told: &[Told], now: i64) -> (i64, bool) {
    let mut known: Vec<&Told> = told.iter().filter(|t| t.at + t.delay <= now).collect();
    known.sort_by_key(|t| t.at);
    let (mut paid_end, mut failed_at) = (0, None);
    for fact in known {
        match fact.means {
            Means::Paid { end } => {
                paid_end = paid_end.max(end);
                if paid_end > fact.at {
                    failed_at = None;
                }
            }
            Means::Failed if failed_at.is_none() && paid_end <= fact.at => {
                failed_at = Some(fact.at)
            }
            Means::Failed | Means::Other => {}
        }
    }
    match failed_at.map(|at| at + 16 * DAY) {
        Some(grace_end) if now >= grace_end => (0, true),
        Some(grace_end) => (grace_end.max(paid_end + 3 * DAY), false),
        None => (paid_end + 3 * DAY, false),
    }
}

fn play(told: &[Told], until: i64, seed: Option<u64>) -> (Simulation, ReplayReport) {
    let mut told: Vec<&Told> = told.iter().collect();
    told.sort_by_key(|t| t.at + t.delay);
    let line = |t: &&Told| json!({"received_at": t.at + t.delay, "event": t.event}).to_string();
    let text: Vec<String> = told.iter().map(line).collect();
    let text = text.join("\n");
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/histories/keyward.toml");
    replay::answered(
        "a made-up life",
        &text,
        replay::rules(&root),
        Some(Timestamp::from_s(until)),
        seed,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    /// Nobody known to be paid is without a license, nobody is stopped before the promised grace, nobody keeps one longer.
    #[test]
    fn a_license_works_exactly_as_long_as_promised(
        renewals in proptest::collection::vec(renewal(), 0..5),
        delays in proptest::collection::vec(delay(), 1..12),
        at in 0..(170 * DAY),
        seed in proptest::option::of(0..1000_u64),
    ) {
        let told = life(&renewals, &delays);
        let now = BEGIN + 600 + at;
        let (until, stopped) = truth(&told, now);
        let (world, answer) = play(&told, now, None);
        let licenses = &answer.machines[0].licenses;
        prop_assert_eq!(licenses.len(), 1);
        let story = keyward::sim::timeline::text(&answer);
        let ran = if until > now { LicenseStatus::Live } else { LicenseStatus::Expired };
        let expected = if stopped { LicenseStatus::Suspended } else { ran };
        // One that was stopped and whose time is over by now stays stopped.
        let stays = expected == LicenseStatus::Expired && licenses[0].status == LicenseStatus::Suspended;
        prop_assert!(stays || licenses[0].status == expected, "until {}\n{}", Timestamp::from_s(until), story);
        if expected == LicenseStatus::Live {
            prop_assert_eq!(licenses[0].expires_at, Some(Timestamp::from_s(until)), "{}", story);
        }
        // The same with a service that errs: it may take a while, but it ends alike, and with one license.
        if let Some(seed) = seed {
            let (mut faulty, _) = play(&told, now, Some(seed));
            let later = Timestamp::from_s(now) + Span::from_hours(1);
            faulty.advance(later).unwrap();
            let mut calm = world;
            calm.advance(later).unwrap();
            // What ran out while the service erred is not extended any more: the exact end may differ.
            let of = |w: &Simulation| {
                let l = ReplayReport::of(w).unwrap().machines[0].licenses[0].clone();
                (l.status, (l.status == LicenseStatus::Live).then_some(l.expires_at), l.devices)
            };
            prop_assert_eq!(of(&faulty), of(&calm), "seed {}", seed);
            prop_assert_eq!(faulty.licenses.all.len(), 1, "seed {}", seed);
        }
    }

    /// A purchase ends without a live license when all its money went back or its dispute was lost, else with one.
    #[test]
    fn money_back_ends_a_purchase(
        parts in proptest::collection::vec((1..30_i64, any::<bool>()), 0..5),
        dispute in 0..4_usize,
        delays in proptest::collection::vec(delay(), 1..8),
    ) {
        let mut told = vec![("checkout.session.completed", BEGIN, json!({"id": "cs_1", "object": "checkout.session",
            "mode": "payment", "status": "complete", "payment_status": "paid", "payment_intent": "pi_1",
            "amount_total": 50, "currency": "usd", "metadata": {"authforge_app_id": "app"},
            "customer_details": {"email": "grace@example.com"}}))];
        let (mut back, mut at) = (0, BEGIN + DAY);
        for (n, (amount, fails)) in parts.iter().enumerate() {
            let amount = (*amount).min(50 - back);
            if amount == 0 { break }
            let refund = |status: &str| json!({"id": format!("re_{n}"), "object": "refund", "payment_intent": "pi_1",
                "charge": "ch_1", "amount": amount, "currency": "usd", "status": status});
            told.push(("refund.created", at, refund("succeeded")));
            if *fails {
                told.push(("refund.failed", at + 3_600, refund("failed")));
            } else {
                back += amount;
            }
            at += DAY;
        }
        let statuses: [&[&str]; 4] = [&[], &["needs_response"], &["needs_response", "lost"], &["needs_response", "won"]];
        for status in statuses[dispute] {
            told.push(("charge.dispute.updated", at, json!({"id": "dp_1", "object": "dispute", "payment_intent": "pi_1",
                "charge": "ch_1", "amount": 50, "currency": "usd", "status": status})));
            at += DAY;
        }
        let told: Vec<Told> = told.iter().enumerate().map(|(n, (kind, at, object))| Told {
            at: *at, delay: delays[n % delays.len()], event: event(n, kind, *at, object), means: Means::Other,
        }).collect();
        let (_, answer) = play(&told, at + 40 * DAY, None);
        let live = answer.machines[0].licenses.iter().filter(|l| l.status == LicenseStatus::Live).count();
        let wanted = usize::from(back < 50 && !matches!(dispute, 1 | 2));
        prop_assert_eq!(live, wanted, "{}", keyward::sim::timeline::text(&answer));
        prop_assert!(answer.parked.is_empty());
    }
}

/// A session, its invoice, the payment of both, and its refund.
fn one_purchase() -> [Value; 4] {
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_1", "amount_total": 2900, "currency": "usd",
        "metadata": {"plan": "tool"}, "customer_details": {"email": "grace@example.com"}});
    let mut bill = invoice(0, true);
    bill["id"] = json!("in_1");
    bill["billing_reason"] = json!("manual");
    bill["parent"] = Value::Null;
    bill["lines"]["data"][0]["parent"] = Value::Null;
    bill["lines"]["data"][0]["pricing"]["price_details"]["price"] = json!("price_tool_lifetime");
    let payment = json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid",
        "amount_paid": 2900, "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let refund = json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": 2900,
        "currency": "usd", "status": "succeeded"});
    [session, bill, payment, refund]
}

/// A session, the invoice that was made of it, and what alone links the two: in whatever order, served in between or not,
/// there is one purchase with one license that works, and a refund ends it.
#[test]
fn a_session_and_its_invoice_are_one_purchase_however_late_that_is_told() {
    let [session, bill, payment, refund] = one_purchase();
    let kinds = [
        ("checkout.session.completed", &session),
        ("invoice.paid", &bill),
        ("invoice_payment.paid", &payment),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (order, gap, seed) in each_way(&orders) {
        let mut told: Vec<Told> = (0..)
            .zip(order)
            .map(|(place, n)| {
                let (kind, object) = kinds[n];
                let delay = place * gap;
                Told {
                    at: BEGIN,
                    delay,
                    event: event(n, kind, BEGIN, object),
                    means: Means::Other,
                }
            })
            .collect();
        let (_, answer) = play(&told, BEGIN + 10 * DAY, seed);
        let story = format!(
            "{order:?}, {gap} s apart, {seed:?}\n{}",
            keyward::sim::timeline::text(&answer)
        );
        let ids: Vec<&str> = answer.machines.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids, ["stripe/cs_1"], "{story}");
        let live = |a: &ReplayReport| {
            a.machines[0]
                .licenses
                .iter()
                .filter(|l| l.status == LicenseStatus::Live)
                .count()
        };
        assert_eq!(live(&answer), 1, "{story}");
        // Served under both names before anything linked them, a second one cannot be helped.
        let unlinked = order[2] == 2;
        assert_eq!(
            answer.machines[0].licenses_created,
            if unlinked { 2 } else { 1 },
            "{story}"
        );
        let (at, kind) = (BEGIN + 11 * DAY, "refund.created");
        told.push(Told {
            at,
            delay: 0,
            event: event(9, kind, at, &refund),
            means: Means::Other,
        });
        let (_, answer) = play(&told, BEGIN + 20 * DAY, seed);
        assert_eq!(
            live(&answer),
            0,
            "{}",
            keyward::sim::timeline::text(&answer)
        );
    }
}

/// Every order, at once or a day apart, with a service that works or errs.
fn each_way(orders: &[[usize; 3]]) -> impl Iterator<Item = ([usize; 3], i64, Option<u64>)> {
    let each = |order: &[usize; 3]| {
        let order = *order;
        [0, DAY]
            .into_iter()
            .flat_map(move |gap| [None, Some(1), Some(2)].map(|seed| (order, gap, seed)))
    };
    orders.iter().flat_map(each)
}
