//! What `keyward replay` answers (rules 44 to 48), asked as somebody asks it: the command, and its JSON.

use serde_json::{Value, json};

use super::support::Place;
use crate::repo::files::root;

/// Replays a history under the shared config, or one with some text of it replaced.
fn replay(history: &str, change: (&str, &str), args: &[&str]) -> Value {
    let place = Place::empty();
    let config = std::fs::read_to_string(root().join("fixtures/histories/keyward.toml")).unwrap();
    assert!(config.contains(change.0), "{}", change.0);
    std::fs::write(
        place.path("keyward.toml"),
        config.replace(change.0, change.1),
    )
    .unwrap();
    let file = root()
        .join("fixtures/histories")
        .join(history)
        .join("history.jsonl");
    let file = file.to_str().unwrap();
    place
        .run(
            &[
                &[
                    "replay",
                    file,
                    "--config",
                    "keyward.toml",
                    "--format",
                    "json",
                ][..],
                args,
            ]
            .concat(),
        )
        .json()
}

fn same(history: &str, args: &[&str]) -> Value {
    replay(history, ("", ""), args)
}

/// One list of the only machine, each entry cut down to some of its fields.
fn list(answer: &Value, name: &str, fields: &[&str]) -> Vec<Value> {
    let entries = answer["machines"][0][name].as_array().unwrap().iter();
    entries
        .map(|e| fields.iter().map(|f| e[*f].clone()).collect())
        .collect()
}

/// Rule 44: whatever `[licenses]` and `[mail]` say, everything is simulated, and what would have gone out was sent.
#[test]
fn services_are_simulated_whatever_the_config_says() {
    let told = same("refund-full", &[]);
    let notices = list(&told, "notices", &["kind", "status", "to"]);
    assert_eq!(
        notices[0],
        json!(["license_issued", "sent", "grace@example.com"])
    );
    assert!(
        list(&told, "actions", &["kind", "outcome"]).contains(&json!(["revoke_license", "done"]))
    );
    let service = "service = \"embedded\"";
    let authforge = "service = \"authforge\"\napi_key = \"af_live_x\"\nsuspend = \"wait\"";
    assert_eq!(replay("refund-full", (service, authforge), &[]), told);
    let smtp = "transport = \"smtp\"\nurl = \"smtp://127.0.0.1:1\"";
    assert_eq!(
        replay("refund-full", ("transport = \"none\"", smtp), &[]),
        told
    );
    let held_back = same("renewal-failure-over-before-known", &[]);
    let failed = list(&held_back, "notices", &["kind", "status"]);
    assert!(
        !failed.contains(&json!(["payment_failed", "sent"])),
        "{failed:?}"
    );
}

/// Rule 45: `--until` knows what was received by then, and deadlines come at their own instant.
#[test]
fn until_shows_what_was_known_and_deadlines_come_by_themselves() {
    let state = |until: &str| {
        let answer = same("renewal-recovered-after-lapse", &["--until", until]);
        (
            answer["machines"][0]["state"].clone(),
            answer["until"].clone(),
        )
    };
    assert_eq!(state("2026-02-05T11:00:04Z").0, "active");
    assert_eq!(state("2026-02-05T11:00:05Z").0, "grace");
    assert_eq!(state("2026-02-21T11:00:04Z").0, "grace");
    assert_eq!(
        state("2026-02-21T11:00:05Z"),
        (json!("lapsed"), json!("2026-02-21T11:00:05Z"))
    );
    assert_eq!(state("2026-02-26").0, "active");
    let told_late = same("renewal-recovery-told-late", &[]);
    let lapse = list(&told_late, "transitions", &["at", "to"]);
    assert!(lapse.iter().any(|t| t[1] == "lapsed"), "{lapse:?}");
}

/// Rule 46: every license that there ever was, once, by the gravest word; and how many were really made.
#[test]
fn licenses_are_listed_once_by_their_gravest_word() {
    let revoked = same("resubscribe-after-refund", &["--until", "2027-01-01"]);
    let machines = revoked["machines"].as_array().unwrap();
    let of = |n: usize| {
        (
            machines[n]["licenses"][0]["status"].clone(),
            machines[n]["licenses_created"].clone(),
        )
    };
    assert_eq!(
        [of(0), of(1)],
        [(json!("revoked"), json!(1)), (json!("expired"), json!(1))]
    );
    let suspended = same("renewal-recovered-after-lapse", &["--until", "2026-02-24"]);
    assert_eq!(
        list(&suspended, "licenses", &["status"]),
        [json!(["suspended"])],
        "its time is over too"
    );
    let given_up = same("quantity-as-keys", &[]);
    let seats = list(&given_up, "licenses", &["seat"]);
    let mut once = seats.clone();
    once.dedup();
    assert_eq!(
        (
            seats.len(),
            given_up["machines"][0]["licenses_created"].as_u64()
        ),
        (once.len(), Some(seats.len() as u64))
    );
}

/// Rule 47: what was carried out is done, one extension for a renewal, and a stop at the grace's end is a suspension.
#[test]
fn actions_say_what_was_carried_out() {
    let renewal = same("renewal", &["--until", "2026-02-10"]);
    let done = json!("done");
    let kinds = list(&renewal, "actions", &["kind", "outcome"]);
    assert_eq!(
        kinds,
        [
            json!(["create_license", done]),
            json!(["extend_license", done])
        ]
    );
    let lapsed = same("renewal-recovered-after-lapse", &["--until", "2026-02-22"]);
    let last = list(&lapsed, "actions", &["at", "kind", "outcome"])
        .pop()
        .unwrap();
    assert_eq!(
        last,
        json!(["2026-02-21T11:00:05Z", "suspend_license", "done"])
    );
    let noise = same("noise", &["--until", "2026-02-01"]);
    assert_eq!(
        list(&noise, "actions", &["kind"]),
        [json!(["create_license"])]
    );
}

/// Rule 48: one policy for every machine, whatever its plan says; a name that is not there is refused.
#[test]
fn one_policy_judges_every_machine() {
    let at_end = |args: &[&str]| {
        let strict = (
            "[policy.standard]",
            "[policy.strict]\ngrace = \"5d\"\nat_grace_end = \"revoke\"\n\n[policy.standard]",
        );
        let answer = replay(
            "renewal-recovered-after-lapse",
            strict,
            &[&["--until", "2026-02-15"][..], args].concat(),
        );
        list(&answer, "licenses", &["status"])
    };
    assert_eq!(at_end(&[]), [json!(["live"])]);
    assert_eq!(at_end(&["--policy", "strict"]), [json!(["revoked"])]);
    let place = Place::empty();
    let file = root().join("fixtures/histories/renewal/history.jsonl");
    let said = place.run(&["replay", file.to_str().unwrap(), "--policy", "nobody's"]);
    assert_eq!(said.code, Some(1), "{said}");
}
