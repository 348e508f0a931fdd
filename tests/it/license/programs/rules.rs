//! What a program hears of its license, and of its devices.

use std::collections::BTreeSet;

use keyward::domain::plan::Devices;
use keyward::domain::time::Span;
use keyward::effects::license::stop::StoppedBy;
use keyward::embedded::{Ledger, LedgerError, MemoryLedger};
use serde_json::json;

use super::harness::{APP, NONCE, Service, payload, request, word};
use crate::http::support::send;

#[tokio::test]
async fn a_license_from_its_first_device_to_its_end() {
    let service = Service::start(MemoryLedger::default()).await;
    let key = service.license(Devices::Count(2)).await;
    for (call, device, expected) in [
        ("validate", "a", "not_activated"),
        ("heartbeat", "a", "not_activated"),
        ("activate", "a", "live"),
        ("activate", "a", "live"),
        ("activate", "b", "live"),
        ("activate", "c", "too_many_devices"),
        ("validate", "c", "too_many_devices"),
        ("heartbeat", "b", "live"),
        ("deactivate", "a", "not_activated"),
        ("deactivate", "a", "not_activated"),
        ("activate", "c", "live"),
        ("validate", "a", "too_many_devices"),
        ("offline", "c", "no_offline"),
    ] {
        assert_eq!(
            service.word(call, &key, device).await,
            expected,
            "{call} {device}"
        );
    }
    let now = service.clock.now();
    service.licenses.suspend(&key, now).await.done().unwrap();
    assert_eq!(service.word("validate", &key, "b").await, "suspended");
    assert_eq!(service.word("deactivate", &key, "b").await, "suspended");
    let until = Some(now + Span::from_days(1));
    service
        .licenses
        .reinstate(&key, until, StoppedBy::Suspension)
        .await
        .done()
        .unwrap();
    assert_eq!(service.word("validate", &key, "c").await, "live");
    service.clock.advance_to(now + Span::from_days(1));
    assert_eq!(service.word("validate", &key, "c").await, "expired");
    service.licenses.revoke(&key).await.done().unwrap();
    assert_eq!(service.word("activate", &key, "c").await, "revoked");
}

#[tokio::test]
async fn an_answer_says_for_what_and_how_long_it_counts() {
    let service = Service::start(MemoryLedger::default()).await;
    let key = service.license(Devices::Count(3)).await;
    let typed = format!(" {} ", key.reveal().to_lowercase().replace('-', " "));
    let answer = service.ask("activate", &typed, "a").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (signed, now) = (answer.json(), service.clock.now().s());
    let expected = json!({
        "v": 1, "call": "activate", "nonce": NONCE, "at": now, "rely_until": now + 86_400,
        "key": typed, "app": APP, "device": "a", "live": true, "reason": null,
        "expires_at": now + 30 * 86_400, "plan": null, "variables": {},
        "devices": { "used": 1, "max": 3 },
    });
    assert_eq!(payload(&signed), expected);
    let last_day = service.clock.now() + Span::from_days(30) - Span::from_hours(1);
    service.clock.advance_to(last_day);
    let signed = service.ask("validate", key.reveal(), "a").await.json();
    let payload = payload(&signed);
    assert_eq!(
        payload["rely_until"], payload["expires_at"],
        "no answer outlives the license"
    );
}

#[tokio::test]
async fn any_number_of_devices_takes_no_places() {
    let service = Service::start(MemoryLedger::default()).await;
    let key = service.license(Devices::Unlimited).await;
    for device in ["a", "b"] {
        assert_eq!(service.word("validate", &key, device).await, "live");
    }
    let signed = service.ask("activate", key.reveal(), "c").await.json();
    assert_eq!(
        payload(&signed)["devices"],
        json!({ "used": 0, "max": null })
    );
}

