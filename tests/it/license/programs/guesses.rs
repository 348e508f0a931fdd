//! A million guessed keys, put to the router itself: none is right, and nearly all are refused before anybody looks.
//!
//! `KEYWARD_FULL=1` guesses the million; a run of every day makes do with a part.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use keyward::clock::Stopwatch;
use keyward::domain::plan::Devices;
use keyward::embedded::MemoryLedger;
use keyward::http::Peer;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tower::ServiceExt;

use super::harness::{APP, NONCE, Service};

/// Keys that might be hit.
const LICENSES: usize = 200;
/// Networks from which it is guessed, in turn.
const GUESSERS: usize = 500;
/// Wrong keys that are answered to each of them.
const ANSWERED: usize = 20;

fn guesses() -> usize {
    match std::env::var("KEYWARD_FULL") {
        Ok(full) if full == "1" => 1_000_000,
        _ => 50_000,
    }
}

/// What the router says to a key, as a visitor who comes from there; its status and body.
async fn validate(router: &Router, from: u32, key: &str) -> (u16, String) {
    let question = json!({ "key": key, "app": APP, "device": "d", "nonce": NONCE });
    let mut request = Request::post("/licenses/v1/validate")
        .body(Body::from(question.to_string()))
        .unwrap();
    let visitor = IpAddr::V4(Ipv4Addr::from_bits(from));
    let peer = Peer(SocketAddr::new(visitor, 4711));
    request.extensions_mut().insert(peer);
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A key of the form of those that are sold: four groups of four.
fn guessed(dice: &mut StdRng, alphabet: &[u8], length: usize) -> String {
    let letter = |_| char::from(alphabet[dice.random_range(0..alphabet.len())]);
    let letters: Vec<char> = (0..length).map(letter).collect();
    let groups: Vec<String> = letters.chunks(4).map(|g| g.iter().collect()).collect();
    groups.join("-")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_guesses_get_nowhere() {
    let service = Service::start(MemoryLedger::default()).await;
    let mut sold = BTreeSet::new();
    for _ in 0..LICENSES {
        let key = service.license(Devices::Count(1)).await;
        sold.insert(key.reveal().to_owned());
    }
    let alphabet: BTreeSet<u8> = sold.iter().flat_map(|k| k.bytes()).collect();
    let alphabet: Vec<u8> = alphabet.into_iter().filter(|b| *b != b'-').collect();
    let length = sold.first().unwrap().replace('-', "").len();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    let watch = Stopwatch::start();
    for n in 0..guesses() {
        let from = 0x0a00_0000 + u32::try_from(n % GUESSERS).unwrap() * 256;
        // Half of them have no checksum to be wrong, as the keys of other makers.
        let length = if dice.random() { length } else { 16 };
        let key = guessed(&mut dice, &alphabet, length);
        let (status, body) = validate(&service.router, from, &key).await;
        *statuses.entry(status).or_default() += 1;
        said.insert(body);
    }
    println!(
        "{} guesses in {:?}: {statuses:?}",
        guesses(),
        watch.elapsed()
    );
    // No guess is right, nothing is told of any, and whoever goes on guessing is not heard.
    assert!(!statuses.contains_key(&200), "{statuses:?}");
    assert!(said.len() <= 5, "{said:?}");
    let looked = statuses.get(&404).copied().unwrap_or_default();
    assert!(looked <= GUESSERS * ANSWERED, "{statuses:?}");
    // Whoever has a key, from elsewhere, is answered as ever; from a guesser's network it is not heard.
    let right = sold.first().unwrap();
    let (status, body) = validate(&service.router, 0x0b00_0001, right).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = validate(&service.router, 0x0a00_0000, right).await;
    assert_eq!(status, 429, "{body}");
}
