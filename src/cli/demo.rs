//! `keyward demo`: the main job on the embedded default. A real server on a loopback port, the embedded license service, a
//! folder for the mails, and bundled histories as signed deliveries, some of them twice or out of order, while a virtual
//! clock runs through the months. It ends on a day in the middle of the shop's life, so that the table at the end shows each
//! kind of purchase as it is while something is going on.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tokio::net::TcpListener;

use super::report;
use crate::admin::Failure;
use crate::clock::{Clock, Stopwatch, pause};
use crate::config::{Config, Env, Transport};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Input;
use crate::engine::read::due;
use crate::engine::read::view::{self, Keys, LicenseView, MachineView};
use crate::engine::record::key::{Due, Item};
use crate::secret::Secret;
use crate::server::{self, Server};
use crate::sim::timeline::devices;
use crate::sources::stripe::signature::sign;
use crate::store::Create;

/// `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave the server running at the end.
    #[arg(long)]
    pub keep: bool,
    /// The loopback port; absent: a free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// A bundled life cycle.
struct Story {
    /// Its title for people.
    title: &'static str,
    /// How far it is told, in its own time: in the middle of what it is about.
    told_until: &'static str,
    /// Its deliveries.
    history: &'static str,
}

/// The stories. Each is moved in time so that all of them are told as far as they go at [`END`].
const STORIES: [Story; 13] = [
    Story {
        title: "bought once by card",
        told_until: "2026-02-14T12:00:00Z",
        history: include_str!("../../fixtures/histories/onetime-card/history.jsonl"),
    },
    Story {
        title: "bought by bank debit, money on its way",
        told_until: "2026-01-07T12:00:00Z",
        history: include_str!("../../fixtures/histories/onetime-async-paid/history.jsonl"),
    },
    Story {
        title: "subscribed in the checkout",
        told_until: "2026-01-25T12:00:00Z",
        history: include_str!("../../fixtures/histories/sub-checkout/history.jsonl"),
    },
    Story {
        title: "a trial that was converted",
        told_until: "2026-02-05T12:00:00Z",
        history: include_str!("../../fixtures/histories/trial-with-card/history.jsonl"),
    },
    Story {
        title: "renewed twice",
        told_until: "2026-03-20T12:00:00Z",
        history: include_str!("../../fixtures/histories/renewal/history.jsonl"),
    },
    Story {
        title: "a failed renewal, paid in grace",
        told_until: "2026-02-20T12:00:00Z",
        history: include_str!("../../fixtures/histories/renewal-recovered-in-grace/history.jsonl"),
    },
    Story {
        title: "suspended, then paid after all",
        told_until: "2026-02-28T12:00:00Z",
        history: include_str!(
            "../../fixtures/histories/renewal-recovered-after-lapse/history.jsonl"
        ),
    },
    Story {
        title: "a failed renewal, in grace now",
        told_until: "2026-02-10T12:00:00Z",
        history: include_str!("../../fixtures/histories/failing-stripe-cancels/history.jsonl"),
    },
    Story {
        title: "a failed renewal, grace is over",
        told_until: "2026-02-23T12:00:00Z",
        history: include_str!("../../fixtures/histories/failing-stays-past-due/history.jsonl"),
    },
    Story {
        title: "cancelled, runs to the period's end",
        told_until: "2026-01-25T12:00:00Z",
        history: include_str!("../../fixtures/histories/cancel-at-period-end/history.jsonl"),
    },
    Story {
        title: "four seats, three given up",
        told_until: "2026-02-15T12:00:00Z",
        history: include_str!("../../fixtures/histories/quantity-as-keys/history.jsonl"),
    },
    Story {
        title: "refunded in full",
        told_until: "2026-01-20T12:00:00Z",
        history: include_str!("../../fixtures/histories/refund-full/history.jsonl"),
    },
    Story {
        title: "disputed, not decided yet",
        told_until: "2026-02-10T12:00:00Z",
        history: include_str!("../../fixtures/histories/dispute-won/history.jsonl"),
    },
];
/// When the demo ends. The time of day is that of every `told_until`, so that stories move by whole days.
const END: &str = "2026-04-20T12:00:00Z";
/// The plans and policies that the histories are about.
const CONFIG: &str = include_str!("../../fixtures/histories/keyward.toml");
/// The demo's signing secret; it guards nothing.
const SECRET: &str = "whsec_demo";
/// Every so many deliveries one comes a second time, and one before its predecessor, as Stripe does.
const TWICE_EVERY: usize = 7;
const SWAPPED_EVERY: usize = 11;
/// Nothing may stand still for longer.
const STUCK: Duration = Duration::from_secs(60);

