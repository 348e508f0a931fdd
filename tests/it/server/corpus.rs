//! Whatever a signed body holds, the server answers it and lives on, and what has an id and a type is listed with what
//! became of it.
//!
//! `tests/corpus FOLDER [--mutations N] [--seed S]` runs this over any folder of events; by itself it runs over the
//! project's own fixtures.

mod mutate;

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward::clock::Stopwatch;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::wait::{PATIENCE, until};
use mutate::mutated;

/// Deliveries side by side.
const CONNECTIONS: usize = 16;
/// Where the matter is.
const OBJECT: &str = "/data/object";
/// The longest id that a listed event has.
const ID_LEN_MAX: usize = 255;
/// A source and plans that take everything, so that as much as possible comes of each event.
const SOURCE: &str = "livemode = \"any\"\nconnect = \"accept\"\n";
const PLANS: &str = "[[plan]]\nname = \"all\"\nprices = [\"*\"]\nlicense = { devices = 2 }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_project_s_own_fixtures_and_their_mutations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stripe");
    run(
        &folder,
        number("KEYWARD_CORPUS_MUTATIONS", 2_000),
        number("KEYWARD_SEED", rand::random()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/corpus runs it over a folder of its caller's"]
async fn a_folder_of_events() {
    let folder = std::env::var("KEYWARD_CORPUS").expect("run it by tests/corpus FOLDER");
    run(
        Path::new(&folder),
        number("KEYWARD_CORPUS_MUTATIONS", 2_000),
        number("KEYWARD_SEED", rand::random()),
    )
    .await;
}

fn number(var: &str, default: u64) -> u64 {
    std::env::var(var).map_or(default, |n| n.parse().unwrap())
}

/// A body, and what it was made of.
#[derive(Clone)]
struct Body {
    bytes: Vec<u8>,
    from: String,
}

async fn run(folder: &Path, mutations: u64, seed: u64) {
    println!("KEYWARD_SEED={seed}");
    let setup = Setup {
        more: PLANS.to_owned(),
        source: SOURCE,
        ..Setup::embedded()
    };
    let mut app = TestApp::start(setup).await;
    let bodies = Arc::new(bodies(folder, mutations, seed));
    let watch = Stopwatch::start();
    let statuses = post_all(&app, &bodies).await;
    println!(
        "{} bodies in {:?}, by status: {statuses:?}",
        bodies.len(),
        watch.elapsed()
    );
    until("it is ready afterwards", PATIENCE, async || {
        app.door()
            .get("/readyz")
            .await
            .ok()
            .filter(|answered| answered.status == 200)
    })
    .await;
    listed(&app, &bodies);
    app.terminate();
    let status = app.ended(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", app.tail());
    app.restart().await;
    let said = app.said();
    assert!(!said.contains("panicked at"), "{}", app.tail());
    let held: Vec<_> = said
        .lines()
        .filter(|line| line.contains("is held"))
        .take(5)
        .collect();
    assert!(
        held.is_empty(),
        "bad input is refused, parked or ignored, and never makes a machine that fails its check: {held:#?}"
    );
}

/// Posts all bodies; every answer is 200, or a 4xx that the body deserves.
async fn post_all(app: &TestApp, bodies: &Arc<Vec<Body>>) -> BTreeMap<u16, usize> {
    let next = Arc::new(AtomicUsize::new(0));
    let connection = || {
        let (door, bodies, next) = (app.door().clone(), Arc::clone(bodies), Arc::clone(&next));
        tokio::spawn(async move {
            let (mut statuses, mut wrong) = (BTreeMap::<u16, usize>::new(), Vec::new());
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answered = door.deliver(body.bytes.clone()).await;
                let status = answered.as_ref().map_or(0, |a| a.status);
                *statuses.entry(status).or_default() += 1;
                if !deserved(status, &body.bytes) {
                    wrong.push(format!("{answered:?} for {}", shown(body)));
                }
            }
            (statuses, wrong)
        })
    };
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| connection()).collect();
    let (mut all, mut all_wrong) = (BTreeMap::new(), Vec::new());
    for connection in connections {
        let (statuses, wrong) = connection.await.unwrap();
        statuses
            .into_iter()
            .for_each(|(status, n)| *all.entry(status).or_default() += n);
        all_wrong.extend(wrong);
    }
    let few = all_wrong
        .iter()
        .take(5)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        all_wrong.is_empty(),
        "{} wrong answers, {all:?}:\n{few}\n{}",
        all_wrong.len(),
        app.tail()
    );
    all
}

