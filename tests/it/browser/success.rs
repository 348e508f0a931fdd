//! The page after the purchase, from the redirect to the key.

use keyward::config::{Color, Link};
use serde_json::{Value, json};

use crate::http::support::{Server, config};
use crate::support::browser::{Browser, Tab, Visitor};

const SESSION: &str = "cs_test_a_session_in_a_browser";

fn purchase(payment_status: &str, at_s: i64, locale: &str) -> String {
    json!({
        "id": format!("evt_browser_{payment_status}"), "object": "event",
        "type": "checkout.session.completed", "created": at_s, "livemode": true,
        "data": { "object": {
            "id": SESSION, "object": "checkout.session", "mode": "payment",
            "payment_status": payment_status, "payment_intent": "pi_browser", "locale": locale,
            "metadata": { "authforge_app_id": "app" },
        }},
    })
    .to_string()
}

/// A shop of Pixel Forge's.
async fn shop() -> Server {
    let mut config = config();
    config.vendor.name = Some("Pixel Forge".to_owned());
    config.vendor.color = Color::parse("#8a2be2");
    config.vendor.support_url = Some("https://shop.example/help".to_owned());
    config.vendor.downloads = vec![Link {
        label: "Windows".to_owned(),
        url: "https://shop.example/setup.exe".to_owned(),
    }];
    Server::with(config).await
}

/// Opens the page of a purchase that nobody has heard of, lets the money arrive and the key be made, and waits for it.
async fn until_the_key(server: &Server, tab: &Tab<'_>) {
    let url = format!("http://{}/success?session_id={SESSION}", server.address);
    tab.go(&url).await;
    tab.shows("Your payment is on its way").await;
    assert_eq!(
        server
            .post(&purchase("unpaid", 1_767_600_000, "en"))
            .await
            .status,
        200
    );
    tab.shows("Waiting for your payment").await;
    assert_eq!(
        server
            .post(&purchase("paid", 1_767_600_001, "en"))
            .await
            .status,
        200
    );
    server.carry_out().await;
    tab.shows("KEY-CS_TEST_A_SESSION_IN_A_BROWSER-0001").await;
    tab.shows("Thank you! Here is your license").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_open_page_turns_from_pending_to_the_key_by_itself() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for slow in [false, true] {
        let server = shop().await;
        let visitor = Visitor {
            slow,
            ..Visitor::with_a_phone()
        };
        let tab = browser.visit(visitor).await;
        tab.go(&format!(
            "http://{}/success?session_id={SESSION}",
            server.address
        ))
        .await;
        // Whoever loads the page anew loses this.
        tab.value("window.mark = 'the same page'").await;
        server.post(&purchase("paid", 1_767_600_000, "en")).await;
        server.carry_out().await;
        tab.shows("KEY-CS_TEST_A_SESSION_IN_A_BROWSER-0001").await;
        assert_eq!(tab.value("window.mark").await, "the same page");
        assert_eq!(
            tab.value("document.querySelector('.refresh')").await,
            Value::Null
        );
        let said = "document.getElementById('news').textContent";
        assert_eq!(tab.value(said).await, "Thank you! Here is your license");
        let title = tab.value("document.title").await;
        assert_eq!(title, "Thank you! Here is your license – Pixel Forge");
        tab.click("button.copy").await;
        tab.shows("Copied").await;
        assert!(!tab.scrolls_sideways().await);
        let links = "[...document.links].map((a) => a.href)";
        let links = tab.value(links).await;
        assert_eq!(
            links,
            json!([
                "https://shop.example/setup.exe",
                "https://shop.example/help"
            ])
        );
        server.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_the_page_loads_itself_anew() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let server = shop().await;
    let visitor = Visitor {
        script: false,
        ..Visitor::with_a_phone()
    };
    let tab = browser.visit(visitor).await;
    until_the_key(&server, &tab).await;
    let shown = "getComputedStyle(document.querySelector('button.copy')).display";
    assert_eq!(tab.value(shown).await, "none", "it could do nothing");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_speaks_the_customers_language_and_wears_the_vendors_colours() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let server = shop().await;
    let url = format!("http://{}/success?session_id={SESSION}", server.address);
    let french = Visitor {
        language: "fr-CA,en;q=0.5",
        dark: true,
        ..Visitor::at_a_desk()
    };
    let tab = browser.visit(french).await;
    tab.go(&url).await;
    tab.shows("Votre paiement est en cours").await;
    assert_eq!(tab.value("document.documentElement.lang").await, "fr");
    // The customer bought in German; the machine knows that.
    server.post(&purchase("paid", 1_767_600_000, "de")).await;
    server.carry_out().await;
    tab.go(&url).await;
    tab.shows("Vielen Dank! Hier ist Ihre Lizenz").await;
    let color =
        |of: &str, which: &str| format!("getComputedStyle(document.querySelector('{of}')).{which}");
    let button = tab.value(&color("button.copy", "backgroundColor")).await;
    assert_eq!(button, "rgb(138, 43, 226)", "#8a2be2");
    let dark = tab.value(&color("body", "backgroundColor")).await;
    let light = browser.visit(Visitor::at_a_desk()).await;
    light.go(&url).await;
    let light = light.value(&color("body", "backgroundColor")).await;
    assert_ne!(dark, light);
    server.end().await;
}
