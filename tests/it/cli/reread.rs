//! Events that changed nothing are read again, when the config has learnt what they are about.

use serde_json::json;

use super::support::{CONFIG, Place, willing};

#[test]
fn what_was_ignored_is_taken_in_when_the_config_says_so_and_not_before() {
    let place = Place::with(CONFIG);
    place.fill(&["connect-ignored"], willing);
    let dry = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(dry["rows"], json!([]), "nothing has changed: {dry}");
    let ignored = dry["unchanged"].as_u64().unwrap();
    assert!(ignored > 0, "{dry}");

    let accepts = CONFIG.replace(
        "name = \"stripe\"",
        "name = \"stripe\"\nconnect = \"accept\"",
    );
    std::fs::write(place.path("keyward.toml"), accepts).unwrap();
    let dry = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    let rows = dry["rows"].as_array().unwrap().clone();
    assert_eq!(
        (&dry["applied"], rows.is_empty()),
        (&json!(false), false),
        "{dry}"
    );
    let again = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(again, dry, "a dry run changes nothing");

    let one = rows[0]["event"].as_str().unwrap();
    let applied = place.run(&["reread", one, "--apply", "--json"]).json();
    assert_eq!(
        applied["rows"].as_array().map(Vec::len),
        Some(1),
        "{applied}"
    );
    let applied = place
        .run(&["reread", "--reason", "connect", "--apply", "--json"])
        .json();
    assert_eq!(
        applied["rows"].as_array().map(Vec::len),
        Some(rows.len() - 1),
        "{applied}"
    );
    let after = place
        .run(&["reread", "--reason", "connect", "--json"])
        .json();
    assert_eq!(after["rows"], json!([]), "each is taken in once: {after}");
    let event = place.run(&["show", "--event", one]);
    assert!(
        event.out.contains(one) && event.err.contains("applied"),
        "{event}"
    );
}

#[test]
fn what_it_cannot_do_it_says() {
    let place = Place::with(CONFIG);
    place.fill(&["connect-ignored"], willing);
    for (args, says) in [
        (&["reread"][..], "required"),
        (&["reread", "--reason", "weather"], "never_linked"),
        (&["reread", "evt_nobody"], "there is no event"),
        (&["show", "--event", "evt_nobody"], "there is no event"),
    ] {
        let said = place.run(args);
        assert_eq!(said.code, Some(1), "{args:?}: {said}");
        assert!(said.err.contains(says), "{args:?}: {said}");
    }
}
