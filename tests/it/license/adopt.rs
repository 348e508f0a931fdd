//! Customers of before keep the key that they have (rule 52): whatever event of an old purchase comes first, and
//! whoever labelled its license, that license is found and goes on, or ends. None is made, and no key is mailed.

mod copy;
mod devices;
mod seats;
mod story;

use std::collections::BTreeMap;
use std::sync::Arc;

use keyward::clock::Clock;
use keyward::domain::id::AppId;
use keyward::domain::plan::Devices;
use keyward::domain::time::Timestamp;
use keyward::effects::license::{Client, ClientConfig, NewLicense};
use keyward::secret::Secret;
use serde_json::{Value, json};

use self::story::{DAY_S, Old};
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{API_KEY, Fake, Faults, Kept};
use crate::support::purchase::{machine, one_time, session_id};
use crate::support::wait::{PATIENCE, within};
use seats::with_licenses;

/// A plan for the price of every old subscription.
const PLAN: &str =
    "[[plan]]\nname = \"tool\"\nprices = [\"price_tool\"]\nlicense = { devices = 2 }\n";
/// How the vendor's own handler labelled some.
const ADOPT: &str = "[adopt]\nlabels = [\"shop/{invoice}\", \"Shop order of {sub}, paid\", \"{session}@shop\"]\n\n[guard]\nmax_hurtful = 1000\n";
const FOLDER: &str = "transport = \"folder\"\npath = \"./mail\"\n";

/// Events of an old subscription.
type Events = fn(&Old) -> Vec<Value>;

/// What comes first of an old subscription, in the order of its coming, and what becomes of its license.
const FIRST: [(&str, Events, Then); 9] = [
    ("renewed", |o| vec![o.renewed()], Then::Extended),
    ("failed", |o| vec![o.failed()], Then::Live),
    ("updated", |o| vec![o.updated("active")], Then::Extended),
    ("late", |o| vec![o.updated("past_due")], Then::Live),
    ("deleted", |o| vec![o.deleted()], Then::RunsOut),
    ("ran-out", |o| vec![o.ran_out()], Then::Over),
    (
        "refunded",
        |o| vec![o.refunded(), o.renewed()],
        Then::Revoked,
    ),
    ("disputed", |o| vec![o.disputed(), o.renewed()], Then::Over),
    (
        "failed-ended",
        |o| vec![o.failed(), o.deleted()],
        Then::Over,
    ),
];

/// How its license may be labelled; a session's label needs the event that links the two.
const LABELS: [&str; 12] = [
    "Stripe sub {sub}",
    "Stripe sub {sub} #2",
    "Stripe sub {sub} #3",
    "sub_{sub}",
    "{sub}",
    "Stripe session {session}",
    "Stripe session {session} #2",
    "{session}",
    "Stripe invoice {invoice}",
    "shop/{invoice}",
    "Shop order of {sub}, paid",
    "{session}@shop",
];

/// What becomes of a license.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// It works to the end of the period and its margin. One that had no end keeps that: another hand gave it.
    Extended,
    /// It works to its own end, if that is no later than the period's.
    RunsOut,
    /// Not yet: in the first minutes no snapshot speaks for a payment, unless a checkout was paid.
    Waits,
    /// It works.
    Live,
    /// It does not work any more, and was not revoked.
    Over,
    Revoked,
}

impl Then {
    fn holds(self, old: &Old, had: Option<i64>, license: &Kept) -> bool {
        let (active, ends) = (
            license.status == "active",
            license.expires_at.map(|at| at.timestamp()),
        );
        let live = active && ends.is_none_or(|end| end > Clock::Wall.now().s());
        match self {
            Self::Extended => active && ends == had.map(|_| old.ends_s() + 3 * DAY_S),
            Self::RunsOut => active && ends == Some(had.unwrap_or(i64::MAX).min(old.ends_s())),
            Self::Waits => active && ends == had,
            Self::Live => live,
            Self::Over => active && !live,
            Self::Revoked => license.status == "revoked",
        }
    }
}

