//! `keyward verify` over stores that fit together, and over stores in which something was put wrong by hand.

use keyward::domain::no_use::Unreadable;
use keyward::engine::backup::MACHINES;
use keyward::engine::read::view;
use keyward::engine::record::disposition::Disposition;
use keyward::engine::record::key::{self, Table};
use keyward::engine::record::{EventRecord, body_codec};
use keyward::server;
use keyward::store::sled::{self, Store};
use keyward::store::{Batch, Commit, Create, Direction, KeyRange, Options, Read};

use super::support::{CONFIG, Place, refusing, willing};
use crate::support::app::{Setup, TestApp};

/// Histories of many kinds, parked, ignored and long ones among them.
const STORY: &[&str] = &[
    "cancel-now",
    "refund-never-linked",
    "connect-ignored",
    "sub-checkout",
    "failing-stays-past-due",
    "onetime-lifetime",
    "onetime-card",
];

/// Writes past the engine, as damage or a defect would.
fn spoil(place: &Place, spoil: impl FnOnce(&dyn Read, &mut Batch)) {
    let opened = server::open(&place.config(), Create::Never, None).unwrap();
    let (mut writer, reader) = opened.store;
    let mut batch = Batch::new();
    spoil(&reader, &mut batch);
    writer.commit(&batch).unwrap();
    drop(reader);
    writer.close().unwrap();
}

fn keys(reader: &dyn Read, table: Table) -> Vec<Vec<u8>> {
    let range = KeyRange::prefix(&[table as u8]);
    let found = reader.range(&range, Direction::Forward, 1_000).unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

/// The codes of what is wrong.
fn codes(place: &Place, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let said = place.run(&[&["verify", "--json"], args].concat());
    let verified = said.json();
    let mut codes: Vec<String> = verified["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wrong| wrong["code"].as_str().unwrap().to_owned())
        .collect();
    codes.sort();
    (said.code, codes)
}

#[test]
fn stores_that_fit_together_have_no_findings() {
    for service in [willing, refusing] {
        let place = Place::with(CONFIG);
        place.fill(STORY, service);
        let said = place.run(&["verify"]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said}");
        assert!(said.err.contains("everything fits together"), "{said}");
    }
}

#[test]
fn indexes_are_held_against_records_both_ways_and_mended() {
    let place = Place::with(CONFIG);
    place.fill(STORY, refusing);
    spoil(&place, |reader, batch| {
        // One entry of each index goes, and each gets one that leads to nothing.
        for table in [Table::Link, Table::ByCustomer, Table::Parked] {
            let key = keys(reader, table).into_iter().next();
            batch.delete(key.unwrap_or_else(|| panic!("no entry in {table:?}")));
        }
        let scope = keyward::domain::id::Scope::of("stripe");
        batch.put(key::link(&scope, "pi_nobody"), b"stripe/cs_nobody".to_vec());
        let machine = "stripe/cs_nobody".parse().unwrap();
        let at = keyward::domain::time::Timestamp::from_s(9);
        batch.put(key::due(at, &machine, key::Item::Wake), Vec::new());
        batch.put(key::attempt(&machine, 1), vec![0; 8]);
        // An unread event without its entry, and entries of one that was read and of none.
        let unread = EventRecord {
            noted: None,
            kind: "invoice.paid".to_owned(),
            created: at,
            received: at,
            disposition: Disposition::Unreadable(Unreadable::Beyond),
            raw: body_codec::pack(b"{}"),
            livemode: None,
        };
        let odd = key::event(&scope, &"evt_odd".into());
        batch.put(odd, keyward::engine::record::encode(&unread));
        let read = key::event_of(&keys(reader, Table::Event)[0]).unwrap();
        batch.put(key::unread(&scope, &read), Vec::new());
        batch.put(key::unread(&scope, &"evt_nobody".into()), Vec::new());
        batch.put(b"xMstripe/cs_nobody\0\0\x01".to_vec(), b"a part".to_vec());
    });
    let (code, found) = codes(&place, &[]);
    assert_eq!(code, Some(2));
    assert_eq!(
        found,
        [
            "missing", "missing", "missing", "missing", "stray", "stray", "stray", "stray",
            "stray", "stray"
        ]
    );
    let (code, found) = codes(&place, &["--repair"]);
    assert_eq!((code, found.len()), (Some(0), 10));
    assert_eq!(codes(&place, &[]), (Some(0), Vec::new()));
    let said = place.run(&["attention"]);
    assert!(said.out.contains("stripe/evt_odd (invoice.paid)"), "{said}");
}

#[test]
fn a_machine_that_its_facts_contradict_is_named_and_looked_at_again() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    spoil(&place, |reader, batch| {
        let id = "stripe/sub_CancelNow01".parse().unwrap();
        let mut machine = view::machine(reader, &id).unwrap().unwrap();
        machine.journal.clear();
        batch.put(key::machine(&id), keyward::engine::record::encode(&machine));
    });
    assert_eq!(codes(&place, &[]), (Some(2), vec!["differs".to_owned()]));
    let said = place.run(&["verify", "--repair"]);
    assert!(said.out.contains("stripe/sub_CancelNow01"), "{said}");
    assert_eq!(codes(&place, &[]), (Some(0), Vec::new()));
}

#[test]
fn what_only_a_person_can_mend_is_named() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    spoil(&place, |reader, batch| {
        let event = keys(reader, Table::Event).swap_remove(0);
        batch.put(event, b"no record".to_vec());
        batch.put(b"?".to_vec(), b"?".to_vec());
    });
    let (code, found) = codes(&place, &["--repair"]);
    assert_eq!(code, Some(2));
    assert_eq!(found, ["unknown", "unreadable"]);
    let said = place.run(&["verify"]);
    // Each gets its own way out, and nothing else is advised.
    assert!(said.err.contains("a backup (`keyward restore`)"), "{said}");
    assert!(said.err.contains("was a newer version here?"), "{said}");
    assert!(!said.err.contains("dashboard"), "{said}");
}

