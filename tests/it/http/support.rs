//! A real server on a free port over an engine in memory, and a client of plain bytes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::Clock;
use keyward::config::{Config, Env};
use keyward::domain::action::Outcome;
use keyward::domain::id::{LicenseKey, MachineId};
use keyward::domain::revision::Revisions;
use keyward::domain::time::Timestamp;
use keyward::engine::Handle;
use keyward::engine::input::{Input, Rules};
use keyward::engine::read::{due, view};
use keyward::engine::record::key::{Due, Item};
use keyward::engine::write::committer::{Committer, start};
use keyward::http::{self, App};
use keyward::secret::Secret;
use keyward::sources::stripe::signature::sign;
use keyward::store::memory::Memory;
use keyward::store::{Batch, Commit, CommitError, Seq};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::support::carried_out;

pub(crate) const SECRET: &str = "whsec_fixture";
/// Longer than anything here takes, on any machine: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/histories/keyward.toml");
    Config::load(&path, &Env::new(|_| None)).unwrap().0
}

pub(crate) fn rules(config: &Config) -> Rules {
    let revisions = Revisions::always(config.plans.clone(), config.policies.clone());
    Rules {
        revisions,
        sources: std::collections::BTreeMap::new(),
        store_since: None,
        guard: None,
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    pub(crate) committer: Committer,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let memory = Memory::new();
        Self::over(config, Box::new(memory.clone()), memory).await
    }

    /// Over a store whose commits go another way than its reads.
    pub(crate) async fn over(config: Config, store: Box<dyn Commit>, reader: Memory) -> Self {
        let clock = Clock::virtual_at(Timestamp::from_s(1_767_600_000));
        let queue_len_max = usize::try_from(config.http.queue_len_max).unwrap();
        let (handle, committer) = start(
            store,
            Arc::new(reader),
            rules(&config),
            clock.clone(),
            queue_len_max,
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let app = App::new(handle.clone(), Arc::new(config));
        let task = tokio::spawn(http::serve(listener, app, stop.clone()));
        Self {
            address,
            handle,
            clock,
            stop,
            task,
            committer,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(
            self.address,
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await
    }

    /// Posts a body as Stripe would.
    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.post_as(body, &[("Stripe-Signature", &self.signature(body))])
            .await
    }

    pub(crate) async fn post_as(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.address, &request("stripe", body, headers)).await
    }

    pub(crate) fn signature(&self, body: &str) -> String {
        sign(body.as_bytes(), &Secret::new(SECRET), self.clock.now())
    }

    /// Plays a history, moving the clock along, and carries out every action at once.
    pub(crate) async fn play(&self, history: &str) {
        self.play_until(history, Timestamp::from_s(i64::MAX)).await;
    }

    /// The same, only up to an instant.
    pub(crate) async fn play_until(&self, history: &str, until: Timestamp) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/histories")
            .join(history)
            .join("history.jsonl");
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            // What a look-up said comes by another way.
            let Some(created) = event["created"].as_i64() else {
                continue;
            };
            if Timestamp::from_s(created) > until {
                return;
            }
            self.clock.advance_to(Timestamp::from_s(created + 1));
            let answer = self.post(line).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            self.carry_out().await;
        }
    }

    /// Does what is due at a license service that can do everything.
    pub(crate) async fn carry_out(&self) {
        loop {
            let due = due::until(self.handle.reader(), self.clock.now(), 1000).unwrap();
            let mut acted = false;
            for (_, due) in due {
                if let Due::Of(machine, Item::Create(action) | Item::Action(action)) = due {
                    self.act(machine, action).await;
                    acted = true;
                }
            }
            if !acted {
                return;
            }
        }
    }

    async fn act(&self, id: MachineId, number: u32) {
        let machine = view::machine(self.handle.reader(), &id).unwrap().unwrap();
        let action = machine.actions.iter().find(|a| a.id == number).unwrap();
        let made = || {
            LicenseKey::new(format!(
                "KEY-{}-{number:04}",
                machine.object().as_str().to_uppercase()
            ))
        };
        let confirmed = carried_out(&machine, action, made);
        let (outcome, sent) = (Outcome::Done(confirmed), self.clock.now());
        self.handle
            .submit(Input::Outcome {
                machine: id,
                action: number,
                outcome,
                sent,
            })
            .await
            .unwrap();
    }

    /// Stops the server and the engine, and looks that both end.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        in_time(self.task).await.unwrap();
        drop(self.handle);
        let committer = self.committer;
        in_time(tokio::task::spawn_blocking(move || {
            committer.join().map(|_| ())
        }))
        .await
        .unwrap()
        .unwrap();
    }
}

pub(crate) async fn in_time<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what)
        .await
        .unwrap_or_else(|_| panic!("it hangs"))
}

pub(crate) fn request(source: &str, body: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("POST /webhooks/{source} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| {
            line.split(':')
                .next()
                .is_some_and(|n| n.eq_ignore_ascii_case(name))
        };
        self.head
            .lines()
            .find(named)
            .and_then(|l| l.split_once(':'))
            .map(|(_, v)| v.trim())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    answer(&mut stream).await
}

/// Reads to the end of the connection.
pub(crate) async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    in_time(stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        text: body.to_owned(),
    }
}

/// A store whose commits wait until they are let go, and that says when one waits.
pub(crate) struct Gate {
    pub(crate) inner: Memory,
    pub(crate) arrived: tokio::sync::mpsc::UnboundedSender<()>,
    pub(crate) go: std::sync::mpsc::Receiver<()>,
}

impl Commit for Gate {
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
        self.arrived.send(()).unwrap();
        self.go.recv().unwrap();
        self.inner.commit(batch)
    }
}
