//! Webhooks over a real port: what is taken, what is refused and in which words.

mod busy;

use keyward::domain::id::MachineId;
use keyward::engine::read::view;
use keyward::engine::record::key::Table;
use keyward::secret::Secret;
use keyward::store::{Direction, KeyRange, Seq};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{SECRET, Server, answer, config, in_time, request, send};

fn event(id: &str, kind: &str, object: &serde_json::Value) -> String {
    json!({"id": id, "object": "event", "type": kind, "created": 1_767_600_000, "livemode": true,
           "data": {"object": object}})
    .to_string()
}

fn purchase(n: u32) -> String {
    event(
        &format!("evt_{n}"),
        "checkout.session.completed",
        &json!({"id": format!("cs_test_purchase_number_{n}"), "object": "checkout.session", "mode": "payment",
                "payment_status": "paid", "payment_intent": format!("pi_{n}"), "metadata": {"authforge_app_id": "app"}}),
    )
}

#[tokio::test]
async fn what_comes_of_a_signed_delivery() {
    let server = Server::start().await;
    let refund = json!({"id": "re_1", "object": "refund", "amount": 5, "status": "succeeded", "charge": "ch_1"});
    for (body, said) in [
        (purchase(1), "applied"),
        (purchase(1), "duplicate"),
        (event("evt_r", "refund.created", &refund), "parked"),
        (
            event("evt_u", "something.unheard_of", &json!({})),
            "ignored",
        ),
    ] {
        let answer = server.post(&body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"received": true, "disposition": said})),
            "{body}"
        );
    }
    let machine = view::machine(
        server.handle.reader(),
        &"stripe/cs_test_purchase_number_1"
            .parse::<MachineId>()
            .unwrap(),
    );
    assert_eq!(machine.unwrap().unwrap().facts.len(), 1);
    server.end().await;
}

#[tokio::test]
async fn every_failure_of_a_signature_has_its_own_words() {
    let mut config = config();
    config.sources[0]
        .signing_secrets
        .push(Secret::new("whsec_old"));
    let server = Server::with(config).await;
    let body = purchase(1);
    let signed = |secret: &str, ago: i64| {
        let t = keyward::domain::time::Timestamp::from_s(server.clock.now().s() - ago);
        keyward::sources::stripe::signature::sign(body.as_bytes(), &Secret::new(secret), t)
    };
    let good = signed(SECRET, 0);
    for (header, code, words) in [
        (None, "no_header", "no Stripe-Signature header"),
        (Some("hello".to_owned()), "malformed_header", "has no `t`"),
        (
            Some("t=5,v1=zz".to_owned()),
            "malformed_header",
            "64 hexadecimal",
        ),
        (Some(good.replace("v1", "v0")), "no_v1", "no v1 signature"),
        (
            Some(signed("whsec_other", 0)),
            "no_match",
            "no signature matches",
        ),
        (
            Some(signed(SECRET, 301)),
            "too_old",
            "clock is synchronized",
        ),
    ] {
        let headers: Vec<(&str, &str)> = header
            .iter()
            .map(|h| ("Stripe-Signature", h.as_str()))
            .collect();
        let answer = server.post_as(&body, &headers).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!(code))
        );
        assert!(answer.text.contains(words), "{}", answer.text);
    }
    assert_eq!(server.handle.reader().seq().unwrap(), Seq(0));
    let old_secret = signed("whsec_old", 300);
    assert_eq!(
        server
            .post_as(&body, &[("stripe-signature", &old_secret)])
            .await
            .status,
        200
    );
    server.end().await;
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_kept_for_the_operator() {
    let server = Server::start().await;
    let thin = json!({"id": "evt_t", "object": "v2.core.event", "type": "v1.invoice.paid",
                      "created": "2026-01-01T00:00:00Z", "related_object": {"id": "in_1"}});
    let long_id = event(&"e".repeat(5000), "invoice.paid", &json!({}));
    for (body, code, words) in [
        ("{\"id\": ".to_owned(), "not_json", "not JSON"),
        ("[]".to_owned(), "not_an_event", "no `type`"),
        (thin.to_string(), "thin_event", "payload style *snapshot*"),
        (long_id, "not_an_event", "longer than 255"),
    ] {
        let answer = server.post(&body).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!(code)),
            "{body}"
        );
        assert!(answer.text.contains(words), "{}", answer.text);
        // Without a signature nobody learns what is wrong with a body, and nothing is kept.
        assert_eq!(
            server.post_as(&body, &[]).await.json()["error"],
            "no_header"
        );
    }
    let kept = server.handle.reader().range(
        &KeyRange::prefix(&[Table::Refused as u8]),
        Direction::Forward,
        10,
    );
    assert_eq!(kept.unwrap().len(), 4);
    server.end().await;
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let server = Server::start().await;
    let signature = |body: &str| server.signature(body);
    // The default: 1 MiB.
    let fits = event(
        "evt_big",
        "something.big",
        &json!({"filler": "x".repeat(1_000_000)}),
    );
    assert_eq!(server.post(&fits).await.status, 200);
    let over = event(
        "evt_over",
        "something.big",
        &json!({"filler": "x".repeat(1 << 20)}),
    );
    assert_eq!(
        server
            .post_as(&over, &[("Stripe-Signature", &signature(&over))])
            .await
            .status,
        413
    );
    let chunked = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{over}\r\n0\r\n\r\n",
        over.len()
    );
    assert_eq!(send(server.address, chunked.as_bytes()).await.status, 413);
    let announced =
        b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    let refused = send(server.address, announced).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (413, Some("too_large"))
    );
    server.end().await;
}

