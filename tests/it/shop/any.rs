//! Any shop: scripts at random, as far as their kinds are open.

use proptest::prelude::*;

use super::kinds::{Kind, open};
use super::policy::any_policy;
use super::script::{
    Billed, Delivery, Fate, GivesUp, Method, Purchase, Shop, Step, Timed, Told, Types, Verdict,
    What, Word,
};

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

/// Steps with their weights, as far as their kinds are open.
#[derive(Default)]
struct Weighted(Vec<(u32, BoxedStrategy<Step>)>);

impl Weighted {
    fn add(&mut self, kind: Kind, weight: u32, step: impl Strategy<Value = Step> + 'static) {
        if open(kind) {
            self.0.push((weight, step.boxed()));
        }
    }

    /// How the customer pays, and what the vendor gives up or back.
    fn paying(&mut self) {
        let by = |(oldest, out_of_band)| Step::PayOpen {
            oldest,
            out_of_band,
        };
        self.add(Kind::Failing, 6, method().prop_map(Step::PaysBy));
        self.add(Kind::Failing, 3, any::<(bool, bool)>().prop_map(by));
        let written_off = any::<bool>().prop_map(|void| Step::WriteOff { void });
        self.add(Kind::WriteOff, 2, written_off);
        self.add(Kind::Refund, 4, refund());
        self.add(Kind::Dispute, 3, dispute());
        self.add(Kind::Manual, 2, Just(Step::Manual));
        self.add(Kind::Coupon, 2, any::<bool>().prop_map(Step::Coupon));
    }

    /// How a subscription ends, pauses, and begins anew.
    fn staying(&mut self) {
        self.add(Kind::Cancel, 2, Just(Step::CancelNow));
        self.add(Kind::Cancel, 2, Just(Step::CancelAtEnd));
        let later = (1..100_u8).prop_map(|days| Step::CancelAt { days });
        self.add(Kind::CancelAt, 1, later);
        self.add(Kind::Cancel, 2, Just(Step::Undo));
        self.add(Kind::Pause, 2, Just(Step::Pause));
        self.add(Kind::Pause, 2, Just(Step::Resume));
        let trial = (3..40_u8).prop_map(|days| Step::AddTrial { days });
        self.add(Kind::AddTrial, 1, trial);
        let again = prop_oneof![2 => Just(None), 1 => licensed().prop_map(Some)];
        let again = again.prop_map(|price| Step::Resubscribe { price });
        self.add(Kind::Resubscribe, 3, again);
    }

    /// What a person decides.
    fn deciding(&mut self) {
        let days = || 1..120_u16;
        let word = prop_oneof![
            2 => (0..120_u16).prop_map(|days| Word::Grant { days }),
            2 => days().prop_map(|days| Word::Extend { days }),
            1 => days().prop_map(|days| Word::Exempt { days }),
            1 => Just(Word::Revoke),
            2 => Just(Word::Keep),
        ];
        self.add(Kind::Decided, 2, word.prop_map(Step::Decide));
    }

    /// What changes of its items.
    fn changing(&mut self) {
        let change = |(which, price, billed)| Step::Change {
            which,
            price,
            billed,
        };
        let swap = |(which, price, billed)| Step::Swap {
            which,
            price,
            billed,
        };
        let quantity = |(which, quantity, billed)| Step::Quantity {
            which,
            quantity,
            billed,
        };
        let add = |(price, quantity, billed)| Step::Add {
            price,
            quantity,
            billed,
        };
        let remove = |(which, billed)| Step::Remove { which, billed };
        let at_turn = |(which, price)| Step::ChangeAtTurn { which, price };
        let priced = || (0..4_u8, any_item_price(), billed());
        self.add(Kind::Change, 3, priced().prop_map(change));
        self.add(Kind::Swap, 2, priced().prop_map(swap));
        let units = (0..4_u8, 0..5_u64, billed());
        self.add(Kind::Quantity, 3, units.prop_map(quantity));
        let new = (any_item_price(), 1..3_u64, billed());
        self.add(Kind::Add, 2, new.prop_map(add));
        self.add(Kind::Remove, 2, (0..4_u8, billed()).prop_map(remove));
        let later = (0..4_u8, any_item_price());
        self.add(Kind::ChangeAtTurn, 2, later.prop_map(at_turn));
        self.add(Kind::MoveLookup, 1, Just(Step::MoveLookup));
        self.add(Kind::ResetAnchor, 1, Just(Step::ResetAnchor));
    }
}

fn step() -> impl Strategy<Value = Step> {
    let mut steps = Weighted(vec![(1, Just(Step::Metadata).boxed())]);
    steps.paying();
    steps.staying();
    steps.changing();
    steps.deciding();
    prop::strategy::Union::new_weighted(steps.0)
}

fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Timed>> {
    let timed = (0..900_u16, step()).prop_map(|(hours, step)| Timed { hours, step });
    prop::collection::vec(timed, count)
}

/// What is bought first: prices, each once, and quantities.
fn items() -> impl Strategy<Value = Vec<(String, u64)>> {
    let more = if open(Kind::ManyItems) { 4 } else { 0 };
    let many = if open(Kind::CutLists) { 14 } else { 5 }.min(more * 14);
    let others = prop_oneof![6 => Just(0..=0_usize), 2 => Just(0..=more), 1 => Just(0..=many)];
    let item = || (any_item_price(), 1..3_u64);
    (
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
        })
}

/// What comes by chance, where its kind is open.
fn sometimes<T: Clone + std::fmt::Debug + 'static>(
    kind: Kind,
    (often, usual): (u32, T),
    other: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if open(kind) {
        prop_oneof![often => Just(usual), 1 => other].boxed()
    } else {
        Just(usual).boxed()
    }
}

fn subscription() -> impl Strategy<Value = What> {
    let gives_up = prop::sample::select(vec![GivesUp::Cancel, GivesUp::Unpaid, GivesUp::Leave]);
    let method = prop_oneof![9 => Just(Method::Card).boxed(), 1 => method().boxed()];
    let trial = sometimes(Kind::Trial, (3, 0), 3..40_u8);
    let without = sometimes(Kind::TrialUnpaid, (3, false), Just(true));
    let sent = sometimes(Kind::Sent, (6, None), (3..40_u8).prop_map(Some));
    let metadata = sometimes(Kind::Metadata, (8, None), (1..6_u64).prop_map(Some));
    let backdated = sometimes(Kind::Backdated, (9, 0), 1..25_u8);
    let fee = sometimes(Kind::SetupFee, (4, false), Just(true));
    let halves = sometimes(Kind::TwoPayments, (4, false), Just(true));
    let paying = (method, any::<bool>(), sent, halves, fee);
    let extras = (metadata, backdated, 1..5_u8, gives_up);
    let trial = (trial, without, any::<bool>());
    (items(), paying, trial, extras).prop_map(|(items, paying, trial, extras)| {
        let (method, checkout, sent, halves, fee) = paying;
        let (metadata, backdated, retries, gives_up) = extras;
        let (trial_days, without, pauses) = trial;
        let without = without && trial_days > 0 && sent.is_none();
        What::Subscription {
            items,
            checkout,
            method: if without { Method::None } else { method },
            trial_days,
            sent,
            retries,
            gives_up,
            metadata,
            fee: fee && !without,
            halves,
            backdated: if trial_days > 0 { 0 } else { backdated },
            pauses,
        }
    })
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
