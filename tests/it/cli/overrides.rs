//! `override`: what one customer has of their own is kept, shown, told of to later purchases, and ended.

use std::sync::Arc;

use serde_json::{Value, json};

use super::support::{CONFIG, Place, willing};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{machine, next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

const WHOM: &str = "cus_own";

/// Somebody buys once.
async fn buys(app: &TestApp, name: &str, customer: &str) {
    let mut event = one_time(name, next_s());
    event["data"]["object"]["customer"] = customer.into();
    app.door().event(&event).await;
    until("a license", PATIENCE, async || {
        (status(app, name) == "live").then_some(())
    })
    .await;
}

/// Half of the money goes back.
async fn gets_half_back(app: &TestApp, name: &str, at_s: i64) {
    let mut event = refund(name, at_s);
    let charge = &mut event["data"]["object"];
    (charge["amount_refunded"], charge["refunded"]) = (json!(2450), json!(false));
    app.door().event(&event).await;
}

fn status(app: &TestApp, name: &str) -> String {
    let page = app.ask(&["show", &machine(name)]);
    let status = page["licenses"][0]["status"].as_str();
    status.unwrap_or_default().to_owned()
}

fn ask(app: &TestApp, values: &[&str]) -> Value {
    let args = [&["override", WHOM, "--reason", "a large customer"], values];
    app.ask(&args.concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_customer_has_of_their_own_judges_what_happens_from_then_on() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let mut app = TestApp::start(Setup::with(&fake)).await;
    buys(&app, "Before", WHOM).await;
    buys(&app, "Stranger", "cus_other").await;
    gets_half_back(&app, "Before", next_s() - 2).await;
    let given = ask(&app, &["on_refund=keep", "on_partial_refund=50%"]);
    assert_eq!(given["machines"], json!([machine("Before")]), "{given}");
    app.kill9();
    app.restart().await;
    // A purchase that comes later has it, too; another customer's has not.
    buys(&app, "Later", WHOM).await;
    for name in ["Later", "Stranger"] {
        gets_half_back(&app, name, next_s()).await;
    }
    until("half of it back ends it", PATIENCE, async || {
        (status(&app, "Later") == "revoked").then_some(())
    })
    .await;
    assert_eq!(status(&app, "Before"), "live", "that was before");
    assert_eq!(status(&app, "Stranger"), "live", "as the policy says");
    // The money went back in the second that comes.
    let line = until("why says so", PATIENCE, async || {
        let why = app.ask(&["why", &machine("Later")]);
        let line = why[0]["licenses"][0]["policy"].clone();
        (line["key"] == "on_partial_refund").then_some(line)
    })
    .await;
    assert_eq!(line["value"], "50%", "{line}");
    assert!(line["overridden"].is_string(), "{line}");
    let orders = app.ask(&["held"])["holding"]["orders"].clone();
    let kept = orders.as_array().unwrap().iter();
    let kept: Vec<&Value> = kept.filter(|o| o["kind"] == "override").collect();
    assert_eq!(kept.len(), 1, "{orders}");
    assert_eq!(kept[0]["reason"], "a large customer");
    assert_eq!(kept[0]["values"]["on_partial_refund"], "50%", "{orders}");

    let ended = ask(&app, &["--end"]);
    assert_eq!(
        ended["machines"].as_array().map(Vec::len),
        Some(2),
        "{ended}"
    );
    buys(&app, "AfterIt", WHOM).await;
    gets_half_back(&app, "AfterIt", next_s()).await;
    until("it is told", PATIENCE, async || {
        let page = app.ask(&["show", &machine("AfterIt")]);
        page.to_string().contains("partly_refunded").then_some(())
    })
    .await;
    assert_eq!(status(&app, "AfterIt"), "live", "as the policy says");
    assert_eq!(status(&app, "Later"), "revoked", "what happened stays");
}

#[test]
fn what_cannot_be_overridden_is_refused_and_a_decision_without_a_customer_is_the_purchase_s() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime", "sub-checkout"], willing);
    let because = ["--reason", "a test"];
    for (args, says) in [
        (&["override", "sub_nobody", "grace=30d"][..], "no purchase"),
        (
            &["override", "sub_SubCheckout01", "trial=none"],
            "cannot be overridden",
        ),
        (
            &["override", "sub_SubCheckout01", "grace=soon"],
            "a span like 30d",
        ),
        (
            &["override", "sub_SubCheckout01", "grace=10d", "grace=20d"],
            "`grace` is set twice: `grace=10d` and `grace=20d`",
        ),
        (
            &["override", "sub_SubCheckout01", "grace"],
            "a key and its value",
        ),
        (
            &[
                "override",
                "sub_SubCheckout01",
                "grace=30d",
                "--until",
                "2020-01-01",
            ],
            "over already",
        ),
        (
            &["override", "sub_SubCheckout01", "--end"],
            "nothing to end: the plan's policy counts",
        ),
        (
            &["override", "sub_SubCheckout01", "--end"],
            "`keyward why ID` says",
        ),
        (&["override", "sub_SubCheckout01"], "required"),
    ] {
        let said = place.run(&[args, &because].concat());
        assert_eq!(said.code, Some(1), "{args:?}: {said}");
        assert!(said.err.contains(says), "{args:?}: {said}");
    }
    let alone = "cs_live_OnetimeLifetime01";
    let given = place.run(&[&["override", alone, "on_refund=keep"][..], &because].concat());
    assert_eq!(given.code, Some(0), "{given}");
    let held = place.run(&["held", "--json"]).json();
    assert_eq!(held["holding"]["orders"], json!([]), "nobody else's");
    let page = place.run(&["show", alone]);
    let said = "decided: override on_refund = keep (a test)";
    assert!(page.out.contains(said), "{page}");
    let ended = place.run(&[&["override", alone, "--end"][..], &because].concat());
    assert_eq!(ended.code, Some(0), "{ended}");
}