#[tokio::test]
async fn other_addresses_and_methods() {
    let server = Server::start().await;
    let body = purchase(1);
    let signature = server.signature(&body);
    let elsewhere = request("paypal", &body, &[("Stripe-Signature", &signature)]);
    assert_eq!(
        send(server.address, &elsewhere).await.json()["error"],
        "unknown_source"
    );
    for (path, status) in [
        ("/webhooks/stripe", 405),
        ("/", 404),
        ("/index.html", 404),
        ("/webhooks", 404),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text.contains("<!doctype html>"), "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn who_is_too_slow_is_cut_off() {
    let mut config = config();
    config.http.header_timeout = keyward::domain::time::Span::from_ms(100);
    config.http.body_timeout = keyward::domain::time::Span::from_ms(100);
    let server = Server::with(config).await;
    let mut half_a_head = TcpStream::connect(server.address).await.unwrap();
    half_a_head
        .write_all(b"POST /webhooks/stripe HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    in_time(tokio::io::AsyncReadExt::read_to_end(
        &mut half_a_head,
        &mut bytes,
    ))
    .await
    .unwrap();
    assert!(
        bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    let half_a_body = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    assert_eq!(send(server.address, half_a_body).await.status, 408);
    server.end().await;
}

#[tokio::test]
async fn connections_over_the_bound_wait() {
    let mut config = config();
    config.http.connections_max = 1;
    let server = Server::with(config).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    first.readable().await.unwrap();
    // The second is answered only once the first is gone.
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(second.try_read(&mut [0; 1]).is_err());
    drop(first);
    assert_eq!(answer(&mut second).await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn ids_that_no_key_could_hold_stop_nothing() {
    let server = Server::start().await;
    let long = "x".repeat(5000);
    let session = |fields: serde_json::Value| {
        let mut object = json!({"id": "cs_test_purchase_number_9", "object": "checkout.session", "mode": "payment",
            "payment_status": "paid", "payment_intent": "pi_9", "customer": "cus_9", "metadata": {"authforge_app_id": "app"}});
        object
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        object
    };
    let item = json!({"data": [{"id": &long, "price": {"id": &long}, "quantity": 1}]});
    let objects = [
        ("checkout.session.completed", session(json!({"id": &long}))),
        (
            "checkout.session.completed",
            session(json!({"payment_intent": &long})),
        ),
        (
            "checkout.session.completed",
            session(json!({"customer": &long})),
        ),
        (
            "checkout.session.completed",
            session(json!({"invoice": &long})),
        ),
        (
            "checkout.session.completed",
            session(json!({"mode": "subscription", "subscription": &long})),
        ),
        (
            "customer.updated",
            json!({"id": &long, "object": "customer"}),
        ),
        (
            "customer.subscription.created",
            json!({"id": &long, "object": "subscription", "customer": "cus_1", "items": item}),
        ),
        (
            "customer.subscription.created",
            json!({"id": "sub_9", "object": "subscription", "customer": &long, "items": item}),
        ),
        (
            "invoice.paid",
            json!({"id": &long, "object": "invoice", "subscription": "sub_9", "customer": &long}),
        ),
        (
            "charge.refunded",
            json!({"id": &long, "object": "charge", "amount": 5, "amount_refunded": 5, "payment_intent": &long}),
        ),
        (
            "refund.created",
            json!({"id": &long, "object": "refund", "amount": 5, "charge": &long}),
        ),
        (
            "charge.dispute.created",
            json!({"id": &long, "object": "dispute", "status": "lost", "charge": &long}),
        ),
        (long.as_str(), json!({"id": "x"})),
    ];
    for (n, (kind, object)) in objects.iter().enumerate() {
        let answer = server
            .post(&event(&format!("evt_long_{n}"), kind, object))
            .await;
        let what: String = format!("{kind} {object}").chars().take(120).collect();
        assert!(answer.status < 500, "{what}: {}", answer.text);
    }
    server.end().await;
}
