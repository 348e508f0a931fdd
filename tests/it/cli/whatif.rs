//! What would have been different: the store's own history under another config.

use std::sync::Arc;

use keyward::domain::time::{Span, Timestamp};
use keyward::sim::compare::{self, Both, Happens, Totals, Window};
use serde_json::Value;

use super::serve::Server;
use super::support::{CONFIG, Place, willing};
use crate::support::replay;

/// The same plan, and two days of grace instead of sixteen.
fn strict() -> String {
    format!("{CONFIG}policy = \"strict\"\n[policy.strict]\ngrace = \"2d\"\nreminders = [\"0d\"]\n")
        .replace(
            "license = { devices = 3 }\npolicy = \"strict\"",
            "policy = \"strict\"\nlicense = { devices = 3 }",
        )
}

fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = list
        .as_array()
        .into_iter()
        .flatten()
        .find(|item| item[key] == value);
    assert!(found.is_some(), "no {key} {value} in {list:#}");
    found.unwrap_or(list)
}

#[test]
fn a_shorter_grace_would_have_suspended_whom_the_present_one_kept() {
    let place = Place::with(CONFIG);
    place.fill(
        &["renewal-recovered-in-grace", "cancel-now", "onetime-card"],
        willing,
    );
    std::fs::write(place.path("new.toml"), strict()).unwrap();
    let said = place.run(&["whatif", "--config", "new.toml", "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said}");
    let answer = said.json();
    assert_eq!(answer["totals"]["machines"], 3);
    assert_eq!(answer["totals"]["differ"], 1, "{said}");
    let one = find(
        &answer["differences"],
        "machine",
        "stripe/sub_RenewalRecoveredInGrace01",
    );
    let suspended = find(&one["happened"], "what", "suspended");
    assert!(
        suspended["present"].is_null() && suspended["new"].is_string(),
        "{said}"
    );
    let restored = find(&one["happened"], "what", "restored");
    assert!(
        restored["present"].is_null() && restored["new"].is_string(),
        "{said}"
    );
    assert_eq!(answer["totals"]["happened"]["suspended"]["new"], 1);
    let days = |side: &str| one["license_days"][side].as_f64().unwrap();
    assert!(days("new") < days("present"), "{said}");
    find(&one["mails"], "kind", "suspended");
    // Text says the same, and a running server is asked without being stopped.
    let text = place.run(&["whatif", "--config", "new.toml"]);
    assert!(
        text.out
            .contains("1 of 3 purchases would have gone otherwise"),
        "{text}"
    );
    assert!(
        text.out.contains("license 1 would have been suspended 20"),
        "{text}"
    );
    let server = Server::start(&place, &[]);
    let live = place
        .run(&["whatif", "--config", "new.toml", "--format", "json"])
        .json();
    assert_eq!(live["differences"], answer["differences"]);
    drop(server);
    // What was before is not compared.
    let later = place
        .run(&[
            "whatif",
            "--config",
            "new.toml",
            "--since",
            "2030-01-01",
            "--format",
            "json",
        ])
        .json();
    assert_eq!(later["totals"]["differ"], 0, "{later:#}");
    assert_eq!(later["totals"]["mails"]["present"], 0);
}

#[test]
fn the_same_config_changes_nothing_and_a_new_plan_sells_what_sold_nothing() {
    let unsold = CONFIG.replace("prices = [\"*\"]", "prices = [\"price_other\"]");
    let place = Place::with(&unsold);
    place.fill(&["sub-by-api", "onetime-invoice"], willing);
    let same = place
        .run(&["whatif", "--config", "keyward.toml", "--format", "json"])
        .json();
    assert_eq!(
        (
            &same["totals"]["differ"],
            same["differences"].as_array().unwrap().len()
        ),
        (&0.into(), 0)
    );
    let tool = "[[plan]]\nname = \"tool\"\nprices = [\"price_tool_lifetime\"]\nlicense = { devices = 2 }\n";
    std::fs::write(place.path("new.toml"), format!("{CONFIG}{tool}")).unwrap();
    let said = place.run(&["whatif", "--config", "new.toml", "--format", "json"]);
    let answer = said.json();
    assert!(
        answer["totals"]["happened"]["created"]["new"].as_u64() > Some(0),
        "{said}"
    );
    assert_eq!(
        answer["totals"]["happened"]["created"]["present"], 0,
        "{said}"
    );
    let invoice = find(
        &answer["differences"],
        "machine",
        "stripe/in_OnetimeInvoice01",
    );
    assert_eq!(
        (&invoice["state"]["present"], &invoice["state"]["new"]),
        (&Value::Null, &"paid".into())
    );
    let said = place.run(&["whatif"]);
    assert!(
        said.code == Some(1) && said.err.contains("which config"),
        "{said}"
    );
    std::fs::write(place.path("bad.toml"), "nonsense = 1").unwrap();
    let said = place.run(&["whatif", "--config", "bad.toml"]);
    assert!(
        said.code == Some(1) && said.err.contains("nonsense"),
        "{said}"
    );
}

/// Under its own rules no history differs from itself, and every license-day is counted on both sides.
#[test]
fn no_history_differs_from_itself() {
    for history in replay::all().into_iter().step_by(5) {
        let rules = Arc::new(history.rules.clone());
        let rules = Both {
            present: Arc::clone(&rules),
            new: rules,
        };
        let until = history.lines().iter().map(|l| l.received).max().unwrap() + Span::from_days(60);
        let window = Window {
            since: Timestamp::from_ms(0),
            until,
        };
        let compared = compare::compare(&history.lines(), &rules, window).unwrap();
        let differences = &compared.differences;
        assert!(differences.is_empty(), "{}: {differences:?}", history.name);
        let mut totals = Totals::default();
        totals.add(&compared);
        let days = totals.license_days;
        assert!(
            (days.present - days.new).abs() < 0.001 && days.present >= 0.0,
            "{}",
            history.name
        );
    }
}

/// The days that a history's licenses worked, from its own timeline: made on the first day, revoked by a refund.
#[test]
fn license_days_are_those_between_the_key_and_its_end() {
    let history = replay::all()
        .into_iter()
        .find(|h| h.name == "refund-full")
        .unwrap();
    let (_, answer) = history.replay(None);
    let at = |kind: &str| {
        answer.machines[0]
            .actions
            .iter()
            .find(|a| a.kind == kind)
            .unwrap()
            .at
    };
    let (made, ended) = (at("create_license"), at("revoke_license"));
    let rules = Arc::new(history.rules.clone());
    let rules = Both {
        present: Arc::clone(&rules),
        new: rules,
    };
    let mut totals = Totals::default();
    let window = Window {
        since: Timestamp::from_ms(0),
        until: answer.until,
    };
    totals.add(&compare::compare(&history.lines(), &rules, window).unwrap());
    let days = (ended - made).ms() as f64 / 86_400_000.0;
    assert!(
        (totals.license_days.present - days).abs() < 0.01,
        "{totals:?} {days}"
    );
    assert_eq!(totals.happened[Happens::Revoked.as_str()].present, 1);
    assert_eq!(totals.happened[Happens::Created.as_str()].present, 1);
}

/// Of a plan that is only called otherwise the line says that, and not the same twice.
#[test]
fn a_plan_that_is_renamed_is_named() {
    let place = Place::with(CONFIG);
    place.fill(&["sub-by-api"], willing);
    let renamed = CONFIG.replace("name = \"pro\"", "name = \"gold\"");
    std::fs::write(place.path("new.toml"), renamed).unwrap();
    let said = place.run(&["--config", "new.toml", "rehearse"]);
    assert_eq!(said.code, Some(3), "{said}");
    let named = [", plan gold instead of ", ", plan pro\n"];
    assert!(named.iter().all(|text| said.out.contains(text)), "{said}");
}
