//! Commands that ask a store, and those that change it, with no server running.

use super::support::{CONFIG, Place, refusing, willing};

/// Ended, parked and ignored things, all long past, so that today's date changes nothing.
const STORY: &[&str] = &["cancel-now", "refund-never-linked", "connect-ignored"];

fn filled() -> Place {
    let place = Place::with(CONFIG);
    place.fill(STORY, willing);
    place
}

#[test]
fn a_purchase_is_found_by_whatever_names_it() {
    let place = filled();
    insta::assert_snapshot!(place.run(&["find", "ada@example.com"]));
    for text in [
        "stripe/sub_CancelNow01",
        "sub_CancelNow01",
        "in_CancelNow01",
        "evt_CancelNow06",
        "KEY-sub_CancelNow01-1",
    ] {
        let said = place.run(&["find", text, "--json"]);
        assert_eq!(said.code, Some(0), "{text}: {said}");
        assert_eq!(said.json()[0]["id"], "stripe/sub_CancelNow01", "{text}");
        assert_eq!(said.json().as_array().map(Vec::len), Some(1), "{text}");
    }
    insta::assert_snapshot!("nothing_is_found", place.run(&["find", "cus_nobody"]));
    assert_eq!(
        place
            .run(&["find", "cus_nobody", "--json"])
            .json()
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[test]
fn a_purchase_is_shown() {
    let place = filled();
    insta::assert_snapshot!(place.run(&["show", "stripe/sub_CancelNow01"]));
    let said = place.run(&["show", "sub_CancelNow01", "--json"]);
    let view = said.json();
    assert_eq!(view["state"], "ended");
    assert_eq!(view["licenses"][0]["key"], "KEY-sub_CancelNow01-1");
    assert_eq!(view["transitions"][0]["from"], serde_json::Value::Null);
    assert_eq!(place.run(&["show", "stripe/sub_nobody"]).code, Some(1));
}

#[test]
fn an_event_that_waited_long_is_settled_by_a_note() {
    let place = filled();
    let parked = || {
        let rows = place.run(&["attention", "--json"]).json();
        let of_cause = |row: &&serde_json::Value| row["cause"] == "parked";
        rows.as_array()
            .unwrap()
            .iter()
            .filter(of_cause)
            .cloned()
            .collect::<Vec<_>>()
    };
    let rows = parked();
    assert!(!rows.is_empty());
    for row in rows {
        let settle = row["settle"].as_str().unwrap().replace('…', "ours");
        let command: Vec<&str> = settle.split(' ').skip(1).collect();
        let event = command[1].rsplit('/').next().unwrap();
        let why = place.run(&["why", event]);
        assert!(why.err.contains("waits for its purchase"), "{why}");
        let noted = place.run(&command);
        assert_eq!(noted.code, Some(0), "{settle}: {noted}");
    }
    assert_eq!(parked(), [] as [serde_json::Value; 0]);
    let listed = place.run(&["events", "--parked"]);
    assert!(listed.out.contains("looked at it (ours)"), "{listed}");
}

#[test]
fn events_are_listed_with_what_became_of_them() {
    let place = filled();
    let mut listed = place.run(&["events"]);
    // How long something has waited depends on when this runs.
    let aged = |line: &str| match line.rsplit_once(", ") {
        Some((line, age)) if line.contains(" waits for ") && age.ends_with(" d") => {
            format!("{line}, some d\n")
        }
        _ => format!("{line}\n"),
    };
    listed.out = listed.out.lines().map(aged).collect();
    insta::assert_snapshot!("events_are_listed_with_what_became_of_them", listed);
    let parked = place.run(&["events", "--parked", "--json"]).json();
    assert!(
        parked[0]["age_s"].as_i64().is_some_and(|s| s > 86_400) && parked[0]["looked_up"].is_null(),
        "{parked}"
    );
    let count = |args: &[&str]| {
        place
            .run(args)
            .json()
            .as_array()
            .map(Vec::len)
            .unwrap_or_default()
    };
    let all = count(&["events", "--json"]);
    let parts =
        ["--applied", "--parked", "--ignored"].map(|which| count(&["events", which, "--json"]));
    assert_eq!(parts.iter().sum::<usize>(), all, "{parts:?}");
    assert!(parts.iter().all(|n| *n > 0), "{parts:?}");
    let said = place.run(&["events", "--limit", "2", "--json"]);
    assert_eq!(said.json().as_array().map(Vec::len), Some(2));
    assert_eq!(said.err, format!("{} older ones are left out\n", all - 2));
    assert_eq!(
        place.run(&["events", "--applied", "--parked"]).code,
        Some(1)
    );
    insta::assert_snapshot!("refused_deliveries", place.run(&["refused"]));
    assert_eq!(
        place.run(&["refused", "--json"]).json()[0]["body"],
        "{\"hello\": 1}"
    );
}

#[test]
fn refused_work_is_listed_tried_again_and_given_up() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], refusing);
    insta::assert_snapshot!(place.run(&["actions"]));
    let actions = place.run(&["actions", "--json"]).json();
    let id = actions[0]["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(actions[0]["service"], "embedded");
    assert_eq!(
        place.run(&["retry"]).code,
        Some(1),
        "one of ID, --service, --all is needed"
    );
    let said = place.run(&["retry", "--service", "authforge"]);
    insta::assert_snapshot!("retry_at_an_unknown_service", said);
    let said = place.run(&["retry", &id]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            Some(0),
            "1 action of stripe/cs_live_OnetimeLifetime01 is due now\n"
        )
    );
    let again = place.run(&["actions", "--json"]).json();
    let again: Vec<_> = again
        .as_array()
        .into_iter()
        .flatten()
        .filter(|a| a["outcome"] == "pending")
        .collect();
    assert_eq!(again.len(), 1, "{again:?}");
    let id = again[0]["id"].as_str().unwrap_or_default();
    assert_eq!(
        place.run(&["retry", "--all", "--json"]).json()["actions"],
        1
    );
    assert_eq!(place.run(&["abandon", id]).code, Some(0));
    assert_eq!(
        place.run(&["abandon", id]).code,
        Some(1),
        "it is given up already"
    );
    assert_eq!(
        place
            .run(&["abandon", "stripe/cs_live_OnetimeLifetime01#99"])
            .code,
        Some(1)
    );
    assert_eq!(place.run(&["abandon", "nonsense"]).code, Some(1));
}