/// One delivery.
struct Parcel {
    at: Timestamp,
    body: String,
}

/// Runs the demo.
///
/// # Errors
/// What went wrong.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    runtime.block_on(demo(args))
}

async fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let end = instant(END)?;
    let parcels = parcels(end)?;
    let folder = std::env::temp_dir().join(format!("keyward-demo-{}", std::process::id()));
    let port = args.port.unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| Failure::input(format!("port {port} on 127.0.0.1 cannot be used: {e}")))?;
    let address = listener
        .local_addr()
        .map_err(|e| Failure::ours(e.to_string()))?;
    let config = config(&folder, &format!("http://{address}"))?;
    let opened = server::open(&config, Create::MustBeNew, None)?;
    let first = parcels.first().map_or(Timestamp::from_ms(0), |p| p.at);
    let clock = Clock::virtual_at(first - Span::from_hours(1));
    let server = Server::start(config, opened, listener, clock.clone()).await?;
    report::say(&format!(
        "A server listens on {address}; its data is in {}.",
        folder.display()
    ));
    let player = Player {
        server: &server,
        clock: clock.clone(),
        client: reqwest::Client::new(),
        took: Stopwatch::start(),
    };
    player.play(&parcels, end).await?;
    table(&server, clock.now())?;
    report::say(&format!(
        "The mails lie in {}.",
        folder.join("mail").display()
    ));
    if args.keep {
        for (what, url) in pages(address) {
            report::say(&format!("{what}: {url}"));
        }
        report::say("The server runs on until Ctrl-C.");
        let _ = tokio::signal::ctrl_c().await;
    }
    drop(player);
    server.stopper().cancel();
    Ok(server.run(std::future::ready(())).await?)
}

fn config(folder: &Path, public_url: &str) -> Result<Config, Failure> {
    let (mut config, _) = Config::parse(CONFIG, Path::new("demo.toml"), &Env::process().lenient())?;
    config.data_dir = folder.join("data");
    config.public_url = public_url.to_owned();
    config.mail.transport = Transport::Folder {
        path: folder.join("mail"),
    };
    if let Some(source) = config.sources.first_mut() {
        source.signing_secrets = vec![Secret::new(SECRET)];
    }
    std::fs::create_dir_all(folder).map_err(|e| {
        Failure::ours(format!(
            "the folder {} cannot be made: {e}",
            folder.display()
        ))
    })?;
    Ok(config)
}

/// An instant that is written in this file.
fn instant(text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).map_err(|e| Failure::ours(e.to_string()))
}

impl Story {
    /// Its deliveries up to the demo's end, moved in time.
    fn parcels(&self, end: Timestamp) -> Result<Vec<Parcel>, Failure> {
        let later = end - instant(self.told_until)?;
        let mut parcels = Vec::new();
        for line in self.history.lines().filter(|l| !l.trim().is_empty()) {
            let mut line: Value = serde_json::from_str(line).map_err(|e| {
                Failure::ours(format!("the bundled history of {}: {e}", self.title))
            })?;
            let received = line["received_at"]
                .as_str()
                .and_then(|at| Timestamp::parse(at).ok());
            let mut event = if line["event"].is_object() {
                line["event"].take()
            } else {
                line
            };
            let at = received
                .or(event["created"].as_i64().map(Timestamp::from_s))
                .unwrap_or(Timestamp::from_ms(0))
                + later;
            move_in_time(&mut event, later.ms() / 1000);
            if at <= end {
                parcels.push(Parcel {
                    at,
                    body: event.to_string(),
                });
            }
        }
        Ok(parcels)
    }

