//! The config names another license service, and the server is started before the licenses were moved: nothing is done at
//! the wrong service, nothing is lost, and nothing is made twice.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{EMBEDDED, LICENSES, Shop, buy, name, only_keys};
use crate::support::app::binary;
use crate::support::purchase::{machine, next_s, refund};
use crate::support::wait::{PATIENCE, until};

/// Whose money goes back, who is extended, and who wants a new key, before the licenses are moved.
const REFUNDED: usize = 0;
const EXTENDED: usize = 1;
const REKEYED: usize = 2;

fn run(shop: &Shop, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let command = command.args(args).arg("--config").arg(shop.app.config());
    command.output().unwrap()
}

/// What waits for a person: action and command.
fn waits(shop: &Shop) -> Vec<(String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = shop.app.ask(&["attention"]);
    let rows = rows.as_array().unwrap().iter();
    let held = rows.filter(|row| row["cause"] == "held_action");
    held.map(|row| (text(row, "about"), text(row, "settle")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_at_the_wrong_service() {
    let mut shop = Shop::start().await;
    let first = only_keys(&shop.keys());
    let authforge = shop.authforge.clone();
    shop.app.configure_licenses(&authforge).await;
    shop.app.restart().await;
    shop.app
        .door()
        .event(&refund(&name(REFUNDED), next_s()))
        .await;
    let (extended, rekeyed) = (machine(&name(EXTENDED)), machine(&name(REKEYED)));
    let extend = [
        "extend",
        &extended,
        "--until",
        "2041-01-01",
        "--reason",
        "r",
    ];
    shop.app.ask(&extend);
    shop.app.ask(&["rekey", &rekeyed, "--reason", "leaked"]);
    // Who buys now gets a license where the config says.
    buy(&shop.app, "Newcomer", &[]).await;

    let held = until("what is held", PATIENCE, async || {
        let held = waits(&shop);
        (held.len() == 3).then_some(held)
    })
    .await;
    let moves = "keyward move-licenses --from embedded";
    assert!(held.iter().all(|(_, settle)| settle == moves), "{held:?}");
    let approved = run(&shop, &["held", "approve", &held[0].0, "--reason", "r"]);
    let said = String::from_utf8_lossy(&approved.stderr).into_owned();
    assert_eq!(approved.status.code(), Some(1), "{said}");
    assert!(said.contains(moves), "{said}");
    assert!(run(&shop, &["retry", "--all"]).status.success());
    assert!(
        run(&shop, &["held", "approve", "--all", "--reason", "r"])
            .status
            .success()
    );
    assert_eq!(waits(&shop), held, "nobody's word lets it go");

    only_the_newcomer(&shop);
    for (n, license) in shop.keys() {
        assert_eq!(license, (first[&n].clone(), "live".to_owned()));
    }
    moved_and_back(shop).await;
}

/// At the new service nothing was asked about the licenses that are not there.
fn only_the_newcomer(shop: &Shop) {
    assert_eq!(shop.fake.licenses().len(), 1);
    for call in ["GET one", "PUT extend", "PUT revoke"] {
        assert_eq!(shop.fake.counter(call), 0, "{call}");
    }
}

/// The move takes what it can. What must end at the old service is done there, with the old config, and moves then.
async fn moved_and_back(mut shop: Shop) {
    let dry = shop.dry("embedded");
    let waiting = [REFUNDED, REKEYED];
    assert_eq!(
        dry["classes"],
        json!({ "new_key": LICENSES - 2, "busy": 2 })
    );
    shop.apply("embedded", LICENSES - 2);
    let keys = shop.all_live(&waiting).await;
    assert_eq!(shop.fake.licenses().len(), LICENSES - 1);
    let of_extended = &shop.page(EXTENDED)["licenses"][1];
    assert_eq!(of_extended["expires_at"], "2041-01-01T00:00:00Z");
    let old = keys[&REKEYED].0.clone();

    shop.app.configure_licenses(EMBEDDED).await;
    shop.app.restart().await;
    until("the old service's own work", PATIENCE, async || {
        let keys = shop.keys();
        let (refunded, rekeyed) = (&keys[&REFUNDED], &keys[&REKEYED]);
        let is_new = rekeyed.0 != old && rekeyed.1 == "live";
        (refunded.1 == "revoked" && is_new).then_some(())
    })
    .await;
    assert_eq!(waits(&shop), []);
    until("the old key is over", PATIENCE, async || {
        (shop.validates(&old).await["live"] == false).then_some(())
    })
    .await;

    let authforge = shop.authforge.clone();
    shop.app.configure_licenses(&authforge).await;
    shop.apply("embedded", 1);
    shop.app.restart().await;
    shop.all_live(&[REFUNDED]).await;
    assert_eq!(shop.fake.licenses().len(), LICENSES);
    assert_eq!(shop.fake.counter("POST"), LICENSES as u64);
    let said =
        String::from_utf8_lossy(&run(&shop, &["move-licenses", "--from", "embedded"]).stderr)
            .into_owned();
    assert!(
        said.contains("nothing is to move") && !said.contains("--expect"),
        "{said}"
    );
}
