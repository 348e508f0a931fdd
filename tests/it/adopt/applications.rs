//! The config names another application than the one that has the customers' keys.

use std::process::Command;

use super::repair::{adopted, ask};
use super::shop::Shop;
use crate::support::app::{Setup, TestApp, binary};

fn check(app: &TestApp) -> String {
    let mut check = Command::new(binary());
    let out = check
        .arg("check")
        .arg("--config")
        .arg(app.config())
        .output();
    String::from_utf8(out.unwrap().stdout).unwrap()
}

/// `check` says so before the restart and after it, the start says it, and the audit calls no key revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_application_is_warned_of_with_the_number_of_its_licenses() {
    let shop = Shop::of(60).await;
    let mut app = shop.server().await;
    adopted(&app);
    let before = ask(&app, &[]);
    let noted = "in the application app_test, which neither `[licenses]` nor a plan names any more";
    assert!(!check(&app).contains(noted));
    let other = Setup::with(&shop.fake)
        .licenses
        .replace("app_test", "app_new");
    app.configure_licenses(&other).await;
    let said = check(&app);
    assert!(
        said.contains(noted) && said.contains("working licenses are"),
        "{said}"
    );
    assert!(!app.said().contains(noted));
    app.restart().await;
    assert!(app.said().contains(noted), "{}", app.said());
    assert!(check(&app).contains(noted));
    let after = ask(&app, &[]);
    assert_eq!(after["classes"], before["classes"]);
    assert_eq!(shop.fake.counter("POST"), 0);
}
