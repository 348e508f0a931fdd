//! The small clients of docs/licensing.md, each against the real server: what they accept, and what they do not fall for.

use std::path::{Path, PathBuf};
use std::process::Command;

use keyward::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::{NoAnswer, Vendor};
use super::harness::NONCE;
use super::kill::buy;
use crate::support::app::{Setup, TestApp};

const APP: &str = "app_test";
/// A public key that nobody here has the other half of (RFC 8032, 7.1, test 1).
const ANOTHER_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/licensing.md");
    std::fs::read_to_string(page).unwrap()
}

/// The page's program in a language.
fn block(language: &str) -> String {
    let page = page();
    let start = format!("```{language}\n");
    let (_, rest) = page.split_once(&start).expect("the page has the program");
    rest.split_once("\n```").unwrap().0.to_owned() + "\n"
}

/// A client in one of the languages.
pub(super) enum Language {
    Rust,
    /// An interpreter and the script.
    Script(&'static str, PathBuf),
}

impl Language {
    pub(super) fn python(dir: &Path) -> Option<Self> {
        Self::script("python3", "python", &["-c", "import cryptography"], dir)
    }

    pub(super) fn node(dir: &Path) -> Option<Self> {
        Self::script("node", "js", &["--version"], dir)
    }

    /// The page's script in a folder; nothing, and said so, where it cannot run.
    fn script(
        interpreter: &'static str,
        language: &str,
        needs: &[&str],
        dir: &Path,
    ) -> Option<Self> {
        let works = Command::new(interpreter).args(needs).output();
        if !works.is_ok_and(|out| out.status.success()) {
            println!(
                "NOT TESTED: the {language} client: `{interpreter} {}` fails",
                needs.join(" ")
            );
            return None;
        }
        let ending = if language == "python" { "py" } else { "mjs" };
        let script = dir.join(format!("client.{ending}"));
        std::fs::write(&script, block(language)).unwrap();
        Some(Self::Script(interpreter, script))
    }
}

/// A program of the vendor's on some devices.
pub(super) struct Program<'a> {
    pub(super) language: &'a Language,
    pub(super) server: String,
    /// Those that are built into it.
    pub(super) public_keys: Vec<String>,
    /// Where it keeps an answer or a file.
    pub(super) file: PathBuf,
}

impl Program<'_> {
    /// Runs a call; what it prints.
    async fn run(&self, call: &str, key: &str, device: &str) -> Value {
        let Language::Script(interpreter, script) = self.language else {
            return self.run_rust(call, key, device).await;
        };
        let mut command = Command::new(interpreter);
        command
            .arg(script)
            .args([call, key, device])
            .arg(&self.file)
            .env("LICENSE_SERVER", &self.server)
            .env("LICENSE_APP", APP)
            .env("LICENSE_PUBLIC_KEYS", self.public_keys.join(" "))
            .env("NO_PROXY", "*");
        let out = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = serde_json::from_slice(&out.stdout);
        said.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    }

    async fn run_rust(&self, call: &str, key: &str, device: &str) -> Value {
        let vendor = Vendor {
            server: self.server.clone(),
            app: APP.to_owned(),
            public_keys: self.public_keys.clone(),
        };
        let read = std::fs::read(&self.file).ok();
        let mut saved: Option<Value> = read.map(|bytes| serde_json::from_slice(&bytes).unwrap());
        let now_s = Clock::Wall.now().s();
        let live = |mut said: Value| {
            said["live"] = json!(true);
            said
        };
        let outcome = match call {
            "start" => vendor.start(key, device, &mut saved, now_s).await,
            "check" => vendor
                .offline_file(saved.as_ref().unwrap(), device, now_s)
                .map(live),
            "offline" => vendor.ask(call, key, device).await.map(|(signed, said)| {
                saved = Some(signed);
                live(said)
            }),
            _ => vendor.ask(call, key, device).await.map(|(_, said)| said),
        };
        if let Some(saved) = saved {
            std::fs::write(&self.file, saved.to_string()).unwrap();
        }
        let failed =
            |error: &str, why: String| json!({ "live": false, "error": error, "why": why });
        match outcome {
            Ok(said) => said,
            Err(NoAnswer::Unreachable(why)) => failed("Unreachable", why),
            Err(NoAnswer::Refused(why)) => failed("Refused", why),
            Err(NoAnswer::Forged(why)) => failed("Forged", why.to_owned()),
        }
    }

    /// Runs calls, each with what must come of it: `live`, a reason, or an error and why.
    pub(super) async fn expect(&self, steps: &[(&str, &str, &str, &str)]) {
        for (call, key, device, expected) in steps {
            let said = self.run(call, key, device).await;
            let text = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
            let got = match (said["live"] == true, said["error"].is_string()) {
                (true, _) => "live".to_owned(),
                (false, true) => format!("{}: {}", text("error"), text("why")),
                (false, false) => text("reason"),
            };
            assert!(
                got.starts_with(expected),
                "{call} {device}: {expected}, not {said}"
            );
        }
    }
}

