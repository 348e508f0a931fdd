//! The promise: no config, restore, adoption, outage or wrong clock of ours, and no license service that lies for an hour,
//! ends a paying customer's license without somebody's yes.
//!
//! A made-up shop is played twice, with one trouble and without it, and what each customer could use is compared ([`judge`]
//! says what counts as taken). `KEYWARD_SEED` says which shops, `KEYWARD_FULL=1` plays a long campaign, `KEYWARD_SHRINK=0` shows a
//! failure as it was found. A shop that failed once is kept in `promise/kept/` as the JSON that a failure prints, and is played
//! first.

mod adopted;
mod judge;
pub(crate) mod service;
mod trouble;
pub(crate) mod world;

use std::path::Path;
use std::sync::Mutex;

use keyward::domain::machine::Machine;
use keyward::domain::time::Timestamp;
use keyward::engine::input::Rules;
use keyward::sim::history::{self, Line};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shop::any::any_shop;
use crate::shop::script::{Shop, Types};
use crate::shop::stripe::Stripe;
use crate::shop::{catalog, delivery};
use crate::support::replay;
use judge::{Seen, compare};
use trouble::{Trouble, What, any_trouble, play};

/// Shops of the short campaign, and of the long one: about 20 s and about ten minutes in a debug build on two cores.
const SHOPS: [u32; 2] = [240, 8_000];

/// The price whose plan names its lookup key alone.
const BY_LOOKUP_KEY: &str = "price_studio_m";

/// A shop and what goes wrong in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Case {
    trouble: Trouble,
    shop: Shop,
}

/// What is heard of a shop, under which rules, and what Stripe itself knows.
struct Heard {
    lines: Vec<Line>,
    rules: Rules,
    /// Each object as it became, in Stripe's own order.
    objects: Vec<(Timestamp, Value)>,
}

fn heard(shop: &Shop) -> Heard {
    let stripe = Stripe::live(shop);
    let lines = delivery::deliver(&stripe, &shop.delivery);
    let text: String = lines.iter().map(|l| format!("{}\n", l.text)).collect();
    let became = stripe.events.iter();
    let became = became.map(|e| (Timestamp::from_s(e.created), e.object.clone()));
    let objects = became.collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keyward.toml");
    std::fs::write(&file, catalog::config(&shop.policy.toml())).unwrap();
    let mut rules = replay::rules(&file);
    let lines = history::read("shop", &text).unwrap();
    // The store is older than everything that is sold.
    rules.store_since = Some(Timestamp::from_ms(0));
    Heard {
        lines,
        rules,
        objects,
    }
}

impl Case {
    /// The shop as Keyward hears of it. Whoever adopts has an API key, by which Stripe tells everything at once, whatever the
    /// endpoint asks for.
    fn heard(&self) -> Shop {
        let mut shop = self.shop.clone();
        if matches!(self.trouble.what, What::Adopted { .. }) {
            (shop.delivery.types, shop.delivery.late) = (Types::All, false);
            shop.delivery.seed &= !1;
            assert!(shop.delivery.has_key());
        }
        shop
    }

    /// What a store that begins untold cannot know of a subscription by its invoices (docs/operating.md, *Where it ends*): a
    /// plan that is named by its lookup key alone, until it hears of the subscription or asks Stripe, which nobody answers
    /// here; and, under old API versions, what its metadata asks for.
    fn sells_unknown(&self) -> Option<&'static str> {
        if !matches!(self.trouble.what, What::Late { told: false }) {
            return None;
        }
        let sells = format!("{:?}", self.shop.purchases);
        if sells.contains(BY_LOOKUP_KEY) {
            Some("late: a plan that is named by its lookup key alone")
        } else if !self.shop.delivery.new_shape && sells.contains("metadata: Some") {
            Some("late: what metadata asks for, and invoices without it")
        } else {
            None
        }
    }
}

