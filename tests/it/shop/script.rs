//! What happens in a made-up shop: purchases, and for each the steps that people and banks take, as plain data that shrinks and that can be kept.
//!
//! A step that does not apply (a refund when nothing was paid) is skipped by the small Stripe, so every part of a script is a script.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::kinds::{Kind, open};
use super::policy::{Policy, any_policy};

/// A shop, how its events reach us, and when it is looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shop {
    pub(crate) policy: Policy,
    pub(crate) purchases: Vec<Purchase>,
    pub(crate) delivery: Delivery,
    /// Each picks an event and a number of hours after it.
    pub(crate) looks: Vec<(u16, u16)>,
}

/// How events reach us.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The shape of 2025-09-30.clover; else that of 2022-11-15.
    pub(crate) new_shape: bool,
    pub(crate) types: Types,
    /// Some events come up to three days late, some twice.
    pub(crate) late: bool,
    pub(crate) seed: u32,
}

/// Which types the endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Types {
    /// All that Keyward recommends.
    All,
    /// The four that a handler after AuthForge's guide serves: sessions, subscriptions created and deleted, paid invoices.
    Guide,
    /// Sessions and subscriptions, no invoice.
    Snapshots,
}

/// How somebody pays from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Method {
    Card,
    Declined,
    /// Wants 3-D Secure at every attempt off session.
    Secure,
    /// A bank debit that takes days, and comes through or not.
    Debit {
        days: u8,
        comes: bool,
    },
    None,
}

/// What Stripe does when all retries of a renewal failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GivesUp {
    Cancel,
    Unpaid,
    Leave,
}

/// One purchase and its life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Purchase {
    pub(crate) what: What,
    pub(crate) steps: Vec<Timed>,
}

/// What is bought, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Subscription {
        /// Price ids and quantities.
        items: Vec<(String, u64)>,
        checkout: bool,
        method: Method,
        trial_days: u8,
        /// Invoices are sent and due after so many days.
        sent: Option<u8>,
        retries: u8,
        gives_up: GivesUp,
        /// AuthForge's metadata: devices.
        metadata: Option<u64>,
        /// A set-up fee stands on the first invoice.
        fee: bool,
        /// Invoices are paid in two payments.
        halves: bool,
        /// Began so many days before it was made.
        backdated: u8,
    },
    Once {
        price: String,
        quantity: u64,
        told: Told,
        /// Days until a delayed method decides, and how.
        waits: Option<(u8, bool)>,
        free: bool,
    },
    /// A session that nobody finishes.
    Abandoned,
}

/// How a session says what it sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// `metadata.plan`.
    Plan,
    /// AuthForge's keys: days (0: for life) and devices.
    Guide { days: u16, devices: u64 },
    /// The answer of a look-up.
    Lines,
    /// Nothing.
    Nothing,
}

/// A step, so many hours after the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub(crate) hours: u16,
    pub(crate) step: Step,
}

/// When a change of items is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Billed {
    Now,
    Next,
    Never,
}

/// What becomes of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Done,
    PendingFor(u8),
    FailsAfter(u8),
}

/// What becomes of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Won,
    Lost,
    /// Lost, and won days later.
    LostThenWon,
    /// An inquiry that is closed.
    Closed,
    /// An inquiry that becomes a chargeback and is lost.
    Escalates,
    Open,
}

/// What somebody does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    PaysBy(Method),
    PayOpen {
        oldest: bool,
        out_of_band: bool,
    },
    WriteOff {
        void: bool,
    },
    CancelNow,
    CancelAtEnd,
    CancelAt {
        days: u8,
    },
    Undo,
    Refund {
        back: u8,
        percent: u8,
        fate: Fate,
    },
    Dispute {
        back: u8,
        days: u8,
        verdict: Verdict,
    },
    Change {
        which: u8,
        price: String,
        billed: Billed,
    },
    Swap {
        which: u8,
        price: String,
        billed: Billed,
    },
    Quantity {
        which: u8,
        quantity: u64,
        billed: Billed,
    },
    Add {
        price: String,
        quantity: u64,
        billed: Billed,
    },
    Remove {
        which: u8,
        billed: Billed,
    },
    Pause,
    Resume,
    Manual,
    Coupon(bool),
    AddTrial {
        days: u8,
    },
    Metadata,
    MoveLookup,
    ResetAnchor,
}

fn licensed() -> impl Strategy<Value = String> {
    let mut prices = vec![
        "price_solo_m",
        "price_pro_m",
        "price_team_m",
        "price_keys_m",
        "price_studio_m",
        "price_suite_m",
    ];
    if open(Kind::Yearly) {
        prices.extend(["price_solo_y", "price_suite_y"]);
    }
    if open(Kind::FreePlan) {
        prices.push("price_lite_m");
    }
    prop::sample::select(prices).prop_map(str::to_owned)
}

fn any_item_price() -> BoxedStrategy<String> {
    if !open(Kind::Unlicensed) {
        return licensed().boxed();
    }
    let others = prop::sample::select(vec!["price_addon_m", "price_usage_m", "price_free_m"]);
    prop_oneof![4 => licensed(), 1 => others.prop_map(str::to_owned)].boxed()
}