/// What another handler made before us.
async fn made_before(fake: &Fake, label: &str, expires_s: Option<i64>) -> String {
    let client = Client::new(ClientConfig::new(fake.base(), Secret::new(API_KEY))).unwrap();
    let expires_at = expires_s.map(Timestamp::from_s);
    let (app_id, label) = (AppId::new("app_test"), label.to_owned());
    let new = NewLicense {
        app_id,
        label,
        expires_at,
        devices: Devices::Count(2),
    };
    client
        .create(&new)
        .await
        .done()
        .unwrap()
        .key
        .reveal()
        .to_owned()
}

fn kept(fake: &Fake, key: &str) -> Kept {
    fake.licenses()
        .into_iter()
        .find(|l| l.license_key == key)
        .unwrap()
}

/// Mails that hold a license key.
fn mailed_keys(app: &TestApp, fake: &Fake) -> Vec<String> {
    let folder = std::fs::read_dir(app.dir().join("mail"))
        .into_iter()
        .flatten();
    let mails: Vec<String> = folder
        .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    let keys = fake.licenses().into_iter().map(|l| l.license_key);
    keys.filter(|key| mails.iter().any(|mail| mail.contains(key)))
        .collect()
}

async fn idle(app: &TestApp) {
    let rest = within(PATIENCE, async || {
        (app.ask(&["actions"]) == json!([])).then_some(())
    })
    .await;
    assert!(rest.is_some(), "{:#}", app.ask(&["actions"]));
}

