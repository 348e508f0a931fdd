//! The success page in every state, its limits and headers; health and metrics.

use keyward::config::Transport;
use keyward::domain::action::{Outcome, RefusalScope};
use keyward::domain::id::MachineId;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::engine::read::view;
use serde_json::json;

use super::support::{Server, config};

/// The page as a person reads it: the template without what never changes.
fn shown(html: &str) -> String {
    let refresh = html
        .lines()
        .find(|l| l.contains("http-equiv"))
        .unwrap_or("");
    let main = html
        .split_once("<main>")
        .and_then(|(_, rest)| rest.split_once("</main>"))
        .map_or(html, |(m, _)| m);
    format!("{refresh}{main}")
}

#[tokio::test]
async fn what_a_purchase_comes_to() {
    for (history, session) in [
        ("onetime-card", "OnetimeCard"),
        ("onetime-lifetime", "OnetimeLifetime"),
        ("onetime-async-failed", "OnetimeAsyncFailed"),
        ("onetime-expired", "OnetimeExpired"),
        ("refund-full", "RefundFull"),
        ("dispute-open", "DisputeOpen"),
        ("sub-checkout", "SubCheckout"),
        ("team-beyond-device-limit", "TeamBeyondDeviceLimit"),
        (
            "payment-link-without-metadata",
            "PaymentLinkWithoutMetadata",
        ),
    ] {
        let server = Server::start().await;
        server.play(history).await;
        let answer = server
            .get(&format!("/success?session_id=cs_live_{session}01"))
            .await;
        assert_eq!(answer.status, 200, "{history}: {}", answer.text);
        insta::assert_snapshot!(history, shown(&answer.text));
        server.end().await;
    }
}

#[tokio::test]
async fn while_an_event_may_still_name_what_it_sells_nobody_is_told_that_it_brings_nothing() {
    let server = Server::start().await;
    server.play("payment-link-without-metadata").await;
    let path = "/success?session_id=cs_live_PaymentLinkWithoutMetadata01";
    assert!(
        server
            .get(path)
            .await
            .text
            .contains("creating your license key")
    );
    server
        .clock
        .advance_to(server.clock.now() + Span::from_s(61));
    insta::assert_snapshot!("nothing", shown(&server.get(path).await.text));
    server.end().await;
}

fn session(id: &str, payment_status: &str) -> String {
    json!({"id": format!("evt_{id}"), "object": "event", "type": "checkout.session.completed",
           "created": 1_767_600_000, "livemode": true, "data": {"object": {
               "id": format!("cs_test_a_long_session_{id}"), "object": "checkout.session", "mode": "payment",
               "payment_status": payment_status, "payment_intent": format!("pi_{id}"),
               "metadata": {"authforge_app_id": "app"}}}})
    .to_string()
}

#[tokio::test]
async fn from_the_redirect_to_the_key() {
    let mut config = config();
    config.mail.transport = Transport::Folder {
        path: "mail".into(),
    };
    let server = Server::with(config).await;
    let path = "/success?session_id=cs_test_a_long_session_1";
    insta::assert_snapshot!("on-its-way", shown(&server.get(path).await.text));
    assert_eq!(server.post(&session("1", "unpaid")).await.status, 200);
    insta::assert_snapshot!(
        "awaiting",
        shown(&server.get(&format!("{path}&n=7")).await.text)
    );
    // The redirect's page gives up looking, but still tells how things stand.
    assert!(
        !server
            .get(&format!("{path}&n=24"))
            .await
            .text
            .contains("refresh")
    );
    let paid = session("1", "paid")
        .replace("evt_1", "evt_2")
        .replace("1767600000", "1767600001");
    assert_eq!(server.post(&paid).await.status, 200);
    insta::assert_snapshot!("preparing", shown(&server.get(path).await.text));
    server.carry_out().await;
    let keys = server.get(path).await.text;
    assert!(
        keys.contains("<code class=\"key\" id=\"key-1\">KEY-CS_TEST_A_LONG_SESSION_1-"),
        "{keys}"
    );
    server.end().await;
}