fn billed() -> impl Strategy<Value = Billed> {
    prop::sample::select(vec![Billed::Now, Billed::Next, Billed::Never])
}

fn method() -> impl Strategy<Value = Method> {
    let mut methods = vec![Just(Method::Card).boxed(), Just(Method::Declined).boxed()];
    if open(Kind::Secure) {
        methods.push(Just(Method::Secure).boxed());
    }
    if open(Kind::Debit) {
        methods.push(
            (2..20_u8, any::<bool>())
                .prop_map(|(days, comes)| Method::Debit { days, comes })
                .boxed(),
        );
    }
    prop::strategy::Union::new(methods)
}

fn refund() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![4 => Just(Fate::Done), 1 => (1..9_u8).prop_map(Fate::PendingFor), 1 => (1..9_u8).prop_map(Fate::FailsAfter)];
    (
        0..3_u8,
        prop::sample::select(vec![100_u8, 30, 50, 70]),
        fate,
    )
        .prop_map(|(back, percent, fate)| Step::Refund {
            back,
            percent,
            fate,
        })
}

fn dispute() -> impl Strategy<Value = Step> {
    let verdicts = [
        Verdict::Won,
        Verdict::Lost,
        Verdict::LostThenWon,
        Verdict::Closed,
        Verdict::Escalates,
        Verdict::Open,
    ];
    (0..3_u8, 1..70_u8, prop::sample::select(verdicts.to_vec())).prop_map(
        |(back, days, verdict)| Step::Dispute {
            back,
            days,
            verdict,
        },
    )
}

/// The steps whose kinds are open, each with its weight.
fn step() -> impl Strategy<Value = Step> {
    let mut steps: Vec<(u32, BoxedStrategy<Step>)> = vec![(1, Just(Step::Metadata).boxed())];
    let mut add = |kind: Kind, weight: u32, step: BoxedStrategy<Step>| {
        if open(kind) {
            steps.push((weight, step));
        }
    };
    add(Kind::Failing, 6, method().prop_map(Step::PaysBy).boxed());
    add(
        Kind::Failing,
        3,
        any::<(bool, bool)>()
            .prop_map(|(oldest, out_of_band)| Step::PayOpen {
                oldest,
                out_of_band,
            })
            .boxed(),
    );
    add(
        Kind::WriteOff,
        2,
        any::<bool>()
            .prop_map(|void| Step::WriteOff { void })
            .boxed(),
    );
    add(Kind::Cancel, 2, Just(Step::CancelNow).boxed());
    add(Kind::Cancel, 2, Just(Step::CancelAtEnd).boxed());
    add(
        Kind::CancelAt,
        1,
        (1..100_u8).prop_map(|days| Step::CancelAt { days }).boxed(),
    );
    add(Kind::Cancel, 2, Just(Step::Undo).boxed());
    add(Kind::Refund, 4, refund().boxed());
    add(Kind::Dispute, 3, dispute().boxed());
    add(
        Kind::Change,
        3,
        (0..4_u8, any_item_price(), billed())
            .prop_map(|(which, price, billed)| Step::Change {
                which,
                price,
                billed,
            })
            .boxed(),
    );
    add(
        Kind::Swap,
        2,
        (0..4_u8, any_item_price(), billed())
            .prop_map(|(which, price, billed)| Step::Swap {
                which,
                price,
                billed,
            })
            .boxed(),
    );
    add(
        Kind::Quantity,
        3,
        (0..4_u8, 0..5_u64, billed())
            .prop_map(|(which, quantity, billed)| Step::Quantity {
                which,
                quantity,
                billed,
            })
            .boxed(),
    );
    add(
        Kind::Add,
        2,
        (any_item_price(), 1..3_u64, billed())
            .prop_map(|(price, quantity, billed)| Step::Add {
                price,
                quantity,
                billed,
            })
            .boxed(),
    );
    add(
        Kind::Remove,
        2,
        (0..4_u8, billed())
            .prop_map(|(which, billed)| Step::Remove { which, billed })
            .boxed(),
    );
    add(Kind::Pause, 2, Just(Step::Pause).boxed());
    add(Kind::Pause, 2, Just(Step::Resume).boxed());
    add(Kind::Manual, 2, Just(Step::Manual).boxed());
    add(
        Kind::Coupon,
        2,
        any::<bool>().prop_map(Step::Coupon).boxed(),
    );
    add(
        Kind::AddTrial,
        1,
        (3..40_u8).prop_map(|days| Step::AddTrial { days }).boxed(),
    );
    add(Kind::MoveLookup, 1, Just(Step::MoveLookup).boxed());
    add(Kind::ResetAnchor, 1, Just(Step::ResetAnchor).boxed());
    prop::strategy::Union::new_weighted(steps)
}

fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Timed>> {
    let timed = (0..900_u16, step()).prop_map(|(hours, step)| Timed { hours, step });
    prop::collection::vec(timed, count)
}

