//! `keyward attention`: what waits for a person, and what settles it.

use serde_json::Value;

use super::support::{CONFIG, Place, refusing};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{next_s, one_time};
use crate::support::wait::{PATIENCE, until};

fn rows(place: &Place) -> Vec<Value> {
    let Value::Array(rows) = place.run(&["attention", "--json"]).json() else {
        panic!("attention is no list")
    };
    rows
}

fn causes(rows: &[Value]) -> Vec<&str> {
    let mut causes: Vec<&str> = rows.iter().map(|r| r["cause"].as_str().unwrap()).collect();
    causes.sort_unstable();
    causes
}

/// Each line names the command that settles it: carried out, the line is gone.
#[test]
fn each_line_names_the_command_that_settles_it() {
    let place = Place::with(&CONFIG.replace("prices = [\"*\"]", "prices = [\"price_none\"]"));
    place.fill(
        &[
            "onetime-lifetime",
            "onetime-metadata-plan-unknown",
            "early-fraud-warning",
        ],
        refusing,
    );
    let waiting = rows(&place);
    assert!(causes(&waiting).contains(&"refused_action"), "{waiting:#?}");
    let text = place.run(&["attention"]);
    for row in &waiting {
        let settle = row["settle"].as_str().unwrap();
        assert!(text.out.contains(settle), "{text}");
        assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
        let words = settle.replace("--reason …", "--reason looked-at");
        let words: Vec<&str> = words.split(' ').skip(1).collect();
        assert_eq!(place.run(&words).code, Some(0), "{words:?}");
    }
    // A retry makes the action due: nobody waits for a person until it is refused again or late.
    assert_eq!(rows(&place), Vec::<Value>::new());
    let text = place.run(&["attention"]);
    assert!(text.err.contains("nothing waits for you"), "{text}");
}

/// A note is kept with the purchase, by whom and why.
#[test]
fn a_note_settles_what_was_reported() {
    let place = Place::with(CONFIG);
    place.fill(&["early-fraud-warning"], super::support::willing);
    let waiting = rows(&place);
    assert_eq!(causes(&waiting), ["finding"], "{waiting:#?}");
    let machine = waiting[0]["machine"].as_str().unwrap();
    let noted = place.run(&["note", machine, "--reason", "the customer was called"]);
    assert_eq!(noted.code, Some(0), "{noted}");
    assert_eq!(causes(&rows(&place)), Vec::<&str>::new());
    let page = place.run(&["show", machine]);
    let said = "decided: note (the customer was called)";
    assert!(page.out.contains(said), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_refuses_us_waits_for_a_person() {
    let faults = Faults {
        refuse: Some(401),
        ..Faults::default()
    };
    let fake = std::sync::Arc::new(Fake::start(faults).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    app.door().event(&one_time("Refused", next_s())).await;
    let row = until("the service is listed", PATIENCE, async || {
        app.ask(&["attention"]).as_array()?.first().cloned()
    })
    .await;
    assert_eq!(row["cause"], "service", "{row}");
    assert_eq!(row["settle"], "keyward retry --service authforge");
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--service", "authforge"]);
    until("nothing waits", PATIENCE, async || {
        app.ask(&["attention"]).as_array()?.is_empty().then_some(())
    })
    .await;
}
