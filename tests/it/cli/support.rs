//! The binary as somebody runs it, in a folder of its own, and a store filled through the library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use keyward::clock::Clock;
use keyward::config::{Config, Env};
use keyward::domain::action::{Abilities, Act, Action, Confirmed, Outcome, RefusalScope};
use keyward::domain::decide::Mailed;
use keyward::domain::id::{LicenseKey, SourceName};
use keyward::domain::machine::Machine;
use keyward::domain::no_use::NoEvent;
use keyward::domain::service::{License, apply};
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::Handle;
use keyward::engine::input::{Delivery, Input, Receipt};
use keyward::engine::read::{due, view};
use keyward::engine::record::key::{Due, Item};
use keyward::engine::write::committer;
use keyward::server;
use keyward::sources::stripe::delivery::delivery;
use keyward::sources::stripe::event;
use keyward::store::Create;

/// The least config: every price is one plan, nothing leaves the machine.
pub(crate) const CONFIG: &str = r#"
listen = "127.0.0.1:0"
data_dir = "./data"
public_url = "http://localhost:8080"
[[source]]
name = "stripe"
signing_secrets = ["${STRIPE_WEBHOOK_SECRET}"]
[licenses]
service = "embedded"
[mail]
transport = "folder"
path = "./mail"
from = "Example <keys@example.com>"
[[plan]]
name = "pro"
prices = ["*"]
license = { devices = 3 }
"#;

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("killed".to_owned(), |c| c.to_string());
        write!(
            f,
            "exit code {code}\n--- stdout\n{}--- stderr\n{}",
            self.out, self.err
        )
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// A folder to run in.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(config: &str) -> Self {
        let place = Self::empty();
        std::fs::write(place.path("keyward.toml"), config).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(args).current_dir(self.0.path());
        for name in [
            "KEYWARD_CONFIG",
            "KEYWARD_LOG",
            "KEYWARD_LOG_FORMAT",
            "STRIPE_WEBHOOK_SECRET",
            "CLICOLOR_FORCE",
            "SUDO_USER",
            "LOGNAME",
        ] {
            command.env_remove(name);
        }
        command.env("USER", "ada");
        command
    }

    /// Runs a command to its end, without secrets in its environment.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// The same with the webhook's secret.
    pub(crate) fn run_with_secret(&self, args: &[&str]) -> Said {
        self.command(args)
            .env("STRIPE_WEBHOOK_SECRET", "whsec_1")
            .output()
            .unwrap()
            .into()
    }

    pub(crate) fn config(&self) -> Config {
        let (mut config, _) =
            Config::load(&self.path("keyward.toml"), &Env::new(|_| None).lenient()).unwrap();
        config.data_dir = self.path("data");
        config
    }

    /// Plays histories into the store; actions are answered as `service` says, mails are all sent.
    pub(crate) fn fill(&self, histories: &[&str], service: impl Fn(&Machine, &Action) -> Outcome) {
        let mut events: Vec<_> = histories.iter().flat_map(|name| history(name)).collect();
        events.sort_by_key(|e| e.received);
        let clock = Clock::virtual_at(events[0].received);
        let config = self.config();
        let (mut writer, reader) = server::open(&config, Create::IfMissing, None)
            .unwrap()
            .store;
        let rules = server::rules(&config, &mut writer, &reader, clock.now()).unwrap();
        let (handle, thread) =
            committer::start(Box::new(writer), Arc::new(reader), rules, clock.clone(), 16).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            for event in events {
                clock.advance_to(event.received);
                submit(&handle, Input::Delivery(Box::new(event))).await;
                work(&handle, &service).await;
            }
            clock.advance_to(clock.now() + Span::from_hours(1));
            work(&handle, &service).await;
            let at = clock.now();
            let body = b"{\"hello\": 1}".to_vec();
            let (source, why) = (SourceName::from("stripe"), NoEvent::lacks("type"));
            submit(
                &handle,
                Input::Refused {
                    source,
                    why,
                    body,
                    at,
                },
            )
            .await;
            // From one due instant to the next up to the present, so that a server finds nothing to do.
            while let Some((due, ..)) = due::until(handle.reader(), Clock::Wall.now(), 1)
                .unwrap()
                .first()
            {
                clock.advance_to(*due);
                work(&handle, &service).await;
            }
        });
        drop(handle);
        thread.join().map(drop).unwrap();
    }
}

