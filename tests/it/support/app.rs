//! The real binary, run by a test: started, asked, killed, started again, and held to the laws at the end.

mod door;

use std::collections::BTreeMap;
use std::fs;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::fake_licenses::{API_KEY, Fake};
use super::wait::{PATIENCE, within};
pub(crate) use door::Door;

/// The signing secret of every test's source.
pub(crate) const SECRET: &str = "whsec_test";
/// So much of the server's own words is shown when a test fails.
const TAIL_LEN: usize = 4_000;

/// What a server is started with.
pub(crate) struct Setup {
    /// The signing secrets, the newest first.
    pub(crate) secrets: Vec<String>,
    /// Where customers reach it; empty: where it listens.
    pub(crate) public_url: &'static str,
    /// Further lines of the file's top.
    pub(crate) top: &'static str,
    /// Further lines of `[[source]]`.
    pub(crate) source: &'static str,
    /// The body of `[licenses]`, where it is not the fake's.
    pub(crate) licenses: String,
    /// The body of `[mail]`.
    pub(crate) mail: String,
    /// Further tables.
    pub(crate) more: String,
    /// Where licenses are counted.
    pub(crate) fake: Option<Arc<Fake>>,
}

impl Setup {
    /// A fake license service that is asked soon again, and no mail.
    pub(crate) fn with(fake: &Arc<Fake>) -> Self {
        let base = fake.base().trim_end_matches("/v1/").to_owned();
        let licenses = format!(
            "service = \"authforge\"\napi_base = \"{base}\"\napi_key = \"{API_KEY}\"\napp_id = \"app_test\"\n\
             requests_per_s = 0\nrequest_timeout = \"1s\"\nlookup_after = [\"1s\"]\n"
        );
        Self {
            licenses,
            fake: Some(Arc::clone(fake)),
            ..Self::embedded()
        }
    }

    /// The embedded license service, and no mail.
    pub(crate) fn embedded() -> Self {
        Self {
            secrets: vec![SECRET.to_owned()],
            public_url: "",
            top: "",
            source: "livemode = \"live\"\n",
            licenses: "service = \"embedded\"\n".to_owned(),
            mail: "transport = \"none\"\n".to_owned(),
            more: String::new(),
            fake: None,
        }
    }

    fn config(&self, port: u16) -> String {
        let Self {
            secrets,
            public_url,
            top,
            source,
            licenses,
            mail,
            more,
            fake: _,
        } = self;
        let listen = format!("127.0.0.1:{port}");
        let public_url = match *public_url {
            "" => format!("http://{listen}"),
            url => url.to_owned(),
        };
        format!(
            "listen = \"{listen}\"\ndata_dir = \"./data\"\npublic_url = \"{public_url}\"\n{top}\n\
             [[source]]\nname = \"stripe\"\nkind = \"stripe\"\nsigning_secrets = {secrets:?}\n{source}\n\
             [licenses]\n{licenses}\n[mail]\n{mail}\n[store]\nmin_free = \"1MiB\"\n\n{more}\n"
        )
    }
}

/// A running server, or one that was ended and may be started again.
pub(crate) struct TestApp {
    dir: tempfile::TempDir,
    child: Option<Child>,
    door: Door,
    fake: Option<Arc<Fake>>,
}

