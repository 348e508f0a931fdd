//! What the success page shows to whom: keys for a while, downloads, languages, a vendor's own page and templates.

use keyward::config::{Connect, Link, PlanDisplay, Transport};
use keyward::domain::id::PlanName;
use keyward::domain::time::Span;
use keyward::engine::input::Rules;
use keyward::http::page_mistakes;
use keyward::server::source_rules;
use serde_json::{Value, json};

use super::support::{Answer, Server, config, rules, send};

const SESSION: &str = "cs_test_a_long_session_1";
const PATH: &str = "/success?session_id=cs_test_a_long_session_1";
const JSON: &str = "/success.json?session_id=cs_test_a_long_session_1";
const KEY: &str = "KEY-CS_TEST_A_LONG_SESSION_1-0001";

fn paid() -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": "checkout.session.completed",
        "created": 1_767_600_000, "livemode": true,
        "data": { "object": {
            "id": SESSION, "object": "checkout.session", "mode": "payment", "payment_status": "paid",
            "payment_intent": "pi_1", "locale": "fr-CA", "metadata": { "plan": "pro" },
            "customer_details": { "email": "ada@example.com" },
        }},
    })
}

/// Sends a purchase and has its license made.
async fn buy(server: &Server, event: &Value) {
    assert_eq!(server.post(&event.to_string()).await.status, 200);
    server.carry_out().await;
}

async fn get_as(server: &Server, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    send(server.address, request.as_bytes()).await
}

fn link(label: &str) -> Link {
    Link {
        label: label.to_owned(),
        url: format!("https://shop.example/{label}"),
    }
}

#[tokio::test]
async fn a_key_that_was_mailed_is_shown_in_full_for_a_week() {
    for mailed in [true, false] {
        let mut config = config();
        if mailed {
            config.mail.transport = Transport::Folder {
                path: "mail".into(),
            };
        }
        let server = Server::with(config).await;
        buy(&server, &paid()).await;
        let week = server.clock.now() + Span::from_days(7);
        server.clock.advance_to(week - Span::from_s(1));
        assert!(server.get(PATH).await.text.contains(KEY));
        server.clock.advance_to(week);
        let page = server.get(PATH).await.text;
        let fields = server.get(JSON).await.json();
        // What nobody mailed is nowhere else.
        assert_eq!(page.contains(KEY), !mailed, "{page}");
        assert_eq!(fields["licenses"][0]["whole"], !mailed, "{fields}");
        if mailed {
            assert!(page.contains("0001") && page.contains("••••"), "{page}");
            assert!(
                page.contains("cette page n’affiche plus la clé entière"),
                "{page}"
            );
            assert!(!page.contains("data-copy"), "{page}");
        }
        server.end().await;
    }
}

#[tokio::test]
async fn a_vendors_own_page_reads_fields_that_stay() {
    let mut config = config();
    config.public_url = "https://buy.example.com".to_owned();
    config.checkout.origins = vec!["https://shop.example".to_owned()];
    config.vendor.downloads = vec![link("windows")];
    let look = PlanDisplay {
        title: Some("Pixel Forge Pro".to_owned()),
        downloads: Vec::new(),
    };
    config.display.insert(PlanName::new("pro"), look);
    let server = Server::with(config).await;
    let before = get_as(&server, JSON, "Origin: https://shop.example\r\n").await;
    assert_eq!(before.status, 200);
    assert_eq!(
        before.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    assert_eq!(before.header("cache-control"), Some("no-store"));
    let before = before.json();
    assert_eq!(before["status"], "on_its_way");
    let url = before["again"]["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://buy.example.com/success.json?session_id=cs_"),
        "{url}"
    );
    buy(&server, &paid()).await;
    let other = get_as(&server, JSON, "Origin: https://evil.example\r\n").await;
    assert_eq!(other.header("access-control-allow-origin"), None);
    let bought = other.json();
    insta::assert_snapshot!("fields", serde_json::to_string_pretty(&bought).unwrap());
    let unknown = server
        .get("/success.json?session_id=cs_test_a_long_session_2&since=1000")
        .await;
    assert_eq!(
        (unknown.status, &unknown.json()["status"]),
        (404, &json!("unknown"))
    );
    let malformed = server.get("/success.json?session_id=cs_1").await;
    assert_eq!(malformed.status, 400);
    assert_eq!(malformed.json(), json!({ "error": "session_id" }));
    server.end().await;
}

