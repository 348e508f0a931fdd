//! What each refusal of a mail server becomes.

use keyward::domain::time::Span;
use keyward::effects::mail::MailAnswer;
use serde_json::json;

use super::{Server, answer, mailer, outgoing};

#[tokio::test]
async fn a_refused_login_is_the_operator_s_and_never_shows_the_password() {
    let options = json!({ "tls": "implicit", "user": "shop", "password": "right" });
    let server = Server::start(&options);
    let mailer = mailer(&server, "smtps://shop:hunter2@localhost:{port}");
    for answer in [
        mailer.send(outgoing()).await,
        mailer.check().await.unwrap_err(),
    ] {
        let MailAnswer::Refused { why } = answer else {
            panic!("{answer:?}")
        };
        assert!(why.contains("535") && !why.contains("hunter2"), "{why}");
    }
    assert!(!format!("{mailer:?}").contains("hunter2"));
    assert!(server.took_nothing());
}

#[tokio::test]
async fn a_login_that_is_wanted_and_not_given_is_the_operator_s() {
    let options = json!({ "tls": "implicit", "user": "shop", "password": "right" });
    let (answer, _server) = answer(options, "smtps://localhost:{port}").await;
    assert!(
        matches!(answer, MailAnswer::Refused { .. }),
        "not the customer's address: {answer:?}"
    );
}

#[tokio::test]
async fn a_refused_recipient_is_undeliverable() {
    let refusal =
        json!({ "tls": "none", "refuse_recipient": { "code": 550, "text": "5.1.1 no such user" } });
    let (answer, _server) = answer(refusal, "smtp://127.0.0.1:{port}?tls=none").await;
    let MailAnswer::Undeliverable { why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("550") && why.contains("no such user"), "{why}");
}

#[tokio::test]
async fn a_relay_that_does_not_know_us_condemns_no_address() {
    let refusal = json!({ "tls": "none", "refuse_recipient": { "code": 554, "text": "5.7.1 Relay access denied" } });
    let (answer, _server) = answer(refusal, "smtp://127.0.0.1:{port}?tls=none").await;
    assert!(matches!(answer, MailAnswer::Rejected { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_grey_list_means_again_in_a_while() {
    let refusal =
        json!({ "tls": "none", "refuse_recipient": { "code": 451, "text": "4.7.1 greylisted" } });
    let (answer, _server) = answer(refusal, "smtp://127.0.0.1:{port}?tls=none").await;
    let MailAnswer::Again { after, why } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(after, Some(Span::from_minutes(5)), "{why}");
}

#[tokio::test]
async fn a_refused_message_is_the_operator_s() {
    let refusal = json!({ "tls": "none", "refuse_message": { "code": 554, "text": "5.6.0 looks like spam" } });
    let (answer, server) = answer(refusal, "smtp://127.0.0.1:{port}?tls=none").await;
    assert!(matches!(answer, MailAnswer::Rejected { .. }), "{answer:?}");
    server.mail();
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_message_leaves_it_unknown() {
    let (answer, server) = answer(
        json!({ "tls": "none", "after_data": "drop" }),
        "smtp://127.0.0.1:{port}?tls=none",
    )
    .await;
    assert!(matches!(answer, MailAnswer::Unknown { .. }), "{answer:?}");
    assert_eq!(server.mail()["message_id"], outgoing().message_id.as_str());
}