fn subscription() -> impl Strategy<Value = What> {
    let more = if open(Kind::ManyItems) { 4 } else { 0 };
    let many = if open(Kind::CutLists) { 14 } else { 5 };
    let others = prop_oneof![6 => Just(0..=0_usize), 2 => Just(0..=more), 1 => Just(0..=if more == 0 { 0 } else { many })];
    let item = || (any_item_price(), 1..3_u64);
    let items = (
        licensed(),
        1..4_u64,
        others.prop_flat_map(move |range| prop::collection::vec(item(), range)),
        0..15_usize,
    )
        .prop_map(|(first, quantity, mut items, at)| {
            items.insert(at.min(items.len()), (first, quantity));
            let mut seen = Vec::new();
            items.retain(|(price, _)| {
                !seen.contains(price) && {
                    seen.push(price.clone());
                    true
                }
            });
            items
        });
    let trial = if open(Kind::Trial) {
        prop_oneof![3 => Just(0_u8), 1 => 3..40_u8].boxed()
    } else {
        Just(0).boxed()
    };
    let sent = if open(Kind::Sent) {
        prop_oneof![6 => Just(None), 1 => (3..40_u8).prop_map(Some)].boxed()
    } else {
        Just(None).boxed()
    };
    let gives_up = prop::sample::select(vec![GivesUp::Cancel, GivesUp::Unpaid, GivesUp::Leave]);
    let metadata = if open(Kind::Metadata) {
        prop_oneof![8 => Just(None), 1 => (1..6_u64).prop_map(Some)].boxed()
    } else {
        Just(None).boxed()
    };
    let first = prop_oneof![9 => Just(Method::Card).boxed(), 1 => method().boxed()];
    let backdated = if open(Kind::Backdated) {
        prop_oneof![9 => Just(0_u8), 1 => 1..25_u8].boxed()
    } else {
        Just(0).boxed()
    };
    let fee = if open(Kind::SetupFee) {
        prop::bool::weighted(0.2).boxed()
    } else {
        Just(false).boxed()
    };
    let halves = if open(Kind::TwoPayments) {
        prop::bool::weighted(0.2).boxed()
    } else {
        Just(false).boxed()
    };
    let extras = (metadata, backdated, fee, halves);
    (
        items,
        any::<bool>(),
        first,
        trial,
        sent,
        (1..5_u8, gives_up),
        extras,
    )
        .prop_map(
            |(
                items,
                checkout,
                method,
                trial_days,
                sent,
                (retries, gives_up),
                (metadata, backdated, fee, halves),
            )| {
                let backdated = if trial_days > 0 { 0 } else { backdated };
                What::Subscription {
                    items,
                    checkout,
                    method,
                    trial_days,
                    sent,
                    retries,
                    gives_up,
                    metadata,
                    fee,
                    halves,
                    backdated,
                }
            },
        )
}

fn once() -> impl Strategy<Value = What> {
    let told = prop_oneof![
        3 => Just(Told::Plan),
        3 => (0..400_u16, 1..9_u64).prop_map(|(days, devices)| Told::Guide { days, devices }),
        2 => Just(Told::Lines),
        1 => Just(Told::Nothing),
    ];
    let waits = prop_oneof![4 => Just(None), 1 => (1..9_u8, any::<bool>()).prop_map(Some)];
    let prices = vec![
        "price_tool".to_owned(),
        "price_pass".to_owned(),
        "price_float".to_owned(),
    ];
    (
        prop::sample::select(prices),
        1..4_u64,
        told,
        waits,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(price, quantity, told, waits, free)| What::Once {
            price,
            quantity,
            told,
            waits: waits.filter(|_| !free),
            free,
        })
}

fn purchase() -> impl Strategy<Value = Purchase> {
    let bought = (subscription(), steps(0..9)).prop_map(|(what, steps)| Purchase { what, steps });
    let once = (once(), steps(0..4)).prop_map(|(what, steps)| Purchase { what, steps });
    let abandoned = Just(Purchase {
        what: What::Abandoned,
        steps: Vec::new(),
    });
    prop_oneof![40 => bought, 10 => once, 1 => abandoned]
}

/// Any shop.
pub(crate) fn any_shop() -> impl Strategy<Value = Shop> {
    let types = if open(Kind::FewTypes) {
        prop_oneof![8 => Just(Types::All), 1 => Just(Types::Guide), 1 => Just(Types::Snapshots)]
            .boxed()
    } else {
        Just(Types::All).boxed()
    };
    let late = if open(Kind::Late) {
        prop::bool::weighted(0.25).boxed()
    } else {
        Just(false).boxed()
    };
    let delivery =
        (any::<bool>(), types, late, any::<u32>()).prop_map(|(new_shape, types, late, seed)| {
            Delivery {
                new_shape,
                types,
                late,
                seed,
            }
        });
    let looks = prop::collection::vec((any::<u16>(), 0..700_u16), 1..4);
    (
        any_policy(),
        prop::collection::vec(purchase(), 1..3),
        delivery,
        looks,
    )
        .prop_map(|(policy, purchases, delivery, looks)| Shop {
            policy,
            purchases,
            delivery,
            looks,
        })
}