/// Every kind of first event with every form of label: the purchase, the end and key of its license, what must come.
async fn cases(fake: &Fake) -> BTreeMap<String, (Old, Option<i64>, String, Then)> {
    let mut cases: BTreeMap<String, _> = BTreeMap::new();
    for (kind, _, then) in FIRST {
        for (n, form) in LABELS.iter().enumerate() {
            let old = Old::new(format!("{kind}-{n:02}"));
            let label = form
                .replace("{sub}", &old.sub())
                .replace("{session}", &old.session())
                .replace("{invoice}", &old.invoice());
            // Some had an end that is over by now, some a later one, some none.
            let ends = [Some(old.turned_s), Some(old.turned_s + DAY_S), None][n % 3];
            let key = made_before(fake, &label, ends).await;
            let then = if kind == "updated" && !form.contains("{session}") {
                Then::Waits
            } else {
                then
            };
            cases.insert(old.name.clone(), (old, ends, key, then));
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_first_and_whoever_labelled_it_the_license_goes_on_or_ends() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        mail: FOLDER.to_owned(),
        more: format!("{PLAN}{ADOPT}"),
        ..Setup::with(&fake)
    })
    .await;
    let cases = cases(&fake).await;
    // The service errs meanwhile, as it may on any day.
    fake.switch(|f| (f.seed, f.error_pct, f.limited_pct, f.garbage_pct) = (7, 8, 5, 5));
    let made = fake.counter("POST");
    for (kind, events, _) in FIRST {
        for (n, form) in LABELS.iter().enumerate() {
            let (old, ..) = &cases[&format!("{kind}-{n:02}")];
            if form.contains("{session}") {
                app.door().event(&old.checked_out()).await;
            }
            for event in events(old) {
                app.door().event(&event).await;
            }
        }
    }
    idle(&app).await;
    let mut wrong = Vec::new();
    for (name, (old, had, key, then)) in &cases {
        let page = app.ask(&["show", &old.machine()]);
        let ours: Vec<_> = page["licenses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["key"].as_str().unwrap())
            .collect();
        let license = kept(&fake, key);
        let expected = if *then == Then::Waits {
            vec![]
        } else {
            vec![key.as_str()]
        };
        if ours != expected
            || !then.holds(old, *had, &license)
            || page["licenses_created"] != json!(0)
        {
            wrong.push(format!(
                "{name} ({}): {ours:?}, {then:?}: {} until {:?}",
                license.label.as_deref().unwrap(),
                license.status,
                license.expires_at
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert_eq!(fake.counter("POST"), made, "none was made");
    assert_eq!(mailed_keys(&app, &fake), Vec::<String>::new());
}

/// A license that somebody else revoked is taken over as it is: reported, not undone, and none is made in its place. Of
/// two, the one that works is taken, then the one in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_license_is_reported_and_one_that_works_or_is_used_goes_first() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        mail: FOLDER.to_owned(),
        more: PLAN.to_owned(),
        fake: None,
        ..Setup::with(&fake)
    })
    .await;
    let (revoked, both, used) = (Old::new("Revoked"), Old::new("Both"), Old::new("Used"));
    let dead = made_before(&fake, "Stripe sub sub_Revoked", Some(revoked.turned_s)).await;
    let (older, live) = (
        made_before(&fake, "sub_Both", None).await,
        made_before(&fake, "Stripe sub sub_Both", None).await,
    );
    let (idle_one, in_use) = (
        made_before(&fake, "sub_sub_Used", None).await,
        made_before(&fake, "sub_Used", None).await,
    );
    for key in [&dead, &older] {
        fake.third_hand(key, |kept| kept.status = "revoked".to_owned());
    }
    fake.third_hand(&in_use, |kept| kept.hwid_list = vec!["f".repeat(64)]);
    let made = fake.counter("POST");
    for (old, key, said) in [
        (
            &revoked,
            &dead,
            "revoked at the license service by somebody else",
        ),
        (&both, &live, "left alone"),
        (&used, &in_use, "left alone"),
    ] {
        app.door().event(&old.renewed()).await;
        let page = with_licenses(&app, &old.machine(), 1).await;
        assert_eq!(page["licenses"][0]["key"], json!(key), "{page:#}");
        assert!(page["reports"].to_string().contains(said), "{page:#}");
    }
    idle(&app).await;
    assert_eq!(
        (kept(&fake, &dead).status, kept(&fake, &idle_one).expires_at),
        ("revoked".to_owned(), None)
    );
    assert_eq!(fake.counter("POST"), made);
    assert_eq!(mailed_keys(&app, &fake), Vec::<String>::new());
}

/// One-time sales of the guide's handler that are told again: their keys stand, those refunded since end, and a key that a
/// purchase holds is never taken by another one, whatever it is called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_time_sales_told_again_keep_their_keys() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let app = TestApp::start(Setup {
        mail: FOLDER.to_owned(),
        more: ADOPT.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    let forms = [
        "Stripe session {session}",
        "{session}",
        "pi_{name}",
        "{session}@shop",
        "Stripe session {session} #2",
    ];
    let mut keys = BTreeMap::new();
    for (n, form) in forms.iter().enumerate() {
        for refunded in [false, true] {
            let name = format!("{}{n}", if refunded { "Refunded" } else { "Kept" });
            let label = form
                .replace("{session}", &session_id(&name))
                .replace("{name}", &name);
            keys.insert(name, (made_before(&fake, &label, None).await, refunded));
        }
    }
    let made = fake.counter("POST");
    let at_s = Clock::Wall.now().s() - 90 * DAY_S;
    for (name, (_, refunded)) in &keys {
        if *refunded {
            app.door().event(&given_back(name, at_s + DAY_S)).await;
        }
        app.door().event(&one_time(name, at_s)).await;
    }
    for (name, (key, _)) in &keys {
        let page = with_licenses(&app, &machine(name), 1).await;
        assert_eq!(
            (&page["licenses"][0]["key"], &page["licenses_created"]),
            (&json!(key), &json!(0)),
            "{page:#}"
        );
    }
    idle(&app).await;
    for (key, refunded) in keys.values() {
        assert_eq!(kept(&fake, key).status == "revoked", *refunded);
    }
    // Its label is another purchase's id, but the key is held.
    let (held, _) = &keys["Kept0"];
    fake.third_hand(held, |kept| kept.label = Some(session_id("Other")));
    app.door().event(&one_time("Other", at_s)).await;
    let page = with_licenses(&app, &machine("Other"), 1).await;
    assert_ne!(page["licenses"][0]["key"], json!(held));
    assert_eq!(fake.counter("POST") - made, 1);
}

fn given_back(name: &str, at_s: i64) -> Value {
    let charge = json!({
        "id": format!("ch_{name}"), "object": "charge", "amount": 4900, "amount_refunded": 4900, "refunded": true,
        "payment_intent": format!("pi_{name}"), "status": "succeeded", "created": at_s, "livemode": true,
    });
    json!({
        "id": format!("evt_back_{name}"), "object": "event", "api_version": "2024-06-20", "created": at_s,
        "livemode": true, "type": "charge.refunded", "data": { "object": charge },
    })
}