/// A server that gives everybody the same answer.
async fn replaying(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            // The question is one JSON object without braces inside.
            while !request.ends_with(b"}") && stream.read_buf(&mut request).await.unwrap() > 0 {}
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

/// A shop with a plan for two devices and offline files.
pub(super) async fn shop() -> TestApp {
    let mut setup = Setup::embedded();
    setup.licenses += "key_prefix = \"ACME\"\n";
    setup.more = "[[plan]]\nname = \"pro\"\nprices = [\"price_pro\"]\noffline = \"30d\"\n\
                  variables = { edition = \"gold\" }\nlicense = { devices = 2 }\n"
        .to_owned();
    TestApp::start(setup).await
}

/// The public keys that the server lists, the one that signs first.
pub(super) async fn public_keys(app: &TestApp) -> Vec<String> {
    let listed = app.door().get("/licenses/v1/public-key").await.unwrap();
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(listed["public_key"], listed["keys"][0]["public_key"]);
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.map(|k| k["public_key"].as_str().unwrap().to_owned())
        .collect()
}

/// A client's life with one license, and what it is tried with.
async fn live_through(app: &TestApp, language: &Language, name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let key = &*buy(app, name, &[("plan", "pro")]).await;
    assert!(key.starts_with("ACME-"), "{key}");
    let door = app.door();
    let public_keys = public_keys(app).await;
    let program = |server: &str, file: &str| Program {
        language,
        server: server.to_owned(),
        public_keys: public_keys.clone(),
        file: dir.path().join(file),
    };
    let (head, last) = key.split_at(key.len() - 1);
    let mistyped = format!("{head}{}", if last == "X" { "Y" } else { "X" });
    let ours = program(door.base(), "saved");
    let said = ours.run("start", key, "a").await;
    assert_eq!(
        (&said["plan"], &said["variables"]["edition"]),
        (&json!("pro"), &json!("gold")),
        "{said}"
    );
    ours.expect(&[
        ("validate", key, "b", "not_activated"),
        ("activate", key, "b", "live"),
        ("activate", key, "c", "too_many_devices"),
        ("deactivate", key, "b", "not_activated"),
        ("heartbeat", key, "a", "live"),
        ("validate", &*mistyped, "a", "Refused: mistyped_key"),
        ("validate", "ACME-1", "a", "Refused: unknown_key"),
    ])
    .await;
    program(door.base(), "file")
        .expect(&[
            ("offline", key, "b", "Refused: not_activated"),
            ("offline", key, "a", "live"),
            ("check", key, "a", "live"),
            ("check", key, "b", "Forged: for another"),
            ("deactivate", key, "a", "Refused: offline_file_out"),
        ])
        .await;
    // Without a connection the saved answer counts, on this device and with this key only.
    program("http://127.0.0.1:9", "saved")
        .expect(&[
            ("start", key, "a", "live"),
            ("start", key, "b", "Forged: for another"),
            ("start", "ACME-1", "a", "Unreachable"),
        ])
        .await;
    attacked(app, &program, key).await;
}

/// Answers that were recorded, changed, or signed by somebody else.
async fn attacked<'a>(app: &TestApp, program: &impl Fn(&str, &str) -> Program<'a>, key: &str) {
    let question = json!({ "key": key, "app": APP, "device": "a", "nonce": NONCE });
    let recorded = reqwest::Client::new()
        .post(format!("{}/licenses/v1/validate", app.door().base()))
        .body(question.to_string())
        .send()
        .await
        .unwrap();
    let recorded = recorded.text().await.unwrap();
    let changed = recorded.replace("\\\"live\\\":true", "\\\"live\\\": true");
    assert_ne!(changed, recorded);
    for (answer, expected) in [
        (recorded, "Forged: an answer to another question"),
        (changed, "Forged: a wrong signature"),
        ("{\"payload\": \"{}\"}".to_owned(), "Forged: "),
        ("{}".to_owned(), "Forged: "),
        ("no JSON".to_owned(), "Unreachable"),
    ] {
        let replaying = program(&replaying(answer).await, "nothing");
        replaying
            .expect(&[
                ("validate", key, "a", expected),
                ("start", key, "a", expected),
            ])
            .await;
    }
    let fooled = Program {
        public_keys: vec![ANOTHER_KEY.to_owned()],
        ..program(app.door().base(), "saved")
    };
    fooled
        .expect(&[
            ("validate", key, "a", "Forged: a wrong signature"),
            ("start", key, "a", "Forged: a wrong signature"),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_client() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/license/programs/client.rs");
    let file = std::fs::read_to_string(file).unwrap();
    let (_, code) = file.split_once("\n\n").unwrap();
    assert_eq!(block("rust"), code, "docs/licensing.md shows this client");
    live_through(&shop().await, &Language::Rust, "Rust").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_client() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(python) = Language::python(dir.path()) {
        live_through(&shop().await, &python, "Python").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(node) = Language::node(dir.path()) {
        live_through(&shop().await, &node, "Node").await;
    }
}
