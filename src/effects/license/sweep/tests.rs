//! Tests of `sweep.rs`.

use super::super::{Expiry, Status};
use super::*;

fn license(key: &str, label: Option<&str>, created_s: i64) -> License {
    License {
        key: LicenseKey::new(key),
        app_id: None,
        status: Status::Active,
        expires_at: Expiry::Never,
        devices: None,
        bound: None,
        label: label.map(Into::into),
        created_at: Some(Timestamp::from_s(created_s)),
    }
}

fn page(keys: &[&str], cursor: Option<&str>) -> LicensePage {
    let licenses = keys.iter().map(|k| license(k, None, 10_000)).collect();
    LicensePage {
        licenses,
        cursor: cursor.map(Into::into),
    }
}

fn wanted(label: &str, sent_at: Option<i64>) -> Wanted {
    Wanted {
        label: label.into(),
        sent_at: sent_at.map(Timestamp::from_s),
    }
}

/// The licenses that are read by themselves, in a service where `labels` says which key carries which label.
fn reads(sweep: &mut Sweep, memory: &mut Memory, labels: &[(&str, &str)]) -> Vec<String> {
    let mut reads = Vec::new();
    while let Some(key) = sweep.next_read() {
        let label = labels
            .iter()
            .find(|(k, _)| *k == key.reveal())
            .map(|(_, l)| *l);
        sweep.read(license(key.reveal(), label, 10_000), memory);
        reads.push(key.reveal().to_owned());
    }
    reads.sort();
    reads
}

#[test]
fn a_license_is_read_once_in_its_lifetime_and_one_that_fits_each_time() {
    let mut memory = Memory::default();
    let labels = [("A", "one"), ("B", "two")];
    for (look_for, read, found) in [
        ("one", vec!["A", "B", "C"], 1),
        ("two", vec!["B"], 1),
        ("three", vec![], 0),
    ] {
        let mut sweep = Sweep::for_labels(&[wanted(look_for, None)], false);
        assert_eq!(sweep.next_page(), Some(None));
        sweep
            .page(page(&["A", "B"], Some("2")), &mut memory, |_| false)
            .unwrap();
        assert_eq!(sweep.next_page(), Some(Some("2".into())));
        sweep
            .page(page(&["B", "C"], None), &mut memory, |_| false)
            .unwrap();
        assert_eq!(reads(&mut sweep, &mut memory, &labels), read, "{look_for}");
        assert_eq!(
            sweep.finish().found.get(look_for).map_or(0, Vec::len),
            found,
            "{look_for}"
        );
    }
    let mut kept = Memory::default();
    kept.learn(memory.pairs());
    assert_eq!(kept.labels, memory.labels);
    assert_eq!(
        (
            memory.take_fresh(4).len(),
            memory.take_fresh(3).len(),
            memory.take_fresh(1).len()
        ),
        (0, 3, 0)
    );
}

#[test]
fn held_and_old_licenses_are_dropped_without_a_read() {
    let sweep_over = |wants: &[Wanted]| {
        let (mut sweep, mut memory) = (Sweep::for_labels(wants, false), Memory::default());
        let licenses = vec![
            license("OLD", None, 99),
            license("NEW", None, 100),
            license("HELD", None, 100),
        ];
        let all = LicensePage {
            licenses,
            cursor: None,
        };
        sweep
            .page(all, &mut memory, |k| k.reveal() == "HELD")
            .unwrap();
        reads(&mut sweep, &mut memory, &[])
    };
    // The attempts were sent at 700 s; 600 s of skew are allowed for.
    assert_eq!(
        sweep_over(&[wanted("a", Some(800)), wanted("b", Some(700))]),
        ["NEW"]
    );
    assert_eq!(
        sweep_over(&[wanted("a", Some(700)), wanted("b", None)]),
        ["NEW", "OLD"]
    );
}

#[test]
fn a_list_that_shows_labels_spares_all_reads_but_those_that_fit() {
    let mut memory = Memory::default();
    let mut sweep = Sweep::for_labels(&[wanted("one", None)], true);
    let licenses = vec![
        license("A", Some("one"), 0),
        license("B", Some("one!"), 0),
        license("C", None, 0),
    ];
    sweep
        .page(
            LicensePage {
                licenses,
                cursor: None,
            },
            &mut memory,
            |_| false,
        )
        .unwrap();
    assert_eq!(reads(&mut sweep, &mut memory, &[("A", "one")]), ["A"]);
}

#[test]
fn a_refused_cursor_starts_over_and_circles_are_noticed() {
    let mut memory = Memory::default();
    let mut sweep = Sweep::for_all(false);
    sweep
        .page(page(&["A"], Some("2")), &mut memory, |_| false)
        .unwrap();
    sweep.restart();
    assert_eq!(sweep.next_page(), Some(None));
    sweep
        .page(page(&["A"], Some("2")), &mut memory, |_| false)
        .unwrap();
    assert!(
        sweep
            .page(page(&["B"], Some("2")), &mut memory, |_| false)
            .is_err()
    );
}

#[test]
fn a_crawl_knows_all_labels() {
    let mut memory = Memory::default();
    memory.learn([(hash("A"), hash("one"))]);
    let mut sweep = Sweep::for_all(false);
    sweep
        .page(page(&["A", "B", "C"], None), &mut memory, |_| false)
        .unwrap();
    assert_eq!(
        reads(&mut sweep, &mut memory, &[("B", "one"), ("C", "two")]),
        ["B", "C"]
    );
    let index = sweep.finish().index;
    assert_eq!(
        index.keys_of("one"),
        [LicenseKey::new("A"), LicenseKey::new("B")]
    );
    assert_eq!(
        (index.keys_of("two").len(), index.keys_of("three").len()),
        (1, 0)
    );
}
