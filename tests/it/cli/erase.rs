//! `keyward erase`: who a customer is goes from purchases, events, the index and mails that wait; all else stays.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp, binary};
use crate::support::purchase::{machine, next_s, one_time, session_id};
use crate::support::wait::{PATIENCE, until};

fn run(app: &TestApp, args: &[&str]) -> Output {
    Command::new(binary())
        .args(args)
        .arg("--config")
        .arg(app.config())
        .output()
        .unwrap()
}

/// Everything that the store says of anything, as text.
fn everything(app: &TestApp) -> String {
    let mut text = String::new();
    let history = app.dir().join("history.jsonl");
    let _ = std::fs::remove_file(&history);
    let target = history.to_str().unwrap().to_owned();
    let exported = run(app, &["export", &target]);
    let said = String::from_utf8_lossy(&exported.stderr).into_owned();
    assert!(exported.status.success(), "{said}");
    text += &std::fs::read_to_string(&history).unwrap();
    for name in ["Erased1", "Stays1"] {
        text += &app.ask(&["show", &machine(name)]).to_string();
        text += &app.ask(&["why", &machine(name)]).to_string();
    }
    for id in app.events().keys() {
        text += &String::from_utf8_lossy(&run(app, &["show", id]).stdout);
    }
    text.to_lowercase()
}

async fn sold(app: &TestApp, name: &str, customer: &str, person: &str) {
    let mut event = one_time(name, next_s());
    let object = &mut event["data"]["object"];
    object["customer"] = json!(customer);
    object["customer_details"]["name"] = json!(person);
    object["customer_details"]["phone"] = json!("+44 20 1234");
    object["metadata"]["note"] = json!(format!("for {person}"));
    app.door().event(&event).await;
    let made = async || {
        let page = app.ask(&["show", &machine(name)]);
        page["licenses"][0]["key"].as_str().map(str::to_owned)
    };
    until("the key", PATIENCE, made).await;
}

fn customer_told(name: &str, customer: &str, email: &str) -> Value {
    json!({
        "id": format!("evt_cus_{name}"), "object": "event", "api_version": "2025-03-31.basil",
        "created": next_s(), "livemode": true, "type": "customer.updated",
        "data": { "object": {
            "id": customer, "object": "customer", "email": email, "name": "Grace Gone",
            "livemode": true, "preferred_locales": ["de"],
        }},
    })
}

/// Before: all that names the customer.
const NAMES: [&str; 4] = [
    "erased1@customer.example",
    "grace gone",
    "grace.gone@new.example",
    "third@new.example",
];

