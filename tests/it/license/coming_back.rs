//! A customer gets back what was stopped: after a dispute that was won, and after a refund by a person's word.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults, Kept};
use crate::support::purchase::{machine, next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

/// A dispute of a purchase, opened or closed.
fn dispute(name: &str, kind: &str, status: &str, created_s: i64) -> Value {
    json!({
        "id": format!("evt_{kind}_{name}"),
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": created_s,
        "livemode": true,
        "type": format!("charge.dispute.{kind}"),
        "data": { "object": {
            "id": format!("dp_{name}"),
            "object": "dispute",
            "amount": 4900,
            "charge": format!("ch_{name}"),
            "created": created_s,
            "currency": "usd",
            "livemode": true,
            "payment_intent": format!("pi_{name}"),
            "reason": "fraudulent",
            "status": status,
        }},
    })
}

/// The first license of the service once it is as expected.
async fn first(fake: &Fake, what: &str, is: impl Fn(&Kept) -> bool) -> Kept {
    let look = async || fake.licenses().into_iter().next().filter(&is);
    until(what, PATIENCE, look).await
}

/// The licenses on a purchase's page, once they are as expected.
async fn shown(app: &TestApp, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || Some(app.ask(&["show", &machine("Ada")])).filter(|page| is(page));
    until(what, PATIENCE, look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_for_life_comes_back_for_life_though_the_service_takes_no_end_away() {
    let faults = Faults {
        for_life: "refuse".to_owned(),
        ..Faults::default()
    };
    let fake = Arc::new(Fake::start(faults).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    let at = next_s();
    app.door().event(&one_time("Ada", at)).await;
    first(&fake, "a license", |l| l.expires_at.is_none()).await;
    app.door()
        .event(&dispute("Ada", "created", "needs_response", at + 1))
        .await;
    first(&fake, "a stop", |l| l.expires_at.is_some()).await;
    shown(&app, "a stop that is known", |page| {
        page["licenses"][0]["status"] == "suspended"
    })
    .await;
    app.door()
        .event(&dispute("Ada", "closed", "won", at + 2))
        .await;
    let page = shown(&app, "a license that works", |page| {
        page["licenses"][0]["status"] == "live"
    })
    .await;
    assert_eq!(page["licenses"][0]["expires_at"], Value::Null, "{page:#}");
    let kept = fake.licenses().remove(0);
    assert_eq!(
        kept.expires_at.unwrap().to_rfc3339(),
        "2099-12-31T12:00:00+00:00"
    );
    // Nobody is shown the date that stands for none.
    for asked in [&["why"][..], &["show"]] {
        let said = app.ask(&[asked, &[&machine("Ada")]].concat()).to_string();
        assert!(!said.contains("2099"), "{asked:?}: {said}");
    }
    assert_eq!(app.ask(&["actions"]), json!([]));
}

/// Buys, has the money sent back, and lets a person say that the customer keeps the license. A probe's license stands before it.
async fn refunded_and_kept(app: &TestApp, fake: &Fake) {
    let (at, before) = (next_s(), fake.licenses().len());
    let made = |status: &'static str| {
        async move || {
            fake.licenses()
                .into_iter()
                .nth(before)
                .filter(|l| l.status == status)
        }
    };
    app.door().event(&one_time("Ada", at)).await;
    until("a license", PATIENCE, made("active")).await;
    app.door().event(&refund("Ada", at + 1)).await;
    until("a revocation", PATIENCE, made("revoked")).await;
    shown(app, "a revocation that is known", |page| {
        page["licenses"][0]["status"] == "revoked"
    })
    .await;
    app.ask(&["keep", &machine("Ada"), "--reason", "it was our mistake"]);
}

async fn probed(faults: Faults) -> (Arc<Fake>, TestApp) {
    let fake = Arc::new(Fake::start(faults).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    app.ask(&["probe", "--app", "app_probe", "--yes"]);
    app.kill9();
    app.restart().await;
    (fake, app)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_keep_a_refunded_license_gets_it_back_where_a_revocation_can_be_undone() {
    let (fake, app) = probed(Faults::default()).await;
    refunded_and_kept(&app, &fake).await;
    let page = shown(&app, "a license that works", |page| {
        page["licenses"][0]["status"] == "live"
    })
    .await;
    assert_eq!(page["licenses"].as_array().unwrap().len(), 1, "{page:#}");
    let kept = fake.licenses().pop().unwrap();
    assert_eq!((kept.status.as_str(), fake.licenses().len()), ("active", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_a_new_key_where_it_cannot() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup::with(&fake)).await;
    refunded_and_kept(&app, &fake).await;
    let page = shown(&app, "a new key", |page| {
        page["licenses"].as_array().unwrap().len() == 2
    })
    .await;
    let states: Vec<&str> = page["licenses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["status"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["revoked", "live"], "{page:#}");
}

/// The probe was right once, and now it is refused: nobody is left without a word of what helps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_to_undo_it_names_the_command_that_helps() {
    let (fake, app) = probed(Faults::default()).await;
    fake.switch(|f| f.refuse_activate = true);
    refunded_and_kept(&app, &fake).await;
    let refused = async || {
        let open = app.ask(&["actions"]);
        Some(open).filter(|open| open[0]["outcome"] == "refused")
    };
    let open = until("a refusal", PATIENCE, refused).await;
    let waits = app.ask(&["attention"]);
    assert!(
        waits.to_string().contains("keyward rekey"),
        "{open:#} {waits:#}"
    );
    app.ask(&[
        "rekey",
        &machine("Ada"),
        "--reason",
        "it does not come back",
    ]);
    shown(&app, "a new key", |page| {
        page["licenses"][1]["status"] == "live"
    })
    .await;
}
