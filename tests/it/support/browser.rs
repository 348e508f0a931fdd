//! A real browser, driven by a test: Debian's Chromium without a window, spoken to in its DevTools protocol over two pipes.
//!
//! The protocol is JSON with a NUL behind each message (`--remote-debugging-pipe`), so that no driver and no WebSocket is
//! needed. A test waits for what it wants to see, and never for a time.

mod tab;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::wait::PATIENCE;
pub(crate) use tab::Tab;

/// The program, as Debian calls it; `KEYWARD_CHROMIUM` names another.
const PROGRAM: &str = "chromium";

/// How a visitor looks at a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor {
    /// The window, in CSS pixels.
    pub(crate) size: (u32, u32),
    /// Whether dark colours are wanted.
    pub(crate) dark: bool,
    /// Whether scripts run.
    pub(crate) script: bool,
    /// What the browser asks for: `de-DE,de;q=0.9`.
    pub(crate) language: &'static str,
    /// Whether the network is as slow as an old phone's.
    pub(crate) slow: bool,
}

impl Visitor {
    /// At a desk, by day, in English.
    pub(crate) const fn at_a_desk() -> Self {
        Self {
            size: (1100, 800),
            dark: false,
            script: true,
            language: "en",
            slow: false,
        }
    }

    /// With a small phone.
    pub(crate) const fn with_a_phone() -> Self {
        Self {
            size: (360, 740),
            ..Self::at_a_desk()
        }
    }
}

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Value>>>>;

/// A running browser, ended when it is dropped.
pub(crate) struct Browser {
    child: Child,
    requests: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts the browser. `None`, and a word about it, where there is none.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var("KEYWARD_CHROMIUM").unwrap_or_else(|_| PROGRAM.to_owned());
        let is_there = Command::new("sh")
            .args(["-c", "command -v \"$0\"", &program])
            .stdout(Stdio::null())
            .status();
        if !is_there.is_ok_and(|status| status.success()) {
            println!("NOT TESTED: pages in a browser, for there is no `{program}`");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        // The shell puts the pipes where the browser looks for them.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            ])
            .arg(&program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--no-proxy-server",
                "--disable-background-networking",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = Mutex::new(child.stdin.take().unwrap());
        let answers = child.stdout.take().unwrap();
        let waiting = Waiting::default();
        let heard = Arc::clone(&waiting);
        std::thread::spawn(move || hear(answers, &heard));
        Some(Self {
            child,
            requests,
            waiting,
            next: AtomicU64::new(1),
            _profile: profile,
        })
    }

    /// A window of its own, with nothing in it yet: no cookies of another's.
    pub(crate) async fn visit(&self, visitor: Visitor) -> Tab<'_> {
        let context = self
            .call(None, "Target.createBrowserContext", json!({}))
            .await;
        let (width, height) = visitor.size;
        let target = json!({
            "url": "about:blank", "browserContextId": context["browserContextId"],
            "width": width, "height": height,
        });
        let target = self.call(None, "Target.createTarget", target).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach).await;
        Tab::open(self, session["sessionId"].as_str().unwrap(), visitor).await
    }

    /// Asks the browser for something; its result.
    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.try_call(session, method, params).await;
        answer.unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// The same, where a refusal may be.
    async fn try_call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            request["sessionId"] = json!(session);
        }
        let (tell, told) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, tell);
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.lock().unwrap().write_all(&bytes).unwrap();
        let answer = tokio::time::timeout(PATIENCE, told).await;
        let mut answer = answer
            .unwrap_or_else(|_| panic!("the browser does not answer {method}"))
            .unwrap_or_else(|_| panic!("the browser ended at {method}"));
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }
}

/// Hands each answer to whoever asked, until the browser ends. What it tells unasked nobody waits for.
fn hear(answers: ChildStdout, waiting: &Waiting) {
    let mut answers = BufReader::new(answers);
    let mut bytes = Vec::new();
    while answers.read_until(0, &mut bytes).is_ok_and(|len| len > 0) {
        bytes.pop();
        if let Ok(answer) = serde_json::from_slice::<Value>(&bytes)
            && let Some(id) = answer["id"].as_u64()
            && let Some(tell) = waiting.lock().unwrap().remove(&id)
        {
            // Whoever asked may have given up.
            let _ = tell.send(answer);
        }
        bytes.clear();
    }
    waiting.lock().unwrap().clear();
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The script that judges a page's accessibility. `None`, and a word about it, where it is not installed.
pub(crate) fn axe() -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/browser/node_modules/axe-core/axe.min.js");
    let script = std::fs::read_to_string(file).ok();
    if script.is_none() {
        println!("NOT TESTED: accessibility, for tests/browser/install was not run");
    }
    script
}
