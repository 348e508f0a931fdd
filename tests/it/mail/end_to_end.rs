//! From a signed purchase to a real mail server: the key arrives, a grey list is waited out, a refused address is listed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::smtp::Server;
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{machine, next_s, one_time, session_id};
use crate::support::wait::{PATIENCE, until};

/// A running server whose mail goes to the mail server; the URL's query says how.
async fn app(fake: &Arc<Fake>, server: &Server, tls: &str) -> TestApp {
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/tls/ca.pem");
    let mail = format!(
        "transport = \"smtp\"\nurl = \"smtp://localhost:{}{tls}\"\nfrom = \"Shop <keys@shop.example>\"\n\
         ca_file = \"{ca}\"\n",
        server.port
    );
    TestApp::start(Setup {
        mail,
        ..Setup::with(fake)
    })
    .await
}

/// The first notice of a purchase, once it has a status.
async fn notice(app: &TestApp, name: &str, status: &str) -> Value {
    until(
        &format!("a notice that is {status}"),
        PATIENCE,
        async || {
            let page = app.ask(&["show", &machine(name)]);
            page["notices"]
                .as_array()
                .unwrap()
                .iter()
                .find(|n| n["status"] == status)
                .cloned()
        },
    )
    .await
}

fn key(fake: &Fake) -> String {
    fake.licenses()[0].license_key.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_purchase_arrives_by_starttls() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let server = Server::start(&json!({ "tls": "starttls" }));
    let app = app(&fake, &server, "?tls=required").await;
    app.door().event(&one_time("Mail1", next_s())).await;
    let notice = notice(&app, "Mail1", "sent").await;
    assert_eq!(
        (&notice["kind"], &notice["to"]),
        (&json!("license_issued"), &json!("mail1@customer.example"))
    );
    let mail = server.mail();
    assert_eq!(mail["secure"], true);
    assert_eq!(mail["recipients"], json!(["mail1@customer.example"]));
    for part in ["text", "html"] {
        assert!(
            mail[part].as_str().unwrap().contains(&key(&fake)),
            "the key is in the {part} part: {mail}"
        );
    }
    assert!(server.took_nothing(), "one mail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grey_list_is_waited_out() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let refusal = json!({ "code": 451, "text": "4.7.1 greylisted", "times": 2 });
    let server = Server::start(&json!({ "tls": "none", "refuse_recipient": refusal }));
    let app = app(&fake, &server, "").await;
    app.door().event(&one_time("Grey1", next_s())).await;
    let waiting = notice(&app, "Grey1", "pending").await;
    assert_eq!(waiting["kind"], "license_issued");
    notice(&app, "Grey1", "sent").await;
    assert!(
        server.mail()["text"]
            .as_str()
            .unwrap()
            .contains(&key(&fake))
    );
    assert!(server.took_nothing(), "one mail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_recipient_is_listed_and_the_license_stands() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let refusal = json!({ "code": 550, "text": "5.1.1 no such user" });
    let server = Server::start(&json!({ "tls": "none", "refuse_recipient": refusal }));
    let app = app(&fake, &server, "").await;
    app.door().event(&one_time("Gone1", next_s())).await;
    let notice = notice(&app, "Gone1", "undeliverable").await;
    assert!(
        notice["why"].as_str().unwrap().contains("no such user"),
        "{notice}"
    );
    let page = app.ask(&["show", &machine("Gone1")]);
    assert_eq!(page["licenses"][0]["status"], "live", "{page:#}");
    assert_eq!(page["licenses"][0]["key"], key(&fake).as_str());
    assert!(server.took_nothing());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_says_what_customers_call_things() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let server = Server::start(&json!({ "tls": "none" }));
    let mail = format!(
        "transport = \"smtp\"\nurl = \"smtp://localhost:{}\"\nfrom = \"keys@shop.example\"\n",
        server.port
    );
    let more = "[vendor]\nname = \"Pixel Forge\"\nreply_to = \"Help <help@shop.example>\"\n\
                support_url = \"https://shop.example/help\"\n\
                [[plan]]\nname = \"pro\"\ntitle = \"Pixel Forge Pro\"\nprices = [\"*\"]\n";
    let app = TestApp::start(Setup {
        mail,
        more: more.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    let mut purchase = one_time("Title1", next_s());
    purchase["data"]["object"]["metadata"]["plan"] = json!("pro");
    app.door().event(&purchase).await;
    notice(&app, "Title1", "sent").await;
    let mail = server.mail();
    assert_eq!(
        mail["subject"], "Your Pixel Forge Pro license key",
        "{mail}"
    );
    let text = mail["text"].as_str().unwrap();
    assert!(
        text.ends_with(
            "Questions? Just reply to this e-mail.\n\nHelp: https://shop.example/help\n\nPixel Forge\n"
        ),
        "{text}"
    );
    let headers = mail.to_string();
    assert!(headers.contains("help@shop.example"), "{mail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_no_mail_carried_stays_on_the_page() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let refusal = json!({ "code": 550, "text": "5.1.1 no such user", "times": 1 });
    let server = Server::start(&json!({ "tls": "none", "refuse_recipient": refusal }));
    let mail = format!(
        "transport = \"smtp\"\nurl = \"smtp://localhost:{}\"\nfrom = \"keys@shop.example\"\n",
        server.port
    );
    let app = TestApp::start(Setup {
        mail,
        more: "[success]\nshow_for = \"0s\"\n".to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    for (name, status, is_whole) in [
        ("WithAWrongAddress1", "undeliverable", true),
        ("WithAnAddress1", "sent", false),
    ] {
        app.door().event(&one_time(name, next_s())).await;
        notice(&app, name, status).await;
        let page = app.ask(&["show", &machine(name)]);
        let key = page["licenses"][0]["key"].as_str().unwrap().to_owned();
        let page = format!("/success?session_id={}", session_id(name));
        // Its money came in the second that begins next: until then it is none of the week's business.
        let as_expected = async || {
            let page = app.door().get(&page).await.unwrap().body;
            (page.contains(&key) == is_whole).then_some(())
        };
        until("the page as it should be", PATIENCE, as_expected).await;
    }
}
