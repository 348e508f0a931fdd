//! The portal on a small phone, with scripts and without: signing in by the code of the mail, the key, a device forgotten.

use std::path::Path;

use crate::http::portal::Shop;
use crate::http::portal::visitor::{mail, secrets};
use crate::support::browser::{Browser, Tab, Visitor, axe};

const ADDRESS: &str = "zoe1@customer.example";

/// A page that fits the phone, and in which nobody is stopped.
async fn judged(tab: &Tab<'_>, axe: Option<&str>, name: &str) {
    let pictures = std::env::var_os("KEYWARD_PICTURES");
    if let Some(folder) = pictures {
        tab.picture(&Path::new(&folder).join(format!("{name}.png")))
            .await;
    }
    assert!(!tab.scrolls_sideways().await, "{name} is too wide");
    if let Some(axe) = axe {
        assert_eq!(tab.barriers(axe).await, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_looks_after_a_license_with_a_phone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let shop = Shop::open().await;
    let key = shop.sell("Zoe1").await;
    assert_eq!(shop.activate(&key, "laptop").await, "live");
    let axe = axe();
    for (turn, (script, dark)) in [(true, false), (true, true), (false, false)]
        .into_iter()
        .enumerate()
    {
        let visitor = Visitor {
            script,
            dark,
            ..Visitor::with_a_phone()
        };
        let judge = axe.as_deref().filter(|_| script);
        let tab = browser.visit(visitor).await;
        tab.go(&format!("{}/portal", shop.app.base())).await;
        judged(&tab, judge, &format!("portal-sign-in-{turn}")).await;
        tab.type_into("#address", ADDRESS).await;
        tab.click("main form button").await;
        tab.shows("Check your mail").await;
        judged(&tab, judge, &format!("portal-code-{turn}")).await;
        let (code, _) = secrets(&mail(&shop, ADDRESS, turn).await);
        tab.type_into("#code", &code).await;
        tab.click("main form button").await;
        tab.shows("Your licenses").await;
        judged(&tab, judge, &format!("portal-licenses-{turn}")).await;
        assert!(!tab.text().await.contains(&key));
        tab.click("form[action$='/portal/key'] button").await;
        tab.shows(&key).await;
        judged(&tab, judge, &format!("portal-key-{turn}")).await;
        if !script {
            tab.click("form[action$='/portal/forget'] button").await;
            tab.shows("The device is being forgotten").await;
        }
        tab.click("form[action$='/portal/sign-out'] button").await;
        tab.shows("You are signed out").await;
    }
    assert_eq!(shop.decisions("Zoe1"), ["reset_devices"]);
}
