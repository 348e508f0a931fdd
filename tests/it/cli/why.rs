//! `why`: what decided, when time alone did, and what was known when.

use serde_json::{Value, json};

use super::support::{CONFIG, Place, refusing, willing};

const LAPSED: &str = "sub_FailingStaysPastDue01";

fn filled() -> Place {
    let place = Place::with(CONFIG);
    place.fill(
        &[
            "failing-stays-past-due",
            "refund-full",
            "dispute-open",
            "cancel-at-period-end",
        ],
        willing,
    );
    place
}

fn why(place: &Place, args: &[&str]) -> Value {
    let said = place.run(&[&["why"], args, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    said.json()[0].clone()
}

fn decided_by(page: &Value) -> (&str, &str) {
    let license = &page["licenses"][0];
    let text = |v: &'static str| license["decided_by"][v].as_str().unwrap_or_default();
    (text("type"), text("event"))
}

#[test]
fn any_id_leads_to_its_purchase() {
    let place = filled();
    for (text, machine) in [
        ("re_RefundFull01", "stripe/cs_live_RefundFull01"),
        ("dp_DisputeOpen01", "stripe/cs_live_DisputeOpen01"),
        ("si_CancelAtPeriodEnd01", "stripe/sub_CancelAtPeriodEnd01"),
        // What a renewal's events carry.
        (
            "inpay_FailingStaysPastDue02",
            "stripe/sub_FailingStaysPastDue01",
        ),
        (
            "il_FailingStaysPastDue02_1",
            "stripe/sub_FailingStaysPastDue01",
        ),
        // Labels, as the license service shows them.
        (
            "Stripe sub sub_FailingStaysPastDue01",
            "stripe/sub_FailingStaysPastDue01",
        ),
        (
            "Stripe sub sub_FailingStaysPastDue01 #2",
            "stripe/sub_FailingStaysPastDue01",
        ),
        (
            "Stripe session cs_live_RefundFull01",
            "stripe/cs_live_RefundFull01",
        ),
        (
            "sub_sub_FailingStaysPastDue01",
            "stripe/sub_FailingStaysPastDue01",
        ),
        // The name of an action, and a key as somebody reads it out.
        (
            "stripe/cs_live_RefundFull01#1",
            "stripe/cs_live_RefundFull01",
        ),
        ("key-CS_live_refundfull01-1", "stripe/cs_live_RefundFull01"),
    ] {
        assert_eq!(why(&place, &[text])["machine"], machine, "{text}");
    }
}

#[test]
fn a_charge_that_no_event_named_is_asked_for_by_its_payment() {
    let place = filled();
    for args in [["why", "ch_Renewal"], ["find", "ch_Renewal"]] {
        let said = place.run(&args);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.err.contains("`pi_…`"), "{said}");
    }
    let label = place.run(&["why", "Stripe sub sub_Nobody"]);
    assert_eq!(label.code, Some(1), "{label}");
}

#[test]
fn it_names_the_fact_the_row_and_the_policy_s_line() {
    let place = filled();
    let page = why(&place, &["cs_live_RefundFull01"]);
    let license = &page["licenses"][0];
    assert_eq!(license["should_be"], "revoked", "{page:#}");
    assert!(decided_by(&page).0.contains("refund"), "{page:#}");
    assert_eq!(license["policy"]["key"], "on_refund", "{page:#}");
    assert_eq!(license["row"]["refund"], "taken back", "{page:#}");
    let acts: Vec<&str> = license["actions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|a| a["kind"].as_str())
        .collect();
    assert_eq!(acts, ["create_license", "revoke_license"], "{page:#}");
    // The same by the key and by the event.
    let event = decided_by(&page).1.to_owned();
    assert_eq!(why(&place, &[&event])["licenses"], page["licenses"]);
    assert_eq!(
        why(&place, &["KEY-cs_live_RefundFull01-1"])["licenses"],
        page["licenses"]
    );
    let disputed = why(&place, &["cs_live_DisputeOpen01"]);
    assert_eq!(
        disputed["licenses"][0]["policy"]["key"], "on_dispute",
        "{disputed:#}"
    );
    let ending = why(&place, &["sub_CancelAtPeriodEnd01"]);
    assert_eq!(
        ending["licenses"][0]["policy"]["key"], "on_cancel",
        "{ending:#}"
    );
}

/// A license that is simply paid for ends later than what was paid, and the page says by which line, and since when that holds.
#[test]
fn the_end_of_what_is_simply_paid_for_is_explained() {
    let place = filled();
    let page = why(&place, &["sub_CancelAtPeriodEnd01", "--at", "2026-01-10"]);
    let license = &page["licenses"][0];
    let instant = |v: &Value| -> i64 {
        let at: keyward::domain::time::Timestamp = serde_json::from_value(v.clone()).unwrap();
        at.s()
    };
    let added = instant(&license["until"]) - instant(&license["paid_until"]);
    assert_eq!(added, 3 * 86_400, "{page:#}");
    let policy = &license["policy"];
    assert_eq!(
        (&policy["key"], &policy["value"]),
        (&json!("expiry_margin"), &json!("3d")),
        "{page:#}"
    );
    assert!(policy["revision"].is_string(), "{page:#}");
    let said = place.run(&["why", "sub_CancelAtPeriodEnd01", "--at", "2026-01-10"]);
    assert!(
        said.out.contains("  paid until    2026-")
            && said.out.contains("expiry_margin = \"3d\", revision of "),
        "{said}"
    );
    // What was bought once has no margin, and a cancelled one none either.
    let ending = why(&place, &["sub_CancelAtPeriodEnd01"]);
    assert_eq!(
        ending["licenses"][0]["paid_until"],
        Value::Null,
        "{ending:#}"
    );
    let bought = why(&place, &["cs_live_RefundFull01", "--at", "2026-01-01"]);
    assert_ne!(
        bought["licenses"][0]["policy"]["key"], "expiry_margin",
        "{bought:#}"
    );
}

/// Two clocks: how it was, and how we knew it.
#[test]
fn it_tells_what_was_so_and_what_was_known() {
    let place = filled();
    let lapsed = why(&place, &[LAPSED, "--at", "2026-03-01"]);
    assert_eq!(lapsed["state"], "lapsed", "{lapsed:#}");
    let license = &lapsed["licenses"][0];
    assert_eq!(license["should_be"], "suspended", "{lapsed:#}");
    assert_eq!(license["by_time_at"], "2026-02-21T11:00:05Z", "{lapsed:#}");
    assert_eq!(license["policy"]["key"], "at_grace_end", "{lapsed:#}");
    assert_eq!(
        decided_by(&lapsed),
        ("invoice.payment_failed", "evt_FailingStaysPastDue09")
    );
    let paid = why(&place, &[LAPSED, "--at", "2026-03-14"]);
    assert_eq!(paid["state"], "active", "{paid:#}");
    // The payment of the 13th was not known on the 1st.
    let known = why(
        &place,
        &[LAPSED, "--at", "2026-03-14", "--known-at", "2026-03-01"],
    );
    assert_eq!(known["state"], "lapsed", "{known:#}");
    assert_eq!(known["next"], json!([]), "{known:#}");
}

#[test]
fn it_writes_a_paragraph_for_the_customer() {
    let place = filled();
    let said = place.run(&["why", LAPSED, "--at", "2026-03-01", "--for-customer"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.out.contains("works again as soon as it is paid"),
        "{said}"
    );
    assert!(
        !said.out.contains("KEY-") && !said.out.contains("lapsed"),
        "{said}"
    );
    let nobody = place.run(&["why", "sub_nobody"]);
    assert_eq!(nobody.code, Some(1), "{nobody}");
}

/// What should be is not what is.
#[test]
fn a_license_whose_making_is_refused_is_not_said_to_work() {
    let place = Place::with(CONFIG);
    place.fill(&["onetime-lifetime"], refusing);
    let said = place.run(&["why", "cs_live_OnetimeLifetime01", "--for-customer"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.out
            .contains("is paid, but the key is not there yet. We have been told"),
        "{said}"
    );
    assert!(!said.out.contains("works"), "{said}");
}

#[test]
fn a_purchase_that_no_plan_names_names_its_price_and_has_a_sentence() {
    let place = Place::with(&CONFIG.replace("prices = [\"*\"]", "prices = [\"price_none\"]"));
    place.fill(&["sub-by-api"], willing);
    let said = place.run(&["why", "sub_SubByApi01"]);
    assert!(
        said.out
            .contains("it sells no license: no plan names price_"),
        "{said}"
    );
    let said = place.run(&["why", "sub_SubByApi01", "--for-customer"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(
        said.out, "This purchase doesn't include a license key.\n",
        "{said}"
    );
}

#[test]
fn a_purchase_whose_events_name_no_price_says_who_could_tell() {
    let place = Place::with(CONFIG);
    place.fill(&["payment-link-unresolved"], willing);
    let page = why(&place, &["cs_live_PaymentLinkUnresolved01"]);
    assert_eq!(page["bought_unknown"], json!(true), "{page:#}");
    let said = place.run(&["why", "cs_live_PaymentLinkUnresolved01"]);
    assert!(
        said.out.contains("its events do not say what was bought"),
        "{said}"
    );
}

#[test]
fn what_was_done_after_the_instant_is_not_there_yet() {
    let place = filled();
    let kinds = |page: &Value| -> Vec<String> {
        let actions = page["licenses"][0]["actions"].as_array();
        let kinds = actions.into_iter().flatten();
        kinds
            .map(|a| a["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let today = why(&place, &["cs_live_RefundFull01"]);
    let made = today["licenses"][0]["actions"][0]["at"].clone();
    let then = why(
        &place,
        &["cs_live_RefundFull01", "--at", made.as_str().unwrap()],
    );
    assert_eq!(kinds(&then), ["create_license"], "{then:#}");
    let ahead = why(&place, &["cs_live_RefundFull01", "--at", "2099-01-01"]);
    assert_eq!(kinds(&ahead), kinds(&today), "{ahead:#}");
    assert_eq!(ahead["next"], json!([]), "{ahead:#}");
}

#[test]
fn before_a_purchase_nothing_was_known_of_it() {
    let place = filled();
    let early = place.run(&["why", LAPSED, "--at", "2020-01-01"]);
    assert_eq!(early.code, Some(0), "{early}");
    assert!(
        early
            .out
            .contains("nothing was known of it then: its first event"),
        "{early}"
    );
    assert!(!early.out.contains("sells no license"), "{early}");
    let page = why(&place, &[LAPSED, "--at", "2020-01-01"]);
    assert_eq!(page["for_customer"], "This purchase had not been made yet.");
    assert!(page["begins"]["event"].is_string(), "{page:#}");
    assert!(why(&place, &[LAPSED])["begins"].is_null());
    // The same by what was heard.
    let unheard = why(&place, &[LAPSED, "--known-at", "2020-01-01"]);
    assert_eq!(
        unheard["for_customer"],
        "This purchase had not been made yet."
    );
}

#[test]
fn a_customer_hears_nothing_of_what_they_bought_later() {
    let place = Place::with(CONFIG);
    place.fill(&["resubscribe-after-refund"], willing);
    let of = |at: &str| place.run(&["why", "ada@example.com", "--for-customer", "--at", at]);
    // The first was refunded in January; they came back in February.
    let between = of("2026-01-25");
    assert_eq!(between.code, Some(0), "{between}");
    assert_eq!(between.out.lines().count(), 1, "{between}");
    assert!(between.out.contains("refunded"), "{between}");
    let before = of("2020-01-01");
    assert!(before.out.contains("had not been made yet"), "{before}");
    assert_eq!(of("2026-02-10").out.lines().count(), 2, "both by then");
}

#[test]
fn nobody_knows_what_will_be_known() {
    let place = filled();
    let said = place.run(&["why", LAPSED, "--known-at", "2999-01-01"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.err.contains("yet to come"), "{said}");
    let bare = place.run(&["why", LAPSED, "--at", "5"]);
    assert_eq!(bare.code, Some(1), "{bare}");
    assert!(bare.err.contains("5d"), "{bare}");
}