/// Licenses were made, and the folder that holds them is gone: the server would begin an empty one.
#[test]
fn a_store_of_licenses_that_is_not_there_is_a_finding_where_there_was_one() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], willing);
    std::fs::remove_dir_all(place.path("data/licenses")).unwrap();
    assert_eq!(codes(&place, &[]), (Some(2), vec!["licenses".to_owned()]));
    let said = place.run(&["verify"]);
    assert!(
        said.out.contains("is not there, and 1 license is known"),
        "{said}"
    );
    assert!(
        said.err
            .contains("`licenses` of the data directory is back"),
        "{said}"
    );
    // Where it has made none it has not begun yet.
    let fresh = Place::with(CONFIG);
    fresh.fill(&["onetime-lifetime"], refusing);
    std::fs::remove_dir_all(fresh.path("data/licenses")).unwrap();
    assert_eq!(codes(&fresh, &[]), (Some(0), Vec::new()));
}

/// Beside a running server the store of the licenses is not looked at, and that is said, also to programs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_use_by_the_server_is_said_not_to_be_looked_at() {
    let app = TestApp::start(Setup::embedded()).await;
    let verified = app.ask(&["verify"]);
    let unchecked = verified["unchecked"][0].as_str().unwrap();
    assert!(unchecked.contains("was not looked at"), "{verified:#}");
    assert_eq!(
        verified["licenses"],
        serde_json::Value::Null,
        "{verified:#}"
    );
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["verify", "--config"])
        .arg(app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.contains("all that was looked at fits together"),
        "{said}"
    );
}

/// The store of the licenses is the other half of what `serve` opens.
#[test]
fn the_embedded_services_store_is_looked_at_too() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let log = place.path("data/licenses/log/00000001");
    assert!(log.exists(), "{}", log.display());
    let said = place.run(&["verify"]);
    let counted = "the embedded license service's store: 0 licenses";
    assert!(said.code == Some(0) && said.err.contains(counted), "{said}");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    assert_eq!(codes(&place, &[]), (Some(2), vec!["licenses".to_owned()]));
    let said = place.run(&["verify"]);
    assert!(
        said.out.contains("the embedded license service's store: "),
        "{said}"
    );
    assert!(said.out.contains("licenses/log/00000001"), "{said}");
    assert!(!said.err.contains("fits together"), "{said}");
}

/// Cuts a store's log behind a backup, as the server does by schedule once there are enough commits.
fn cut_log(place: &Place, target: &std::path::Path) {
    let options = Options {
        min_free_bytes: 0,
        log_file_bytes: 20_000,
        keep_records: 1,
        ..Options::default()
    };
    let (mut writer, reader) = Store::open(&place.config().data_dir, options).unwrap();
    let heartbeat = keys(&reader, Table::General).remove(0);
    let value = reader.get(&heartbeat).unwrap().unwrap().bytes;
    let mut freed = 0;
    while freed == 0 {
        for _ in 0..500 {
            let mut batch = Batch::new();
            batch.put(heartbeat.clone(), value.to_vec());
            writer.commit(&batch).unwrap();
        }
        let stores = [(MACHINES, reader.clone())];
        let _ = std::fs::remove_file(target);
        let copied = sled::copy(&stores, target, 7, &|_| true).unwrap();
        while reader.overlay_bytes() > 0 {
            std::thread::yield_now();
        }
        let named = copied.name().unwrap();
        freed = reader.cut_log(MACHINES, &named, &|_| true).unwrap();
    }
    drop(reader);
    writer.close().unwrap();
}

/// The store is whole, but could not be rebuilt: that is no damage, and who can help is told which file is missed.
#[test]
fn a_backup_that_was_moved_away_is_a_finding_of_its_own() {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    let (target, moved) = (place.path("newest.backup"), place.path("moved"));
    cut_log(&place, &target);
    assert_eq!(codes(&place, &[]), (Some(0), Vec::new()));
    std::fs::rename(&target, &moved).unwrap();
    for args in [&[][..], &["--repair"]] {
        let found = codes(&place, args);
        assert_eq!(found, (Some(2), vec!["backup".to_owned()]));
    }
    let said = place.run(&["verify"]);
    let named = format!("{}, and that is not there: put it back", target.display());
    assert!(said.out.contains(&named), "{said}");
    assert!(said.err.contains("by schedule takes its place"), "{said}");
    std::fs::rename(&moved, &target).unwrap();
    assert_eq!(codes(&place, &[]), (Some(0), Vec::new()));
}