/// Two customers; one of them has a record at Stripe and an address that a person set.
async fn shop() -> TestApp {
    let app = TestApp::start(Setup::embedded()).await;
    sold(&app, "Erased1", "cus_gone", "Grace Gone").await;
    sold(&app, "Stays1", "cus_stays", "Linus Longer").await;
    let record = customer_told("Erased1", "cus_gone", "grace.gone@new.example");
    app.door().event(&record).await;
    let id = machine("Erased1");
    let args = [
        "address",
        &id,
        "--to",
        "third@new.example",
        "--reason",
        "asked",
    ];
    assert!(run(&app, &args).status.success());
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_a_customer_is_goes_and_what_was_bought_stays() {
    let app = shop().await;
    let before = app.ask(&["show", &machine("Erased1")]);
    let told = everything(&app);
    for name in NAMES {
        assert!(told.contains(name), "{name} is there before: {told}");
    }
    let who = "third@new.example";
    let dry = app.ask(&["erase", who]);
    assert_eq!(dry["purchases"].as_array().unwrap().len(), 1, "{dry}");
    assert_eq!(
        (&dry["applied"], &dry["events"]),
        (&json!(false), &json!(2))
    );
    let order = |n| {
        [
            "erase",
            who,
            "--apply",
            "--expect",
            n,
            "--reason",
            "a request",
        ]
    };
    assert_eq!(run(&app, &order("2")).status.code(), Some(1));
    let told = everything(&app);
    assert!(
        NAMES.iter().all(|name| told.contains(name)),
        "nothing was changed"
    );
    assert_eq!(app.ask(&order("1"))["applied"], true);

    let told = everything(&app);
    for name in NAMES.iter().chain(&["grace", "erased1@"]) {
        let at = told.find(name);
        let around = at.map(|at| &told[at.saturating_sub(90)..at + 20]);
        assert_eq!(around, None, "{name} is there still");
    }
    assert!(told.contains("linus longer") && told.contains("stays1@customer.example"));
    let after = app.ask(&["show", &machine("Erased1")]);
    for field in ["licenses", "state", "id"] {
        assert_eq!(after[field], before[field]);
    }
    let by_session = app.ask(&["show", &session_id("Erased1")]);
    assert_eq!(by_session["id"], before["id"]);
    let found = run(&app, &["find", who]);
    assert!(!String::from_utf8_lossy(&found.stdout).contains("Erased1"));
    let checked = run(&app, &["verify"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}");
    assert_eq!(app.ask(&["erase", "cus_gone"])["events"], 0);
}

/// What was ordered for a customer counts for nobody any more, and names nobody; another customer's counts on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_about_a_customer_name_nobody_afterwards() {
    let mut app = shop().await;
    for (whom, why) in [
        ("cus_gone", "Grace's own wish"),
        ("cus_stays", "Linus asked"),
    ] {
        let args = ["override", whom, "on_refund=keep", "--reason", why];
        assert!(run(&app, &args).status.success(), "{whom}");
    }
    let held = |app: &TestApp| app.ask(&["held"])["holding"]["orders"].to_string();
    assert!(held(&app).contains("cus_gone"), "{}", held(&app));
    let order = ["--apply", "--expect", "1", "--reason", "a request"];
    app.ask(&[&["erase", "cus_gone"][..], &order].concat());
    for restarted in [false, true] {
        if restarted {
            app.kill9();
            app.restart().await;
        }
        let orders = held(&app);
        assert!(
            !orders.contains("cus_gone") && !orders.contains("Grace"),
            "{orders}"
        );
        assert!(
            orders.contains("erased") && orders.contains("cus_stays"),
            "{orders}"
        );
    }
    // Who comes again is a stranger, and nobody hears an order twice.
    sold(&app, "Again1", "cus_gone", "Nobody").await;
    let again = app.ask(&["why", &machine("Again1")]).to_string();
    assert!(!again.contains("override"), "{again}");
    sold(&app, "Stays2", "cus_stays", "Linus Longer").await;
    let times = |name: &str| {
        let page = run(&app, &["show", &machine(name)]).stdout;
        let page = String::from_utf8_lossy(&page).into_owned();
        page.matches("Linus asked").count()
    };
    assert!(times("Stays2") > 0);
    assert_eq!(times("Stays1"), times("Stays2"), "told once");
}

/// Moves every instant of an event by so many seconds.
fn moved(value: &mut Value, by_s: i64) {
    match value {
        Value::Number(n) => {
            if let Some(at) = n.as_i64().filter(|at| *at > 1_500_000_000) {
                *value = json!(at + by_s);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| moved(item, by_s)),
        Value::Object(fields) => fields.values_mut().for_each(|inside| moved(inside, by_s)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_not_over_is_left() {
    let mut setup = Setup::embedded();
    setup.more = "[[plan]]\nname = \"pro\"\nprices = [\"price_pro_monthly\"]\n".to_owned();
    let app = TestApp::start(setup).await;
    let history = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/histories/renewal/history.jsonl"
    );
    let history = std::fs::read_to_string(history).unwrap();
    let events = history.lines().map(|l| serde_json::from_str(l).unwrap());
    let mut events: Vec<Value> = events.collect();
    let began = events[0]["created"].as_i64().unwrap();
    for event in &mut events {
        moved(event, next_s() - began);
    }
    // Until the first payment.
    let of_today = |e: &&Value| e["created"].as_i64().unwrap() < next_s() + 3_600;
    for event in events.iter().filter(of_today) {
        app.door().event(event).await;
    }
    let live = async || {
        let page = app.ask(&["show", "sub_Renewal01"]);
        (page["licenses"][0]["status"] == "live").then_some(())
    };
    until("the license", PATIENCE, live).await;
    let dry = app.ask(&["erase", "ada@example.com"]);
    assert_eq!(dry["purchases"][0]["runs"], true, "{dry}");
    let order = ["--apply", "--expect", "1", "--reason", "a request"];
    let refused = run(&app, &[&["erase", "ada@example.com"][..], &order].concat());
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("nothing was erased"), "{said}");
    let found = app.ask(&["find", "ada@example.com"]);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
}

/// Hands in what never got paid, several at a time: purchases without licenses.
async fn hand_in(app: &TestApp, names: &[String], customer: &Value, email: &str) {
    for some in names.chunks(64) {
        let mut under_way = tokio::task::JoinSet::new();
        for name in some {
            let mut event = one_time(name, next_s());
            event["type"] = json!("checkout.session.expired");
            let object = &mut event["data"]["object"];
            (object["customer"], object["customer_details"]["email"]) =
                (customer.clone(), json!(email));
            (object["status"], object["payment_status"]) = (json!("expired"), json!("unpaid"));
            let door = app.door().clone();
            under_way.spawn(async move { door.event(&event).await });
        }
        under_way.join_all().await;
    }
}

/// Whoever bought more often than is shown of anybody is erased from all of it, not from what a page holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_who_bought_very_often_nothing_is_left() {
    let app = TestApp::start(Setup::embedded()).await;
    let names = |of: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("{of}{n}")).collect()
    };
    let (known, guest) = (names("Known", 1_005), names("Guest", 105));
    hand_in(&app, &known, &json!("cus_often"), "often@customer.example").await;
    hand_in(&app, &guest, &Value::Null, "guest@customer.example").await;
    for (who, count) in [
        ("cus_often", known.len()),
        ("guest@customer.example", guest.len()),
    ] {
        let dry = app.ask(&["erase", who]);
        let purchases = dry["purchases"].as_array().unwrap().len();
        assert_eq!((purchases, &dry["events"]), (count, &json!(count)), "{who}");
        let count = count.to_string();
        let order = ["--apply", "--expect", &count, "--reason", "a request"];
        let erased = app.ask(&[&["erase", who][..], &order].concat());
        assert_eq!(erased["applied"], true);
    }
    let history = app.dir().join("history.jsonl");
    let exported = run(&app, &["export", history.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    let left = std::fs::read_to_string(&history).unwrap();
    assert_eq!(left.matches("@customer.example").count(), 0);
}

/// Customers are called what Stripe's own words are, and one's address ends another's: only what is the person's goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_out_of_stripe_s_words_takes_none_of_them() {
    let app = TestApp::start(Setup::embedded()).await;
    for (name, person) in [
        ("Anna1", "complete"),
        ("Joanna1", "Joanna Other"),
        ("Chris1", "checkout"),
        ("Paula1", "paid"),
    ] {
        sold(&app, name, &format!("cus_{name}"), person).await;
    }
    let history = |app: &TestApp, file: &str| {
        let file = app.dir().join(file).to_str().unwrap().to_owned();
        assert!(run(app, &["export", &file]).status.success());
        let replayed = run(app, &["replay", &file, "--format", "json"]);
        let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
        assert!(replayed.status.success(), "{said}");
        let report: Value = serde_json::from_slice(&replayed.stdout).unwrap();
        let machines = report["machines"].as_array().unwrap().clone();
        let outcome = |m: &Value| json!([m["id"], m["state"], m["licenses"]]);
        let outcomes: Vec<Value> = machines.iter().map(outcome).collect();
        (outcomes, std::fs::read_to_string(file).unwrap())
    };
    let (before, _) = history(&app, "before.jsonl");
    assert_eq!(before.len(), 4);
    for name in ["anna1", "chris1", "paula1"] {
        let who = format!("{name}@customer.example");
        let order = ["--apply", "--expect", "1", "--reason", "a request"];
        let erased = app.ask(&[&["erase", &who][..], &order].concat());
        assert_eq!(erased["events"], 1, "{erased}");
    }
    let (after, text) = history(&app, "after.jsonl");
    assert_eq!(after, before);
    assert!(text.contains("joanna1@customer.example") && text.contains("for Joanna Other"));
    for gone in ["\"anna1@", "for complete", "for checkout", "for paid"] {
        assert!(!text.contains(gone), "{gone} is there still");
    }
    let binary = binary().to_str().unwrap().to_owned();
    let rehearsed = app.ask(&["rehearse", "--binary", &binary]);
    assert_eq!(
        (&rehearsed["machines"], &rehearsed["differ"]),
        (&json!(4), &json!([]))
    );
}
