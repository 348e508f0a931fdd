//! Random shops, policies, deliveries and instants: replay's answer must be the oracle's.
//!
//! `KEYWARD_SHOPS` sets how many shops, `KEYWARD_SEED` which. A shop that failed once is kept in `scripts/` as the JSON
//! that a mismatch prints; `KEYWARD_SHOP_SCRIPTS` names another folder to play.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use keyward::domain::time::Timestamp;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::Value;

use super::any::any_shop;
use super::calendar::{Time, iso};
use super::judge::{Counts, judge};
use super::script::Shop;
use super::stripe::Stripe;
use super::truth::expect;
use super::{catalog, delivery};
use crate::support::replay;

/// Enough for about a minute in a debug build on two cores.
const SHOPS: u32 = 1_500;

/// Shops that are played with one throw of the dice. The first mismatch ends a lot, not the campaign.
const LOT: u32 = 500;

/// After so many mismatches a campaign ends: there is enough to look into.
const ENOUGH: usize = 8;

/// What a campaign must have judged at least, per thousand shops.
const FLOORS: [(&str, u64); 12] = [
    ("live, rule 10", 150),
    ("live, rule 19", 800),
    ("live, rule 25", 12),
    ("live, rule 34", 70),
    ("no license, rule 11", 30),
    ("no license, rule 20", 50),
    ("stopped, rule 34", 50),
    ("suspended, rule 27", 10),
    ("suspended, rule 39", 4),
    ("revoked, rule 36", 8),
    ("licenses created", 700),
    ("mail license_issued, expected", 250),
];

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number"))
    })
}

/// A shop as it is played: its events, its config, its looks.
struct Played {
    stripe: Stripe,
    lines: Vec<delivery::Line>,
    config: String,
    text: String,
}

fn play(shop: &Shop) -> Played {
    let stripe = Stripe::live(shop);
    let lines = delivery::deliver(&stripe, &shop.delivery);
    let text: String = lines.iter().map(|l| format!("{}\n", l.text)).collect();
    Played {
        stripe,
        lines,
        config: catalog::config(&shop.policy.toml()),
        text,
    }
}

/// What replay answers at an instant, as JSON.
fn answer(played: &Played, at: Time) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keyward.toml");
    std::fs::write(&file, &played.config).unwrap();
    let rules = replay::rules(&file);
    let until = Some(Timestamp::from_s(at));
    serde_json::to_value(replay::answered("shop", &played.text, rules, until, None).1).unwrap()
}

/// The first mismatch of a shop.
fn check(shop: &Shop, counts: &Counts) -> Result<(), String> {
    let played = play(shop);
    for look in &shop.looks {
        let at = delivery::look(&played.stripe, &played.lines, *look);
        let answer = answer(&played, at);
        for expected in expect(shop, &played.stripe, at) {
            judge(&answer, &expected, at, counts)
                .map_err(|why| format!("at {}: {why}", iso(at)))?;
        }
    }
    Ok(())
}

/// All that somebody needs to look into a mismatch; its history and config are written where `KEYWARD_SHOP_OUT` says.
fn report(shop: &Shop, why: &str, name: &str) -> String {
    let played = play(shop);
    let event = |l: &delivery::Line| {
        format!(
            "  {} received {} {}\n",
            iso(l.created),
            iso(l.received),
            l.kind
        )
    };
    let timeline: String = played.lines.iter().map(event).collect();
    if let Ok(out) = std::env::var("KEYWARD_SHOP_OUT") {
        std::fs::write(format!("{out}-{name}.jsonl"), &played.text).unwrap();
        std::fs::write(format!("{out}-{name}.toml"), &played.config).unwrap();
        std::fs::write(
            format!("{out}-{name}.json"),
            serde_json::to_string_pretty(shop).unwrap(),
        )
        .unwrap();
    }
    let script = serde_json::to_string(shop).unwrap();
    format!(
        "{why}\npolicy:\n{}\nevents:\n{timeline}\nscript:\n{script}\n",
        shop.policy.toml()
    )
}

fn scripts() -> Vec<PathBuf> {
    let kept = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shop/scripts");
    let folder = std::env::var_os("KEYWARD_SHOP_SCRIPTS").map_or_else(kept, PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    files
}

/// Shops that failed once.
#[test]
fn kept_shops() {
    let counts = Counts::default();
    let wrong: Vec<String> = scripts()
        .iter()
        .filter_map(|file| {
            let shop: Shop = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            let why = check(&shop, &counts).err()?;
            Some(format!(
                "{}: {}",
                file.display(),
                report(&shop, &why, "kept")
            ))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A lot of the campaign, with dice of its own.
fn play_lot(dice: u64, shops: u32, counts: &Counts) -> Result<(), String> {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&dice.to_le_bytes());
    let config = Config {
        cases: shops,
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let ran = runner.run(&any_shop(), |shop| {
        counts.played();
        check(&shop, counts).map_err(TestCaseError::fail)
    });
    match ran {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, shop)) => {
            let why = check(&shop, &Counts::default()).expect_err("it failed just now");
            Err(format!(
                "lot {dice}: {}",
                report(&shop, &why, &dice.to_string())
            ))
        }
        Err(TestError::Abort(why)) => Err(format!("lot {dice}: {why}")),
    }
}

/// Plays lots until none is left, or enough went wrong.
fn work(seed: u64, shops: u32, next: &AtomicU32, (counts, wrong): (&Counts, &Mutex<Vec<String>>)) {
    let lots = shops.div_ceil(LOT);
    loop {
        let lot = next.fetch_add(1, Ordering::Relaxed);
        if lot >= lots || wrong.lock().unwrap().len() >= ENOUGH {
            return;
        }
        let size = LOT.min(shops - lot * LOT);
        if let Err(why) = play_lot(seed * 10_000 + u64::from(lot), size, counts) {
            println!("{why}");
            wrong.lock().unwrap().push(why);
        }
    }
}

#[test]
fn made_up_shops_are_served_as_the_rules_say() {
    let (seed, shops) = (
        number("KEYWARD_SEED", 1),
        u32::try_from(number("KEYWARD_SHOPS", SHOPS.into())).unwrap(),
    );
    let (counts, wrong) = (Counts::default(), Mutex::new(Vec::new()));
    let next = AtomicU32::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(seed, shops, &next, (&counts, &wrong)));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    println!(
        "{} shops of {shops} played, judged:\n{}",
        counts.shops(),
        counts.told()
    );
    assert!(
        wrong.is_empty(),
        "{} mismatches:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    for (what, floor) in FLOORS {
        // Few shops are too few to count.
        let least = if shops < 1_000 {
            0
        } else {
            floor * u64::from(shops) / 1_000
        };
        assert!(
            counts.of(what) >= least,
            "{what}: judged {} times, the floor is {least}",
            counts.of(what)
        );
    }
}
