//! Stripe's official library as the client: what it signs is accepted, and what it would refuse is refused.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::app::{SECRET, Setup, TestApp};
use crate::support::purchase::{next_s, one_time};

/// The library in a process of its own; it ends when its standard input closes.
struct Library {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Library {
    fn start(app: &TestApp) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stripe");
        assert!(
            folder.join("node_modules/stripe").exists(),
            "Stripe's library is not installed: run tests/stripe/install"
        );
        let mut child = Command::new("node")
            .arg(folder.join("deliver.mjs"))
            .arg(format!("{}/webhooks/stripe", app.door().base()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect(
                "node must be there: install Node.js 20 or later, then run tests/stripe/install",
            );
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            stdin: child.stdin.take(),
            answers,
            child,
        }
    }

    /// Lets it sign and post one delivery.
    fn deliver(&mut self, delivery: &Value) -> Value {
        writeln!(self.stdin.as_mut().unwrap(), "{delivery}").unwrap();
        let line = self
            .answers
            .next()
            .expect("the library's process ended")
            .unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// A fixture of each version that has one of the type, and its event's id.
fn of_every_version(kind: &str) -> Vec<(PathBuf, String)> {
    let versions =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stripe")).unwrap();
    let mut files: Vec<PathBuf> = versions
        .map(|v| v.unwrap().path().join(format!("{kind}.json")))
        .collect();
    files.retain(|file| file.exists());
    files.sort();
    let id = |file: &PathBuf| {
        let event: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        event["id"].as_str().unwrap().to_owned()
    };
    files
        .into_iter()
        .map(|file| (file.clone(), id(&file)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_library_signs_is_accepted_in_every_version() {
    let app = TestApp::start(Setup::embedded()).await;
    let mut library = Library::start(&app);
    let mut sent = Vec::new();
    for kind in [
        "checkout.session.completed",
        "customer.subscription.updated",
        "invoice.payment_succeeded",
    ] {
        for (file, id) in of_every_version(kind) {
            let answer =
                library.deliver(&json!({ "file": file, "secrets": [SECRET], "check": SECRET }));
            assert_eq!(
                (&answer["status"], &answer["library"]),
                (&json!(200), &json!("accepted")),
                "{file:?}: {answer}"
            );
            sent.push(id);
        }
    }
    assert!(
        sent.len() >= 15,
        "events of several versions: {}",
        sent.len()
    );
    let listed = app.events();
    assert!(sent.iter().all(|id| listed.contains_key(id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_library_refuses_is_refused_with_its_reason() {
    let app = TestApp::start(Setup::embedded()).await;
    let mut library = Library::start(&app);
    let event = one_time("Refused", next_s());
    for (change, code) in [
        (json!({ "alter": true }), "no_match"),
        (
            json!({ "secrets": ["whsec_of_another_endpoint"] }),
            "no_match",
        ),
        (json!({ "age_s": 330 }), "too_old"),
    ] {
        let mut delivery = json!({ "event": event, "secrets": [SECRET], "check": SECRET });
        delivery
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = library.deliver(&delivery);
        assert_eq!(answer["status"], 400, "{change}: {answer}");
        assert_eq!(
            answer["library"], "StripeSignatureVerificationError",
            "{change}: {answer}"
        );
        assert!(
            answer["body"].as_str().unwrap().contains(code),
            "{change}: {answer}"
        );
    }
    assert!(app.events().is_empty(), "nothing of it was kept");
    let young = json!({ "event": event, "secrets": [SECRET], "check": SECRET, "age_s": 240 });
    assert_eq!(
        library.deliver(&young)["status"],
        200,
        "within the tolerance"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_secret_is_rolled_both_are_good() {
    let (new, old) = ("whsec_new", "whsec_old");
    let app = TestApp::start(Setup {
        secrets: vec![new.to_owned(), old.to_owned()],
        ..Setup::embedded()
    })
    .await;
    let mut library = Library::start(&app);
    for (n, secrets) in [vec![new], vec![old], vec![old, new], vec!["whsec_x", new]]
        .into_iter()
        .enumerate()
    {
        let event = one_time(&format!("Rolled{n}"), next_s());
        let check = secrets[secrets.len() - 1];
        let answer =
            library.deliver(&json!({ "event": event, "secrets": secrets, "check": check }));
        assert_eq!(answer["status"], 200, "{secrets:?}: {answer}");
    }
    let event = one_time("Rolled9", next_s());
    let answer = library.deliver(&json!({ "event": event, "secrets": ["whsec_x"], "check": new }));
    assert_eq!(answer["status"], 400, "{answer}");
}
