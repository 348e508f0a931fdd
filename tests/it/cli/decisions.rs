//! What a person says reaches the license service: forgotten devices, new keys, held work.

use std::sync::Arc;

use serde_json::{Value, json};

use super::support::{CONFIG, Place, refusing, willing};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults, Kept};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

fn only(fake: &Fake) -> Option<Kept> {
    fake.licenses().into_iter().next()
}

/// The actions of a kind on a purchase's page.
fn actions(app: &TestApp, name: &str, kind: &str) -> Vec<Value> {
    let page = app.ask(&["show", &machine(name)]);
    page["actions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|a| a["kind"] == kind)
        .cloned()
        .collect()
}

/// A reset outlives a service that fails and a server that is killed, and is carried out once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_forgotten_at_the_service() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    app.door().event(&one_time("Ada", next_s())).await;
    let key = until("a license", PATIENCE, async || only(&fake))
        .await
        .license_key;
    until("a quiet server", PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
    let bind = || {
        fake.third_hand(&key, |license| {
            license.hwid_list = vec!["a".repeat(64), "b".repeat(64)]
        })
    };
    bind();
    fake.switch(|faults| faults.refuse = Some(500));
    app.ask(&[
        "reset-devices",
        &machine("Ada"),
        "--reason",
        "a new computer",
    ]);
    until("a try", PATIENCE, async || {
        (fake.counter("fault refuse") > 0 || fake.counter("PUT reset-hwid") > 0).then_some(())
    })
    .await;
    assert_eq!(only(&fake).unwrap().hwid_list.len(), 2);
    app.kill9();
    fake.switch(|faults| faults.refuse = None);
    app.restart().await;
    until("forgotten devices", PATIENCE, async || {
        only(&fake).filter(|l| l.hwid_list.is_empty())
    })
    .await;
    let done = async || {
        let resets = actions(&app, "Ada", "reset_devices");
        (resets.len() == 1 && resets[0]["outcome"] == "done").then_some(())
    };
    until("one reset that is done", PATIENCE, done).await;
    assert_eq!(
        only(&fake).unwrap().max_hwid_slots,
        2,
        "how many it allows stays"
    );
    // What the service does not take is said to whoever asked, with the way out.
    bind();
    fake.switch(|faults| faults.refuse = Some(400));
    app.ask(&["reset-devices", &machine("Ada"), "--reason", "again"]);
    let refused = async || {
        let open = app.ask(&["actions"]);
        open[0]["error"]
            .as_str()
            .filter(|_| open[0]["outcome"] == "refused")
            .map(str::to_owned)
    };
    let said = until("a refusal", PATIENCE, refused).await;
    assert!(
        said.contains("dashboard") && said.contains("keyward abandon"),
        "{said}"
    );
}

#[test]
fn the_commands_hand_words_in_and_refuse_what_makes_no_sense() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], willing);
    for (args, code) in [
        (
            vec!["rekey", "cs_live_OnetimeLifetime01", "--reason", "leaked"],
            0,
        ),
        (
            vec![
                "address",
                "cs_live_OnetimeLifetime01",
                "--to",
                "new@example.com",
                "--reason",
                "moved",
            ],
            0,
        ),
        (
            vec![
                "address",
                "cs_live_OnetimeLifetime01",
                "--to",
                "A <a@example.com>",
                "--reason",
                "moved",
            ],
            1,
        ),
        (
            vec![
                "reset-devices",
                "cs_live_OnetimeLifetime01",
                "--reason",
                "a new computer",
            ],
            0,
        ),
        (vec!["reset-devices", "cs_live_OnetimeLifetime01"], 1),
    ] {
        let said = place.run(&args);
        assert_eq!(said.code, Some(code), "{args:?}: {said}");
    }
    let page = place.run(&["show", "cs_live_OnetimeLifetime01"]);
    for said in [
        "decided: rekey (leaked)",
        "decided: address new@example.com (moved)",
        "reset_devices (a new computer)",
    ] {
        assert!(page.out.contains(said), "{said}: {page}");
    }
}

/// With `sudo -u keyward` every order comes from one account: the person behind it is kept, and read back by programs.
#[test]
fn an_order_names_the_person_behind_sudo() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], willing);
    let id = "cs_live_OnetimeLifetime01";
    let decisions = || place.run(&["show", id, "--json"]).json()["decisions"].clone();
    assert_eq!(decisions(), json!([]));
    let kept = place
        .command(&[
            "address",
            id,
            "--to",
            "eve@example.com",
            "--reason",
            "asked by mail",
        ])
        .env("USER", "keyward")
        .env("LOGNAME", "keyward")
        .env("SUDO_USER", "grace")
        .output()
        .unwrap();
    assert!(kept.status.success());
    let made = decisions();
    assert_eq!(made.as_array().map(Vec::len), Some(1), "{made}");
    assert_eq!(made[0]["author"], "grace");
    assert_eq!(made[0]["reason"], "asked by mail");
    assert_eq!(made[0]["what"], "address eve@example.com");
    let facts = place.run(&["show", id, "--json"]).json()["facts"].clone();
    let fact = facts
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["event"] == made[0]["event"]);
    assert_eq!(fact.unwrap()["at"], made[0]["at"]);
}

/// Rule 53: what a person holds is listed with the reason and not carried out, and judged again when it is let go.
#[test]
fn what_is_held_waits_until_it_is_let_go() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], refusing);
    let row = |args: &[&str]| place.run(args).json()[0].clone();
    let refused = row(&["actions", "--json"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        place.run(&["hold", &refused, "--reason", "r"]).code,
        Some(1),
        "it was refused already"
    );
    assert_eq!(place.run(&["retry", &refused]).code, Some(0));
    let id = row(&["actions", "--json"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(place.run(&["hold", &id, "--reason", " "]).code, Some(1));
    assert_eq!(
        place
            .run(&["hold", &id, "--reason", "the key is on its way by post"])
            .code,
        Some(0)
    );
    let held = row(&["actions", "--json"]);
    assert_eq!(
        (&held["outcome"], &held["next"]),
        (&json!("held"), &json!(null)),
        "{held}"
    );
    let listed = place.run(&["actions"]);
    assert!(
        listed.out.contains("the key is on its way by post"),
        "{listed}"
    );
    assert_eq!(place.run(&["retry", &id]).code, Some(0));
    assert_eq!(row(&["actions", "--json"])["outcome"], "pending");
    // Let go when nobody needs it any more, it is not carried out.
    assert_eq!(
        place.run(&["hold", &id, "--reason", "once more"]).code,
        Some(0)
    );
    assert_eq!(
        place
            .run(&["revoke", "cs_live_OnetimeLifetime01", "--reason", "fraud"])
            .code,
        Some(0)
    );
    assert_eq!(place.run(&["actions", "--json"]).json(), json!([]));
}
