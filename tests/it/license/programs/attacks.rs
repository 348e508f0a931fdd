//! Whoever tries keys learns nothing, and is soon heard no more.

use std::collections::BTreeMap;

use keyward::domain::plan::Devices;
use keyward::embedded::MemoryLedger;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{APP, NONCE, Service, request, word};
use crate::http::support::in_time;

fn question(key: &str) -> String {
    json!({ "key": key, "app": APP, "device": "d", "nonce": NONCE }).to_string()
}

#[tokio::test]
async fn a_wrong_key_and_that_of_another_application_look_alike() {
    let service = Service::start(MemoryLedger::default()).await;
    let foreign = service.license_of("another", Devices::Count(1)).await;
    for call in ["validate", "activate", "deactivate", "heartbeat", "offline"] {
        let of = async |visitor, key: &str| {
            let answer = service.ask_as(visitor, call, &question(key)).await;
            let head = ["content-type", "content-length", "cache-control"];
            let head = head.map(|name| answer.header(name).map(str::to_owned));
            (answer.status, head, answer.text)
        };
        let wrong = of("192.0.2.1", "ABCD-ABCD-ABCD-ABCD").await;
        assert_eq!(of("192.0.2.2", foreign.reveal()).await, wrong, "{call}");
        assert_eq!(wrong.0, 404);
    }
    // It costs the same, too: both are counted.
    for n in 5..20 {
        let key = if n % 2 == 0 { foreign.reveal() } else { "K" };
        let answer = service
            .ask_as("192.0.2.2", "validate", &question(key))
            .await;
        assert_eq!(word(&answer), "unknown_key");
    }
    let answer = service
        .ask_as("192.0.2.2", "validate", &question("K"))
        .await;
    assert_eq!(word(&answer), "guessing");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=601).contains(&wait), "{wait}");
}

#[tokio::test]
async fn whoever_guesses_does_not_hear_that_a_key_is_right() {
    let service = Service::start(MemoryLedger::default()).await;
    let right = service.license(Devices::Count(1)).await;
    for _ in 0..20 {
        service
            .ask_as("192.0.2.7", "validate", &question("K"))
            .await;
    }
    let answer = service
        .ask_as("192.0.2.7", "validate", &question(right.reveal()))
        .await;
    assert_eq!(word(&answer), "guessing");
    let elsewhere = service
        .ask_as("192.0.2.8", "validate", &question(right.reveal()))
        .await;
    assert_eq!(word(&elsewhere), "not_activated");
}

#[tokio::test]
async fn a_key_that_everybody_uses_is_limited_wherever_they_are() {
    let service = Service::start(MemoryLedger::default()).await;
    let key = service.license(Devices::Count(1000)).await;
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for n in 0..120 {
        let visitor = format!("198.51.100.{n}");
        let device = format!("\"device {n}\"");
        let question = question(key.reveal()).replace("\"d\"", &device);
        let answer = service.ask_as(&visitor, "activate", &question).await;
        *words.entry(word(&answer)).or_default() += 1;
    }
    assert!(words["live"] >= 60 && words["too_often"] >= 1, "{words:?}");
}

/// Keys that one connection tries at a stretch.
const STRETCH: usize = 500;
const GUESSES: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_guesses_get_nowhere() {
    let service = Service::start(MemoryLedger::default()).await;
    for _ in 0..100 {
        service.license(Devices::Count(1)).await;
    }
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for stretch in 0..GUESSES / STRETCH {
        // From twenty networks, each over and over.
        let visitor = format!("203.0.113.{}", stretch % 20);
        let mut questions = String::new();
        for n in 0..STRETCH {
            let n = stretch * STRETCH + n;
            let key = format!("AAAA-BBBB-{:04}-{:04}", n / 10_000, n % 10_000);
            let one = request(&visitor, "validate", &question(&key));
            let last = n % STRETCH == STRETCH - 1;
            questions += &if last {
                one
            } else {
                one.replace("Connection: close\r\n", "")
            };
        }
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        let (mut read, mut write) = stream.split();
        let mut answers = Vec::new();
        let (written, read) = in_time(async {
            tokio::join!(
                write.write_all(questions.as_bytes()),
                read.read_to_end(&mut answers)
            )
        })
        .await;
        written.unwrap();
        read.unwrap();
        for line in String::from_utf8_lossy(&answers)
            .lines()
            .filter_map(|l| l.split("HTTP/1.1 ").nth(1))
        {
            *statuses.entry(line[..3].to_owned()).or_default() += 1;
        }
    }
    assert_eq!(statuses.values().sum::<usize>(), GUESSES, "{statuses:?}");
    assert_eq!(
        statuses["404"],
        20 * 20,
        "what is answered at all: {statuses:?}"
    );
    assert_eq!(statuses["429"], GUESSES - 400, "{statuses:?}");
}