impl TestApp {
    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        keyward::effects::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        fs::write(dir.path().join("keyward.toml"), setup.config(port)).unwrap();
        let door = Door {
            base: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .no_proxy()
                .build()
                .unwrap(),
            acknowledged: Arc::default(),
        };
        let mut app = Self {
            dir,
            child: None,
            door,
            fake: setup.fake,
        };
        app.restart().await;
        app
    }

    /// Where events are handed in.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// Where it is served, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.door.base
    }

    /// The folder of the config, of the data and of mails.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir().join("keyward.toml")
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A second process on the same config, not waited for.
    pub(crate) fn spawn(&self, stderr: &str) -> Child {
        let said = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir().join(stderr))
            .unwrap();
        let mut command = Command::new(binary());
        command
            .args(["serve", "--new", "--config"])
            .arg(self.config());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap()
    }

    /// Starts the server (again), and does not wait.
    pub(crate) fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.child = Some(self.spawn("stderr"));
    }

    /// Starts the server (again) and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.begin();
        let door = self.door.clone();
        let child = self.child.as_mut().unwrap();
        let ready = within(PATIENCE, async || match child.try_wait().unwrap() {
            Some(status) => Some(Err(status)),
            None => door
                .get("/readyz")
                .await
                .ok()
                .filter(|a| a.status == 200)
                .map(Ok),
        });
        match ready.await {
            Some(Ok(_)) => {}
            Some(Err(status)) => panic!("the server ended at its start: {status}\n{}", self.tail()),
            None => panic!(
                "the server is not ready after {PATIENCE:?}\n{}",
                self.tail()
            ),
        }
    }

    /// Ends the process in the middle of whatever it does.
    pub(crate) fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "it ended by itself before it was killed: {status}\n{}",
            self.tail()
        );
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Stops the server and names another license service, or other settings of it.
    pub(crate) async fn configure_licenses(&mut self, licenses: &str) {
        self.terminate();
        self.ended(PATIENCE).await;
        let text = fs::read_to_string(self.config()).unwrap();
        let (head, rest) = text.split_once("[licenses]\n").unwrap();
        let (_, tail) = rest.split_once("\n[mail]").unwrap();
        let text = format!("{head}[licenses]\n{licenses}\n[mail]{tail}");
        fs::write(self.config(), text).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(&mut self, bound: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("it runs");
        let Some(status) = within(bound, async || child.try_wait().unwrap()).await else {
            panic!("the server did not end within {bound:?}\n{}", self.tail());
        };
        self.child = None;
        status
    }

    /// The end of what the server said.
    pub(crate) fn tail(&self) -> String {
        let said = self.said();
        let from = said.len().saturating_sub(TAIL_LEN);
        format!(
            "--- the end of the server's stderr ---\n{}",
            said.get(from..).unwrap_or(&said)
        )
    }

    /// All that the server said.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir().join("stderr")).unwrap_or_default())
            .into_owned()
    }

    /// Runs a command on the same config; JSON from its standard output.
    pub(crate) fn ask(&self, args: &[&str]) -> Value {
        let out = Command::new(binary())
            .args(args)
            .args(["--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success(),
            "keyward {args:?}: {}\n{said}\n{}",
            out.status,
            self.tail()
        );
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// What a command says beside its data, for people.
    pub(crate) fn say(&self, args: &[&str]) -> String {
        let mut command = Command::new(binary());
        command.args(args).arg("--config").arg(self.config());
        let out = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "keyward {args:?}: {said}");
        said
    }

    /// Every event that the server lists, by id.
    pub(crate) fn events(&self) -> BTreeMap<String, Value> {
        let Value::Array(rows) = self.ask(&["events"]) else {
            panic!("events is no list")
        };
        rows.into_iter()
            .map(|row| (row["event"].as_str().unwrap().to_owned(), row))
            .collect()
    }

    /// The laws that hold after every test: what was acknowledged is listed, no seat has two licenses, nothing panicked.
    pub(crate) fn check_laws(&self) {
        let listed = self.events();
        for id in self.door.acknowledged() {
            assert!(
                listed.contains_key(&id),
                "{id} was acknowledged and is not listed\n{}",
                self.tail()
            );
        }
        if let Some(fake) = &self.fake {
            for (label, count) in fake.by_label() {
                assert_eq!(count, 1, "licenses of `{label}`\n{}", self.tail());
            }
        }
        assert!(
            !self.said().contains("panicked at"),
            "something panicked\n{}",
            self.tail()
        );
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        } else {
            self.check_laws();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The binary: this build's, or the one that `KEYWARD_BIN` names (a release build, for the full campaign).
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("KEYWARD_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_keyward").into(), PathBuf::from)
}

/// A port that nobody listens on. Below the range from which the system takes ports for outgoing connections, so that
/// no client is given it while the server is down: not even one that knocks at that very port, and meets itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16;
    (0..1000)
        .map(|_| {
            10_000
                + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7)) % 20_000
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