async fn submit(handle: &Handle, input: Input) -> Receipt {
    handle.submit(input).await.unwrap()
}

/// Carries out what is due, as the dispatcher would.
async fn work(handle: &Handle, service: &impl Fn(&Machine, &Action) -> Outcome) {
    for _ in 0..20 {
        let now = handle.clock().now();
        let due = due::until(handle.reader(), now, 100).unwrap();
        if due.is_empty() {
            return;
        }
        for (_, due) in due {
            let Due::Of(machine, item) = due else {
                continue;
            };
            match item {
                Item::Create(action)
                | Item::CreateAgain(action)
                | Item::Recover(action)
                | Item::Action(action)
                | Item::ActionAgain(action) => {
                    let (kept, read) = view::machine_and_version(handle.reader(), &machine)
                        .unwrap()
                        .unwrap();
                    let what = kept.actions.iter().find(|a| a.id == action).unwrap();
                    let outcome = service(&kept, what);
                    if what.act.creates() {
                        submit(
                            handle,
                            Input::Attempt {
                                machine: machine.clone(),
                                action,
                                read,
                            },
                        )
                        .await;
                    }
                    submit(
                        handle,
                        Input::Outcome {
                            machine,
                            action,
                            outcome,
                            sent: now,
                        },
                    )
                    .await;
                }
                Item::Notice(notice) => {
                    let mailed = Mailed::Sent {
                        to: "ada@example.com".to_owned(),
                    };
                    submit(
                        handle,
                        Input::Mailed {
                            machine,
                            notice,
                            mailed,
                        },
                    )
                    .await;
                }
                Item::Query(_) => {}
                Item::Wake => {
                    submit(handle, Input::WakeUp { machine }).await;
                }
            }
        }
    }
}

/// A service that does what it is asked.
pub(crate) fn willing(machine: &Machine, action: &Action) -> Outcome {
    let made = || LicenseKey::new(format!("KEY-{}-{}", machine.object(), action.license));
    Outcome::Done(carried_out(machine, action, made))
}

/// What a service makes of an action that can do everything; a license that it makes has this key.
pub(crate) fn carried_out(
    machine: &Machine,
    action: &Action,
    made: impl FnOnce() -> LicenseKey,
) -> Confirmed {
    if let Act::Create(new) = &action.act {
        return License::made(made(), action.label.clone(), new).confirmed();
    }
    let grant = machine
        .grants
        .iter()
        .find(|g| Some(&g.key) == action.act.key());
    apply(
        &mut License::of(grant.unwrap()),
        &action.act,
        &Abilities::simulated(),
    )
    .unwrap()
}

/// A service that refuses.
pub(crate) fn refusing(_: &Machine, _: &Action) -> Outcome {
    Outcome::Refused {
        why: "402 no_credits: the balance is too low".to_owned(),
        scope: RefusalScope::Action,
    }
}

/// A fixture's events, as the intake hands them in.
fn history(name: &str) -> Vec<Delivery> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/histories")
        .join(name)
        .join("history.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let event = if line["event"].is_object() {
            &line["event"]
        } else {
            &line
        };
        let told = line["received_at"]
            .as_str()
            .map(|text| Timestamp::parse(text).unwrap());
        let unix = || {
            line["received_at"]
                .as_i64()
                .or(event["created"].as_i64())
                .unwrap()
        };
        let received = told.unwrap_or_else(|| Timestamp::from_s(unix()));
        let raw = event.to_string().into_bytes();
        let read = event::read(&raw, received).unwrap();
        delivery(
            read,
            &SourceName::from("stripe"),
            keyward::engine::record::body_codec::pack(&raw),
            received,
        )
    };
    text.lines().map(line).collect()
}
