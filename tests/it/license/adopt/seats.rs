//! A purchase of several seats.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{FOLDER, PLAN, idle, made_before};
use crate::license::adopt::story::Old;
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::wait::{PATIENCE, within};

/// A page of a machine, once it has so many licenses.
pub(super) async fn with_licenses(app: &TestApp, machine: &str, count: usize) -> Value {
    let page = async || {
        let page = app.ask(&["show", machine]);
        (page["licenses"].as_array()?.len() == count).then_some(page)
    };
    within(PATIENCE, page)
        .await
        .unwrap_or_else(|| panic!("{:#}", app.ask(&["show", machine])))
}

fn keys_of(page: &Value) -> BTreeSet<&str> {
    page["licenses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["key"].as_str().unwrap())
        .collect()
}

/// A key for each unit: where the guide's handler made several with one label, each unit has its own; what is missing is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_seat_keeps_a_key_of_its_own_and_only_what_is_missing_is_made() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let more = PLAN.replace("license =", "seats = \"keys\"\nlicense =");
    // The law of one license a label holds for what we make: these were there.
    let app = TestApp::start(Setup {
        mail: FOLDER.to_owned(),
        more,
        fake: None,
        ..Setup::with(&fake)
    })
    .await;
    let team = |name: &str, quantity| Old {
        quantity,
        ..Old::new(name)
    };
    let (alike, numbered, fewer, more) = (
        team("Alike", 2),
        team("Numbered", 3),
        team("Fewer", 1),
        team("More", 3),
    );
    let mut had: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (old, label) in [
        (&alike, "Stripe sub sub_Alike"),
        (&alike, "Stripe sub sub_Alike"),
        (&numbered, "Stripe sub sub_Numbered"),
        (&numbered, "Stripe sub sub_Numbered #2"),
        (&numbered, "Stripe sub sub_Numbered #3"),
        (&fewer, "sub_sub_Fewer"),
        (&fewer, "Stripe sub sub_Fewer"),
        (&more, "Stripe sub sub_More"),
    ] {
        let key = made_before(&fake, label, Some(old.turned_s)).await;
        had.entry(&old.name).or_default().insert(key);
    }
    let made = fake.counter("POST");
    for old in [&alike, &numbered, &fewer, &more] {
        app.door().event(&old.renewed()).await;
    }
    for (old, count, created) in [
        (&alike, 2, 0),
        (&numbered, 3, 0),
        (&fewer, 1, 0),
        (&more, 3, 2),
    ] {
        let page = with_licenses(&app, &old.machine(), count).await;
        let (ours, theirs) = (keys_of(&page), &had[old.name.as_str()]);
        assert_eq!(
            ours.iter().filter(|k| theirs.contains(**k)).count(),
            count - created,
            "{page:#}"
        );
        assert_eq!(page["licenses_created"], json!(created), "{page:#}");
        let told = page["reports"].to_string().contains("left alone");
        assert_eq!(told, old.name == "Fewer", "{page:#}");
    }
    idle(&app).await;
    assert_eq!(fake.counter("POST") - made, 2);
}