#[tokio::test]
async fn a_plans_own_downloads_stand_before_the_vendors() {
    let mut config = config();
    config.vendor.downloads = vec![link("everybody")];
    let look = PlanDisplay {
        title: None,
        downloads: vec![link("pro")],
    };
    config.display.insert(PlanName::new("pro"), look);
    let server = Server::with(config).await;
    assert_eq!(
        server.get(JSON).await.json()["downloads"],
        json!([]),
        "no key yet"
    );
    buy(&server, &paid()).await;
    let links = server.get(JSON).await.json()["downloads"].clone();
    assert_eq!(
        links,
        json!([{ "label": "pro", "url": "https://shop.example/pro" }])
    );
    server.end().await;
}

#[tokio::test]
async fn a_session_of_a_connected_account_is_found() {
    let mut config = config();
    config.sources[0].connect = Connect::Accept;
    let rules = Rules {
        sources: source_rules(&config),
        ..rules(&config)
    };
    let server = Server::with(config).await;
    server.handle.set_rules(rules);
    let mut event = paid();
    event["account"] = json!("acct_1Connected");
    buy(&server, &event).await;
    let page = server.get(PATH).await;
    assert!(page.text.contains(KEY), "{}", page.text);
    // Another account's session of the same id: nobody can tell who asks.
    let mut event = paid();
    event["account"] = json!("acct_1Other");
    buy(&server, &event).await;
    for path in [PATH, JSON] {
        let page = server.get(path).await;
        assert!(!page.text.contains(KEY), "{}", page.text);
    }
    server.end().await;
}

#[tokio::test]
async fn a_page_is_in_the_customers_language_else_in_the_browsers() {
    let mut config = config();
    config.vendor.language = Some("es".to_owned());
    let server = Server::with(config).await;
    let asks = "Accept-Language: de;q=0.8,nl\r\n";
    let german = get_as(&server, PATH, asks).await.text;
    assert!(german.contains("<html lang=\"de\">") && german.contains("Ihre Zahlung ist unterwegs"));
    let spanish = server.get("/nothing-here").await.text;
    assert!(spanish.contains("Página no encontrada"), "{spanish}");
    buy(&server, &paid()).await;
    let french = get_as(&server, PATH, asks).await.text;
    assert!(french.contains("Merci ! Voici votre licence"), "{french}");
    server.end().await;
}

#[tokio::test]
async fn a_vendors_own_files_go_before_ours_and_fail_alone() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("message.html", "<h1>Oops: {{ title }}</h1>");
    write(
        "success.html",
        "{% extends \"layout.html\" %}\n{{ nobody.knows }}\n{% block body %}{{ kyes }}{% endblock %}",
    );
    write(
        "words/nl.toml",
        "[not_found]\ntitle = \"Pagina niet gevonden\"\n",
    );
    let mut config = config();
    config.vendor.templates = Some(home.path().to_owned());
    let told: Vec<String> = page_mistakes(&config)
        .iter()
        .map(ToString::to_string)
        .collect();
    let file = home.path().join("success.html").display().to_string();
    assert!(
        told.iter().all(|t| t.starts_with(&file)) && !told.is_empty(),
        "{told:?}"
    );
    assert!(
        told.iter().any(|t| t.contains(":2: undefined value")),
        "{told:?}"
    );
    let server = Server::with(config).await;
    let own = get_as(&server, "/nothing-here", "Accept-Language: nl\r\n").await;
    assert_eq!(own.text, "<h1>Oops: Pagina niet gevonden</h1>");
    buy(&server, &paid()).await;
    let ours = server.get(PATH).await;
    assert!(
        ours.status == 200 && ours.text.contains(KEY),
        "{}",
        ours.text
    );
    server.end().await;
}
