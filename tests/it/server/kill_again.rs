//! SIGKILL, and power cuts, while licenses are bought again: the batch touches two purchases, the one that pays and the one
//! that has the license, and neither half is ever done without the other (rule 55).

use std::fs;
use std::path::Path;

use keyward::clock::pause;
use keyward::domain::extension::{Adds, ExtensionStanding};
use keyward::domain::id::MachineId;
use keyward::domain::machine::Machine;
use keyward::domain::time::Span;
use keyward::engine::read::view;
use keyward::store::Read;
use keyward::store::sled::{Create, Options, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::purchase::{machine, next_s, one_time, session_id};
use crate::support::wait::{PATIENCE, until};

const LICENSES: usize = 60;
const KILLS: usize = 4;
/// Places behind the last checkpoint at which the log is torn, each in a copy.
const CUTS: usize = 40;
const YEAR_S: i64 = 365 * 86_400;

fn first(n: usize) -> String {
    format!("First{n:03}")
}

fn again(n: usize) -> String {
    format!("Again{n:03}")
}

/// A year, bought once; `named`: what it extends.
fn year(name: &str, at_s: i64, named: Option<&str>) -> Value {
    let mut event = one_time(name, at_s);
    let metadata = &mut event["data"]["object"]["metadata"];
    metadata["license_duration"] = json!("365");
    if let Some(named) = named {
        metadata["keyward_license"] = json!(named);
    }
    event
}

/// What is wrong with the pairs of purchases in a store; how many are extended.
fn judged(reader: &dyn Read) -> usize {
    let read = |name: &str| -> Option<Machine> {
        let id: MachineId = machine(name).parse().unwrap();
        view::machine(reader, &id).unwrap()
    };
    let mut extended = 0;
    for n in 0..LICENSES {
        let Some(owner) = read(&first(n)) else {
            continue;
        };
        let buyer = read(&again(n));
        let said = buyer.as_ref().map_or(0, |m| m.extends().count());
        let counted: Vec<_> = owner.extensions.iter().collect();
        assert_eq!(said, counted.len(), "{}: {counted:?}, {buyer:?}", first(n));
        for extension in counted {
            assert_eq!(extension.standing, ExtensionStanding::Counts);
            assert_eq!(extension.adds, Adds::Time(Span::from_days(365)));
            extended += 1;
        }
    }
    extended
}

fn open(data: &Path) -> Option<usize> {
    let options = Options {
        create: Create::Never,
        ..Options::default()
    };
    let (writer, reader) = Store::open(data, options).ok()?;
    let extended = judged(&reader);
    drop((writer, reader));
    Some(extended)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Tears the end of the log off in copies, as a power cut may, and judges what opens.
fn power_cuts(data: &Path, dice: &mut StdRng) -> usize {
    let mut opened = 0;
    for _ in 0..CUTS {
        let place = tempfile::tempdir().unwrap();
        copy(data, place.path());
        let mut segments: Vec<_> = fs::read_dir(place.path().join("log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        segments.sort();
        let last = segments.last().unwrap();
        let len = fs::metadata(last).unwrap().len();
        let torn = dice.random_range(0..=len.min(60_000));
        let file = fs::OpenOptions::new().write(true).open(last).unwrap();
        file.set_len(len - torn).unwrap();
        drop(file);
        // A cut below what sled is known to have is refused, as it must be.
        opened += usize::from(open(place.path()).is_some());
    }
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buying_again_is_done_for_both_purchases_or_for_neither() {
    let seed =
        std::env::var("KEYWARD_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("KEYWARD_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut app = TestApp::start(Setup::embedded()).await;
    let bought_s = next_s();
    for n in 0..LICENSES {
        app.door().event(&year(&first(n), bought_s, None)).await;
    }
    let mut load = tokio::task::JoinSet::new();
    for share in 0..4 {
        let door = app.door().clone();
        load.spawn(async move {
            for n in (share..LICENSES).step_by(4) {
                let named = session_id(&first(n));
                door.event(&year(&again(n), bought_s + 1, Some(&named)))
                    .await;
            }
        });
    }
    let (mut seen, mut cuts) = (Vec::new(), 0);
    for kill in 0..KILLS {
        let share = LICENSES + LICENSES * (kill + 1) / (KILLS + 1);
        let door = app.door().clone();
        let reached = async || (door.acknowledged().len() >= share).then_some(());
        until("purchases", PATIENCE, reached).await;
        // Not a wait for something: the process dies at no particular moment.
        pause(Span::from_ms(dice.random_range(0..20))).await;
        app.kill9();
        let data = app.dir().join("data");
        cuts += power_cuts(&data, &mut dice);
        seen.push(open(&data).expect("what was killed opens"));
        app.restart().await;
    }
    while load.join_next().await.is_some() {}
    println!("extended at each kill: {seen:?}; {cuts} torn logs opened");
    assert!(cuts > 0, "no torn log was judged");
    let ends_s = bought_s + 2 * YEAR_S;
    for n in 0..LICENSES {
        let extended = async || {
            let page = app.ask(&["show", &machine(&first(n))]);
            let ends = page["licenses"][0]["expires_at"].as_str()?;
            let ends = keyward::domain::time::Timestamp::parse(ends).unwrap();
            (ends.s() == ends_s).then_some(page)
        };
        let page = until("two years", PATIENCE, extended).await;
        assert_eq!(page["licenses"].as_array().unwrap().len(), 1, "{page:#}");
        let page = app.ask(&["show", &machine(&again(n))]);
        assert_eq!(page["licenses"], json!([]), "{page:#}");
    }
}