#[test]
fn a_decision_is_kept_with_author_and_reason() {
    let place = filled();
    let said = place.run(&[
        "grant",
        "sub_CancelNow01",
        "--until",
        "2099-01-01",
        "--reason",
        "a bug of ours",
    ]);
    insta::assert_snapshot!(said);
    let said = place.run(&["show", "sub_CancelNow01", "--json"]);
    let extended = said.json()["actions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|a| a["outcome"] == "pending");
    assert!(extended, "{said}");
    for (args, code) in [
        (
            vec![
                "extend",
                "sub_CancelNow01",
                "--until",
                "30d",
                "--reason",
                "r",
                "--json",
            ],
            0,
        ),
        (
            vec![
                "exempt",
                "sub_CancelNow01",
                "--until",
                "30d",
                "--reason",
                "r",
            ],
            0,
        ),
        (vec!["keep", "sub_CancelNow01", "--reason", "r"], 0),
        (vec!["revoke", "sub_CancelNow01", "--reason", "r"], 0),
        (vec!["revoke", "sub_CancelNow01", "--reason", " "], 1),
        (vec!["revoke", "sub_CancelNow01"], 1),
        (vec!["revoke", "sub_nobody", "--reason", "r"], 1),
        (
            vec![
                "extend",
                "sub_CancelNow01",
                "--until",
                "soon",
                "--reason",
                "r",
            ],
            1,
        ),
    ] {
        let said = place.run(&args);
        assert_eq!(said.code, Some(code), "{args:?}: {said}");
    }
}

/// A year was mistyped: nothing is decided.
#[test]
fn what_would_be_over_already_is_refused() {
    let place = filled();
    let before = place.run(&["show", "sub_CancelNow01", "--json"]).json();
    for what in ["grant", "extend", "exempt"] {
        for until in ["2020-01-01", "0d"] {
            let args = ["sub_CancelNow01", "--until", until, "--reason", "r"];
            let said = place.run(&[&[what][..], &args].concat());
            assert_eq!(said.code, Some(1), "{what} {until}: {said}");
            let says = said.err.contains("it would be over already: 20")
                && said.err.contains("names a later instant");
            assert!(says, "{what} {until}: {said}");
        }
    }
    let after = place.run(&["show", "sub_CancelNow01", "--json"]).json();
    assert_eq!(after["events"], before["events"], "nothing was decided");
    assert_eq!(after, before);
}

#[test]
fn a_store_that_is_not_there_is_said_to_be_missing() {
    let place = Place::with(CONFIG);
    insta::assert_snapshot!(place.run(&["events"]));
    assert!(!place.path("data").exists(), "asking makes no store");
}