#[tokio::test]
async fn a_session_that_never_comes_is_called_unknown_after_two_minutes() {
    let mut config = config();
    config.mail.transport = Transport::Folder {
        path: "mail".into(),
    };
    let server = Server::with(config).await;
    let next = |page: &str| {
        let url = page
            .split("; url=")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap();
        format!(
            "/success{}",
            url.replace("&amp;", "&")
                .replace("&#x3d;", "=")
                .replace("&#x3f;", "?")
        )
    };
    let first = server
        .get("/success?session_id=cs_test_a_long_session_9")
        .await;
    assert_eq!(first.status, 200, "{}", first.text);
    server
        .clock
        .advance_to(server.clock.now() + Span::from_s(119));
    let second = server.get(&next(&first.text)).await;
    assert_eq!(second.status, 200);
    assert!(
        second.text.contains("Your payment is on its way"),
        "{}",
        second.text
    );
    server
        .clock
        .advance_to(server.clock.now() + Span::from_s(1));
    let third = server.get(&next(&second.text)).await;
    assert_eq!(third.status, 404);
    insta::assert_snapshot!("unknown", shown(&third.text));
    // A forged instant of the future, or none at all, is a first visit.
    for since in ["99999999999", "-5x", ""] {
        let path = format!("/success?session_id=cs_test_a_long_session_9&since={since}");
        assert_eq!(server.get(&path).await.status, 200, "{since}");
    }
    // A webhook that comes late is seen all the same.
    assert_eq!(server.post(&session("9", "paid")).await.status, 200);
    let late = server.get(&next(&third.text)).await;
    assert_eq!(late.status, 200);
    assert!(
        late.text.contains("Your payment has arrived"),
        "{}",
        late.text
    );
    server.end().await;
}

#[tokio::test]
async fn a_refused_license_is_called_delayed() {
    let server = Server::start().await;
    server.post(&session("1", "paid")).await;
    let id = "stripe/cs_test_a_long_session_1"
        .parse::<MachineId>()
        .unwrap();
    let action = view::machine(server.handle.reader(), &id)
        .unwrap()
        .unwrap()
        .actions[0]
        .id;
    let outcome = Outcome::Refused {
        why: "no".to_owned(),
        scope: RefusalScope::Action,
    };
    server
        .handle
        .submit(Input::Outcome {
            machine: id,
            action,
            outcome,
            sent: server.clock.now(),
        })
        .await
        .unwrap();
    let page = server
        .get("/success?session_id=cs_test_a_long_session_1")
        .await
        .text;
    assert!(page.contains("takes longer than usual"), "{page}");
    server.end().await;
}

#[tokio::test]
async fn an_unpaid_renewal_first_warns_and_then_pauses() {
    let server = Server::start().await;
    let at = |text| Timestamp::parse(text).unwrap();
    server
        .play_until("failing-stays-past-due", at("2026-02-10T00:00:00Z"))
        .await;
    let path = "/success?session_id=cs_live_FailingStaysPastDue01";
    insta::assert_snapshot!("grace", shown(&server.get(path).await.text));
    let id = "stripe/sub_FailingStaysPastDue01"
        .parse::<MachineId>()
        .unwrap();
    server.clock.advance_to(at("2026-02-22T00:00:00Z"));
    server
        .handle
        .submit(Input::WakeUp { machine: id })
        .await
        .unwrap();
    server.carry_out().await;
    let page = server.get(path).await.text;
    insta::assert_snapshot!("lapsed", shown(&page));
    server.end().await;
}