fn shown(body: &Body) -> String {
    let text: String = String::from_utf8_lossy(&body.bytes)
        .chars()
        .take(1_500)
        .collect();
    format!("{}, {} bytes: {text}", body.from, body.bytes.len())
}

/// An event by its envelope alone, however deep its object is nested.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

/// The id of a body that must be listed: it is JSON with an id and a type, and no thin event.
fn listed_id(body: &[u8]) -> Option<String> {
    let envelope: Envelope<'_> = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let text = |raw: &RawValue| {
        serde_json::from_str::<String>(raw.get())
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let (id, kind) = (text(envelope.id)?, text(envelope.kind)?);
    let thin = envelope
        .object
        .and_then(text)
        .is_some_and(|o| o == "v2.core.event")
        || kind.starts_with("v1.")
        || kind.starts_with("v2.");
    let usable = !id.is_empty() && id.len() <= ID_LEN_MAX && !id.contains('\0') && !kind.is_empty();
    (usable && !thin).then_some(id)
}

fn deserved(status: u16, body: &[u8]) -> bool {
    match status {
        200 => listed_id(body).is_some(),
        400 => listed_id(body).is_none(),
        413 => body.len() > 1 << 20,
        _ => false,
    }
}

/// Every event with an id and a type is listed: applied, or parked and why, or ignored and why.
fn listed(app: &TestApp, bodies: &[Body]) {
    let events = app.events();
    let (mut dispositions, mut reasons) = (
        BTreeMap::<String, usize>::new(),
        BTreeMap::<String, usize>::new(),
    );
    for body in bodies.iter().filter(|b| b.bytes.len() <= 1 << 20) {
        let Some(id) = listed_id(&body.bytes) else {
            continue;
        };
        let event = events
            .get(&id)
            .unwrap_or_else(|| panic!("{id} is not listed; {}", shown(body)));
        let disposition = event["disposition"].as_str().unwrap();
        let told = match disposition {
            "applied" => true,
            "parked" => event["waits_for"]
                .as_array()
                .is_some_and(|names| !names.is_empty()),
            "ignored" => event["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty()),
            _ => false,
        };
        assert!(told, "{event}: {}", shown(body));
        *dispositions.entry(disposition.to_owned()).or_default() += 1;
        if let Some(reason) = event["reason"].as_str() {
            *reasons
                .entry(reason.chars().take(60).collect())
                .or_default() += 1;
        }
    }
    println!("{dispositions:?}\n{reasons:#?}");
}

/// All events below a folder, each with an id of its own, and mutations of them.
fn bodies(folder: &Path, mutations: u64, seed: u64) -> Vec<Body> {
    let mut files = Vec::new();
    json_files(folder, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no *.json below {}", folder.display());
    let read = |file: &PathBuf| (file.display().to_string(), std::fs::read(file).unwrap());
    let originals: Vec<(String, Vec<u8>)> = files.iter().map(read).collect();
    let parsed: Vec<(&str, Value)> = originals
        .iter()
        .filter_map(|(from, bytes)| Some((from.as_str(), serde_json::from_slice(bytes).ok()?)))
        .collect();
    let mut dice = StdRng::seed_from_u64(seed);
    let whole = originals.iter().enumerate().map(|(n, (from, bytes))| {
        let own = serde_json::from_slice(bytes)
            .map_or_else(|_| bytes.clone(), |event| numbered(event, n, "whole"));
        Body {
            bytes: own,
            from: from.clone(),
        }
    });
    let mut bodies: Vec<Body> = whole.collect();
    for n in 0..usize::try_from(mutations).unwrap() {
        let (from, event) = parsed.choose(&mut dice).unwrap();
        let event: Value = serde_json::from_slice(&numbered(event.clone(), n, "mutation")).unwrap();
        bodies.push(Body {
            bytes: mutated(event, &mut dice),
            from: format!("mutation {n} of {from}"),
        });
    }
    bodies
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
}

/// The same event under an id of its own.
fn numbered(mut event: Value, n: usize, what: &str) -> Vec<u8> {
    if let Some(id) = event.get_mut("id").filter(|id| id.is_string()) {
        *id = json!(format!("evt_{what}_{n}"));
    }
    serde_json::to_vec(&event).unwrap()
}