#[tokio::test]
async fn the_public_key_and_what_is_not_there() {
    let service = Service::start(MemoryLedger::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = send(service.address, get("/licenses/v1/public-key").as_bytes()).await;
    let json = answer.json();
    assert_eq!(json["public_key"].as_str().unwrap().len(), 64);
    let key = service.license(Devices::Count(1)).await;
    let signed = service.ask("validate", key.reveal(), "a").await.json();
    assert_eq!(signed["key_id"], json["key_id"]);
    for (path, status, code) in [
        ("/licenses/v1/validate", 405, "wrong_method"),
        ("/licenses/v1/nothing", 404, "no_such_call"),
    ] {
        let answer = send(service.address, get(path).as_bytes()).await;
        assert_eq!((answer.status, word(&answer)), (status, code.to_owned()));
    }
}

#[tokio::test]
async fn nonsense_gets_a_clear_problem() {
    let service = Service::start(MemoryLedger::default()).await;
    let with = |field: &str, value: &str| {
        let mut question = json!({ "key": "K", "app": APP, "device": "d", "nonce": NONCE });
        question[field] = json!(value);
        question.to_string()
    };
    for (body, status, code) in [
        (String::new(), 400, "bad_request"),
        ("[]".to_owned(), 400, "bad_request"),
        ("{\"key\": 1}".to_owned(), 400, "bad_request"),
        (with("key", " "), 400, "bad_request"),
        (with("app", ""), 400, "bad_request"),
        (with("device", "a\nb"), 400, "bad_request"),
        (with("device", &"d".repeat(65)), 400, "bad_request"),
        (with("device", "a\"b"), 400, "bad_request"),
        (with("device", "ä"), 400, "bad_request"),
        (with("nonce", "short"), 400, "bad_request"),
        (with("nonce", "0123456789 abcdef"), 400, "bad_request"),
        (with("key", &"K".repeat(65)), 400, "mistyped_key"),
        (with("key", "ABCD-ABCD-ABCD-ABCD-ABCD"), 400, "mistyped_key"),
        (with("key", "ABCD-ABCD-ABCD-ABCD"), 404, "unknown_key"),
        (with("other", &"x".repeat(5000)), 413, "too_large"),
        ("\u{0}".repeat(100), 400, "bad_request"),
    ] {
        let answer = service.ask_as("192.0.2.9", "validate", &body).await;
        let got = (answer.status, word(&answer));
        assert_eq!(got, (status, code.to_owned()), "{body:.80}");
    }
    let cut = request("192.0.2.9", "validate", &with("key", "K")).replace("Length: ", "Length: 1");
    let mut stream = tokio::net::TcpStream::connect(service.address)
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, cut.as_bytes())
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::shutdown(&mut stream)
        .await
        .unwrap();
    let answer = crate::http::support::answer(&mut stream).await;
    assert_eq!((answer.status, word(&answer)), (400, "cut_off".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_devices_that_race_for_the_last_places_as_many_win_as_there_are() {
    let service = Service::start(MemoryLedger::default()).await;
    for (devices, places) in [(2, 1), (2, 1), (2, 1), (2, 1), (40, 7)] {
        let key = service.license(Devices::Count(places)).await;
        let names: Vec<String> = (0..devices).map(|n| format!("device {n}")).collect();
        let asked = names
            .iter()
            .map(|device| service.word("activate", &key, device));
        let words = futures_all(asked).await;
        let won = words.iter().filter(|w| *w == "live").count();
        assert_eq!(won, usize::try_from(places).unwrap(), "{words:?}");
        let lost: BTreeSet<_> = words.iter().filter(|w| *w != "live").collect();
        assert_eq!(lost.into_iter().collect::<Vec<_>>(), ["too_many_devices"]);
        for (device, word) in names.iter().zip(&words) {
            assert_eq!(service.word("validate", &key, device).await, *word);
        }
    }
}

/// Runs all at once.
async fn futures_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

/// A disk without room.
struct Full(MemoryLedger, bool);

impl Ledger for Full {
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.0.load(each)
    }
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        self.0.get(key)
    }
    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        // The key pair and the first license still have room.
        let license = writes.iter().any(|(key, _)| key.starts_with(b"license/"));
        if license && std::mem::replace(&mut self.1, true) {
            return Err(LedgerError::Full("no room".into()));
        }
        self.0.put(writes)
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_not_given() {
    let service = Service::start(Full(MemoryLedger::default(), false)).await;
    let key = service.license(Devices::Count(1)).await;
    let answer = service.ask("activate", key.reveal(), "a").await;
    assert_eq!(
        (answer.status, word(&answer)),
        (503, "unavailable".to_owned())
    );
    assert_eq!(service.word("validate", &key, "a").await, "not_activated");
}