#[tokio::test]
async fn malformed_ids_get_no_lookup() {
    let server = Server::start().await;
    for query in [
        "",
        "?session_id=",
        "?session_id=cs_1",
        "?session_id=%7BCHECKOUT_SESSION_ID%7D",
        "?session_id=%ff",
    ] {
        let answer = server.get(&format!("/success{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text.contains("This link is incomplete"), "{query}");
    }
    // Nothing that could be searched leads anywhere: only the session's own id does.
    server.post(&session("1", "paid")).await;
    let other = server
        .get("/success?session_id=cs_test_a_long_session_2")
        .await;
    assert!(other.text.contains("Your payment is on its way"));
    server.end().await;
}

#[tokio::test]
async fn a_page_is_nobody_elses() {
    let server = Server::start().await;
    let page = server
        .get("/success?session_id=cs_test_a_long_session_1")
        .await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let csp = page.header("content-security-policy").unwrap();
    assert!(
        csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"),
        "{csp}"
    );
    let style = page
        .text
        .split("href=\"")
        .nth(1)
        .and_then(|s| s.split('"').next())
        .unwrap();
    let css = server.get(&style.replace("&#x2f;", "/")).await;
    assert_eq!(
        (css.status, css.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert!(
        css.header("cache-control")
            .is_some_and(|c| c.contains("immutable"))
    );
    assert_eq!(
        server
            .get("/assets/style.0000000000000000.css")
            .await
            .status,
        404
    );
    assert_eq!(server.get("/assets/page.html").await.status, 404);
    server.end().await;
}

#[tokio::test]
async fn one_client_cannot_ask_without_end() {
    let mut config = config();
    config.http.trusted_proxies = vec![keyward::config::Network::parse("127.0.0.1").unwrap()];
    let server = Server::with(config).await;
    let ask = |from: &'static str| {
        let address = server.address;
        async move {
            let request = format!(
                "GET /success?session_id=cs_test_a_long_session_1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {from}\r\nConnection: close\r\n\r\n"
            );
            super::support::send(address, request.as_bytes()).await
        }
    };
    let mut refused = None;
    for _ in 0..100 {
        let answer = ask("1.1.1.1, 203.0.113.9").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
    assert!(refused.text.contains("A little slower"));
    assert_eq!(ask("203.0.113.10").await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn health_and_metrics() {
    let server = Server::start().await;
    server.post(&session("1", "paid")).await;
    server.post_as("{}", &[]).await;
    server
        .get("/success?session_id=cs_test_a_long_session_1")
        .await;
    assert_eq!(
        (
            server.get("/healthz").await.status,
            server.get("/readyz").await.status
        ),
        (200, 200)
    );
    let ready = server.get("/readyz").await.json();
    assert_eq!(
        (&ready["ready"], &ready["stopping"], &ready["queue_len_max"]),
        (&json!(true), &json!(false), &json!(4096))
    );
    let metrics = server.get("/metrics").await.text;
    for line in [
        "keyward_deliveries_total{source=\"stripe\",result=\"applied\"}",
        "keyward_signature_failures_total{source=\"stripe\",reason=\"no_header\"}",
        "keyward_ack_seconds_bucket{le=\"0.01\"}",
        "keyward_success_pages_total{said=\"preparing\"}",
        "# HELP keyward_queue_length",
        "keyward_queue_length 0",
        "# TYPE keyward_store_bytes gauge",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("cs_test"));
    server.end().await;
}

#[tokio::test]
async fn a_license_that_ran_out() {
    let server = Server::start().await;
    let body = session("1", "paid").replace(
        "\"authforge_app_id\":\"app\"",
        "\"authforge_app_id\":\"app\",\"license_duration\":\"30\"",
    );
    server.post(&body).await;
    server.carry_out().await;
    server
        .clock
        .advance_to(Timestamp::from_s(1_767_600_000) + Span::from_days(31));
    insta::assert_snapshot!(
        "ended",
        shown(
            &server
                .get("/success?session_id=cs_test_a_long_session_1")
                .await
                .text
        )
    );
    server.end().await;
}