    /// Whether it tells of an object.
    fn tells_of(&self, object: &str) -> bool {
        self.history.contains(&format!("\"{object}\""))
    }
}

/// What is an instant among an event's numbers: seconds since 1970, of the years 2020 to 2036.
const INSTANTS_S: std::ops::Range<i64> = 1_577_836_800..2_082_758_400;

/// Moves every instant in an event.
fn move_in_time(value: &mut Value, by_s: i64) {
    match value {
        Value::Number(n) => {
            if let Some(at_s) = n.as_i64().filter(|n| INSTANTS_S.contains(n)) {
                *value = Value::from(at_s + by_s);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_in_time(item, by_s)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| move_in_time(field, by_s)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// All stories as one stream of deliveries, with what a network does to it.
fn parcels(end: Timestamp) -> Result<Vec<Parcel>, Failure> {
    let mut parcels = Vec::new();
    for story in &STORIES {
        parcels.append(&mut story.parcels(end)?);
    }
    parcels.sort_by_key(|p| p.at);
    let mut n = 0;
    while n + 1 < parcels.len() {
        n += 1;
        if n % SWAPPED_EVERY == 0 && parcels[n].at == parcels[n - 1].at {
            parcels.swap(n - 1, n);
        }
        if n % TWICE_EVERY == 0 {
            let again = Parcel {
                at: parcels[n].at,
                body: parcels[n].body.clone(),
            };
            parcels.insert(n + 1, again);
            n += 1;
        }
    }
    Ok(parcels)
}

/// The pages that may be looked at while the server runs on.
fn pages(address: SocketAddr) -> Vec<(&'static str, String)> {
    let page = |session: &str| format!("http://{address}/success?session_id={session}");
    vec![
        ("a customer's license", page("cs_live_OnetimeCard01")),
        (
            "one whose renewal failed",
            page("cs_live_FailingStripeCancels01"),
        ),
        ("one who got the money back", page("cs_live_RefundFull01")),
        (
            "the state of the server",
            format!("http://{address}/readyz"),
        ),
        ("its metrics", format!("http://{address}/metrics")),
    ]
}

struct Player<'a> {
    server: &'a Server,
    clock: Clock,
    client: reqwest::Client,
    took: Stopwatch,
}

impl Player<'_> {
    async fn play(&self, parcels: &[Parcel], end: Timestamp) -> Result<(), Failure> {
        let bar = ProgressBar::with_draw_target(
            u64::try_from(parcels.len()).ok(),
            ProgressDrawTarget::stderr(),
        );
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} deliveries, {msg}") {
            bar.set_style(style);
        }
        for parcel in parcels {
            self.advance(parcel.at).await?;
            bar.set_message(self.clock.now().to_string());
            self.deliver(parcel).await?;
            self.work_off().await?;
            bar.inc(1);
        }
        self.advance(end).await?;
        bar.finish_and_clear();
        report::say(&format!(
            "{} signed deliveries of {} life cycles, {} to {}, in {:.1} s.",
            parcels.len(),
            STORIES.len(),
            parcels.first().map_or(end, |p| p.at),
            end,
            self.took.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    async fn deliver(&self, parcel: &Parcel) -> Result<(), Failure> {
        let signature = sign(
            parcel.body.as_bytes(),
            &Secret::new(SECRET),
            self.clock.now(),
        );
        let url = format!("http://{}/webhooks/stripe", self.server.address);
        let answer = self
            .client
            .post(url)
            .header("Stripe-Signature", signature)
            .header("Content-Type", "application/json")
            .body(parcel.body.clone())
            .send()
            .await
            .map_err(|e| Failure::ours(format!("a delivery failed: {}", e.without_url())))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        Err(Failure::ours(format!(
            "a delivery was answered {status}: {text}"
        )))
    }

    /// Lets virtual time run to an instant, stopping at everything that is due.
    async fn advance(&self, to: Timestamp) -> Result<(), Failure> {
        while let Some(next) = self.next_due()?.filter(|at| *at <= to) {
            self.clock.advance_to(next);
            self.work_off().await?;
        }
        self.clock.advance_to(to);
        Ok(())
    }

    fn next_due(&self) -> Result<Option<Timestamp>, Failure> {
        Ok(due::next(self.server.handle.reader())?)
    }

    /// Waits until everything that is due by now is done.
    async fn work_off(&self) -> Result<(), Failure> {
        let mut bell = self.server.handle.bell();
        let waited = Stopwatch::start();
        loop {
            bell.borrow_and_update();
            let due = due::until(self.server.handle.reader(), self.clock.now(), 64)?;
            if due.is_empty() {
                return Ok(());
            }
            for (_, due) in due {
                if let Due::Of(machine, Item::Wake) = due {
                    self.server
                        .handle
                        .submit_waiting(Input::WakeUp { machine })
                        .await?;
                }
            }
            self.server.due.notify_one();
            tokio::select! {
                _ = bell.changed() => {}
                () = pause(Span::from_ms(50)) => {}
            }
            if waited.elapsed() > STUCK {
                return Err(Failure::ours(
                    "something that is due does not get done; see the log above",
                ));
            }
        }
    }
}

/// What became of each purchase, in the order of the stories.
fn table(server: &Server, now: Timestamp) -> Result<(), Failure> {
    let rules = server.handle.rules();
    let mut pages = Vec::new();
    view::machines(server.handle.reader(), |machine| {
        let page = MachineView::of(&machine, None, &rules.revisions, now, Keys::Shown);
        pages.push((
            STORIES
                .iter()
                .position(|story| story.tells_of(machine.object().as_str())),
            page,
        ));
        true
    })?;
    pages.sort_by_key(|(story, _)| *story);
    let rows = pages.iter().flat_map(|(story, page)| {
        let story = story.and_then(|at| STORIES.get(at));
        rows(story.map_or(page.id.as_str(), |story| story.title), page)
    });
    report::data(&report::table(
        &["story", "state", "license", "key", "expires", "mails"],
        rows.collect(),
    ));
    Ok(())
}

/// A purchase's lines, one for each license.
fn rows(title: &str, page: &MachineView) -> Vec<Vec<String>> {
    let sent = page.notices.iter().filter(|n| n.status == "sent");
    let mut mails: Vec<&str> = sent.map(|n| n.kind).collect();
    mails.dedup();
    let mut first = [title.to_owned(), page.state.unwrap_or("-").to_owned()];
    let mut lines: Vec<Vec<String>> = page.licenses.iter().map(license).collect();
    if lines.is_empty() {
        lines.push(vec!["none yet".to_owned(), String::new(), String::new()]);
    }
    let mut rows = Vec::new();
    for (n, line) in lines.into_iter().enumerate() {
        let mails = if n == 0 {
            mails.join(", ")
        } else {
            String::new()
        };
        rows.push(first.iter().cloned().chain(line).chain([mails]).collect());
        first.iter_mut().for_each(String::clear);
    }
    rows
}

fn license(license: &LicenseView) -> Vec<String> {
    vec![
        format!("{}, {}", license.status, devices(license.devices)),
        license.key.clone().unwrap_or_default(),
        license
            .expires_at
            .map_or_else(|| "never".to_owned(), |t| t.to_string()),
    ]
}
