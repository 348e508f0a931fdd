//! Moved away and back: what was left at the first service works beside what came back, and ends with its purchase.

use std::process::Command;

use serde_json::json;

use super::{EMBEDDED, LICENSES, Shop, name, only_keys};
use crate::support::app::binary;
use crate::support::purchase::{machine, next_s, refund};
use crate::support::wait::{PATIENCE, until};

/// Whose licenses a person ends while they are at the other service.
const REVOKED: usize = 0;
/// Whose money goes back once they are here again.
const REFUNDED: usize = 2;
/// Who keeps paying.
const LOYAL: usize = 3;

impl Shop {
    async fn dies(&self, key: &str) {
        until("the key is over", PATIENCE, async || {
            (self.validates(key).await["live"] == false).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_ends_with_its_purchase_once_its_service_is_back() {
    let mut shop = Shop::start().await;
    let first = only_keys(&shop.keys());
    let authforge = shop.authforge.clone();
    shop.app.configure_licenses(&authforge).await;
    shop.apply("embedded", LICENSES);
    shop.app.restart().await;
    let second = only_keys(&shop.all_live(&[]).await);

    // At the other service a revocation reaches what is there, and names what it does not reach.
    let order = ["revoke", &machine(&name(REVOKED)), "--reason", "r"];
    let mut command = Command::new(binary());
    let ordered = command
        .args(order)
        .arg("--config")
        .arg(shop.app.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ordered.stderr).into_owned();
    let end = &first[&REVOKED][first[&REVOKED].len() - 4..];
    assert!(
        said.contains(end) && said.contains("works at `embedded`"),
        "{said}"
    );
    until("the revocation", PATIENCE, async || {
        (shop.keys()[&REVOKED].1 == "revoked").then_some(())
    })
    .await;
    assert_eq!(
        shop.page(REVOKED)["licenses"][0]["status"],
        "live",
        "not ours to reach"
    );

    shop.app.configure_licenses(EMBEDDED).await;
    shop.apply("authforge", LICENSES - 1);
    shop.app.restart().await;
    shop.all_live(&[REVOKED]).await;
    shop.dies(&first[&REVOKED]).await;

    shop.app
        .door()
        .event(&refund(&name(REFUNDED), next_s()))
        .await;
    shop.dies(&first[&REFUNDED]).await;
    shop.dies(&second[&REFUNDED]).await;
    for key in [&first[&LOYAL], &second[&LOYAL]] {
        assert_eq!(shop.validates(key).await["live"], json!(true));
    }
}