fn check(case: &Case) -> Result<Seen, String> {
    let (heard, mut named) = (heard(&case.heard()), Seen::default());
    if let Some(unknown) = case.sells_unknown() {
        named.count(unknown);
        return Ok(named);
    }
    if heard.lines.is_empty() {
        return Ok(named);
    }
    let runs = play(&heard, &case.trouble);
    let (calm, troubled) = (runs.calm.machines(), runs.troubled.machines());
    let seen = compare(
        (&runs.calm.licenses, &calm[..]),
        (&runs.troubled.licenses, &troubled[..]),
        runs.time,
    );
    let kind = case.trouble.what.kind();
    let told = |why| {
        let (trouble, time, held) = (case.trouble, runs.time, held(&troubled));
        format!("{trouble:?}: {why}\n  {time:?}{held}")
    };
    for (what, n) in seen.map_err(told)?.0 {
        named.0.insert(format!("{kind}: {what}"), n);
    }
    if runs.troubled.licenses.lies > 0 {
        named.count("lies: told");
    }
    Ok(named)
}

/// What a store heard, what it did, and the licenses that it holds, with the items that they stand for.
fn held(machines: &[Machine]) -> String {
    let of = |m: &Machine| {
        let grants = m.grants.iter().map(|g| {
            let (n, item, plan) = (g.number, &g.seat, &g.plan);
            let ends = g
                .expires_at
                .map_or("for life".to_owned(), |t| t.to_string());
            format!("\n    #{n} {item:?} {plan:?} until {ends}")
        });
        let did = m.actions.iter().map(|a| {
            let (act, state) = (a.act.as_str(), a.outcome);
            format!("\n    {} #{} {act} {state:?} {:?}", a.at, a.license, a.held)
        });
        let heard = m.facts.iter();
        let heard = heard.map(|f| format!("\n    {} {} of {}", f.received, f.kind, f.at));
        format!(
            "\n  {}{}{}{}",
            m.id,
            heard.collect::<String>(),
            did.collect::<String>(),
            grants.collect::<String>()
        )
    };
    machines.iter().map(of).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A share of the campaign, with dice of its own.
fn share(seed: u64, shops: u32, seen: &Mutex<Seen>) -> Result<(), String> {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: shops,
        max_shrink_iters: u32::try_from(number("KEYWARD_SHRINK").unwrap_or(300)).unwrap(),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let case = (any_trouble(), any_shop()).prop_map(|(trouble, shop)| Case { trouble, shop });
    let ran = runner.run(&case, |case| {
        let found = check(&case).map_err(TestCaseError::fail)?;
        seen.lock().unwrap().add(&found);
        Ok(())
    });
    ran.map_err(|error| match error {
        TestError::Fail(why, case) => {
            let kept = serde_json::to_string(&case).unwrap();
            format!("seed {seed}: {why}\n{kept}")
        }
        TestError::Abort(why) => format!("seed {seed}: {why}"),
    })
}

#[test]
fn nothing_of_ours_ends_the_license_of_who_pays() {
    let full = std::env::var("KEYWARD_FULL").is_ok_and(|v| v == "1");
    let usual = SHOPS[usize::from(full)].into();
    let shops = u32::try_from(number("KEYWARD_PROMISES").unwrap_or(usual)).unwrap();
    let (seed, seen) = (number("KEYWARD_SEED").unwrap_or(1), Mutex::default());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let run = |n| share(seed * 1_000 + n, shops / 2, &seen);
        let threads = [0, 1].map(|n| scope.spawn(move || run(n)));
        let ended = threads.into_iter().map(|t| t.join().unwrap());
        ended.filter_map(Result::err).collect()
    });
    let seen = seen.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}\nseen: {seen:#?}", wrong.join("\n"));
    println!("{shops} shops: {seen:#?}");
    for kind in What::KINDS {
        let what = format!("{kind}: a customer who pays before and after");
        assert!(seen.of(&what) > 0, "never: {what}");
    }
    assert!(
        seen.of("lies: told") > 0,
        "nothing was asked of a service that lies"
    );
}

/// Shops that failed once.
#[test]
fn kept_promises() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/laws/promise/kept");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let case: Case = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        if let Err(why) = check(&case) {
            panic!("{}: {why}", file.display());
        }
    }
}
