//! A config that names another license service than the one that has the customers' keys.

use super::shop::Shop;
use crate::support::app::binary;

/// Each customer would seem to have no key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopt_refuses_where_the_keys_are_at_another_service() {
    let shop = Shop::of(50).await;
    let app = shop.embedded_server().await;
    for command in ["adopt", "audit"] {
        let said = std::process::Command::new(binary())
            .arg("--config")
            .arg(app.config())
            .args([command, "--reads-per-s", "0"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(told.contains("their keys are at AuthForge"), "{told}");
        assert!(told.contains("app_test"), "{told}");
        if command == "adopt" {
            assert_eq!(said.status.code(), Some(1), "{told}");
            let rows = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(!rows.contains("paid_without_key"), "{rows}");
        }
    }
}
