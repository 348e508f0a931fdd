//! `keyward demo`: the main job on the embedded default. A real server on a loopback port, the embedded license service, a
//! folder for the mails, and bundled histories as signed deliveries, some of them twice or out of order, while a virtual
//! clock runs through the months.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::net::TcpListener;

use super::fail::Failure;
use super::report;
use crate::clock::{Clock, Stopwatch, pause};
use crate::config::{Config, Env, Transport};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Input;
use crate::engine::key::{self, Due, Item};
use crate::engine::view::{self, Keys, MachineView};
use crate::secret::Secret;
use crate::server::{self, Server};
use crate::sim::timeline::devices;
use crate::sources::stripe::signature::sign;
use crate::store::{Create, Direction, KeyRange};

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

/// The bundled life cycles: a title for people, and the deliveries.
const HISTORIES: [(&str, &str); 12] = [
    ("a one-time purchase by card", include_str!("../../fixtures/histories/onetime-card/history.jsonl")),
    ("a bank debit that takes days", include_str!("../../fixtures/histories/onetime-async-paid/history.jsonl")),
    ("a subscription from the checkout", include_str!("../../fixtures/histories/sub-checkout/history.jsonl")),
    ("a trial that converts", include_str!("../../fixtures/histories/trial-with-card/history.jsonl")),
    ("two renewals", include_str!("../../fixtures/histories/renewal/history.jsonl")),
    (
        "a renewal that fails and is paid in grace",
        include_str!("../../fixtures/histories/renewal-recovered-in-grace/history.jsonl"),
    ),
    (
        "one that lapses and comes back",
        include_str!("../../fixtures/histories/renewal-recovered-after-lapse/history.jsonl"),
    ),
    ("one that Stripe gives up", include_str!("../../fixtures/histories/failing-stripe-cancels/history.jsonl")),
    ("a cancellation at the period's end", include_str!("../../fixtures/histories/cancel-at-period-end/history.jsonl")),
    ("seats bought and given up", include_str!("../../fixtures/histories/quantity-as-keys/history.jsonl")),
    ("a full refund", include_str!("../../fixtures/histories/refund-full/history.jsonl")),
    ("a dispute that is won", include_str!("../../fixtures/histories/dispute-won/history.jsonl")),
];
/// The plans and policies that the histories are about.
const CONFIG: &str = include_str!("../../fixtures/histories/keyward.toml");
/// The demo's signing secret; it guards nothing.
const SECRET: &str = "whsec_demo";
/// Every so many deliveries one comes a second time, and one before its predecessor, as Stripe does.
const TWICE_EVERY: usize = 7;
const SWAPPED_EVERY: usize = 11;
/// How long the clock runs on after the last delivery.
const RUNS_ON: Span = Span::from_days(45);
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
    let parcels = parcels()?;
    let folder = std::env::temp_dir().join(format!("keyward-demo-{}", std::process::id()));
    let port = args.port.unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| Failure::input(format!("port {port} on 127.0.0.1 cannot be used: {e}")))?;
    let address = listener.local_addr().map_err(|e| Failure::ours(e.to_string()))?;
    let config = config(&folder, &format!("http://{address}"))?;
    let opened = server::open(&config, Create::MustBeNew, None)?;
    let first = parcels.first().map_or(Timestamp::from_ms(0), |p| p.at);
    let clock = Clock::virtual_at(first - Span::from_hours(1));
    let server = Server::start(config, opened, listener, clock.clone()).await?;
    report::say(&format!("A server listens on http://{address}; its data is in {}.", folder.display()));
    let player =
        Player { server: &server, clock: clock.clone(), client: reqwest::Client::new(), took: Stopwatch::start() };
    player.play(&parcels).await?;
    table(&server, clock.now())?;
    report::say(&format!("The mails lie in {}.", folder.join("mail").display()));
    if args.keep {
        report::say(&format!(
            "The server runs on until Ctrl-C. A success page: http://{address}/success?session_id={}",
            session(&parcels)
        ));
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
    config.mail.transport = Transport::Folder { path: folder.join("mail") };
    if let Some(source) = config.sources.first_mut() {
        source.signing_secrets = vec![Secret::new(SECRET)];
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::ours(format!("the folder {} cannot be made: {e}", folder.display())))?;
    Ok(config)
}

/// All histories as one stream of deliveries, with what a network does to it.
fn parcels() -> Result<Vec<Parcel>, Failure> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        received_at: Option<Timestamp>,
        created: Option<i64>,
        #[serde(borrow)]
        event: Option<&'a serde_json::value::RawValue>,
    }
    let mut parcels = Vec::new();
    for (title, history) in HISTORIES {
        for line in history.lines().filter(|l| !l.trim().is_empty()) {
            let read: Line<'_> = serde_json::from_str(line)
                .map_err(|e| Failure::ours(format!("the bundled history of {title}: {e}")))?;
            let at = read.received_at.or(read.created.map(Timestamp::from_s)).unwrap_or(Timestamp::from_ms(0));
            parcels.push(Parcel { at, body: read.event.map_or(line, |e| e.get()).to_owned() });
        }
    }
    parcels.sort_by_key(|p| p.at);
    let mut n = 0;
    while n + 1 < parcels.len() {
        n += 1;
        if n % SWAPPED_EVERY == 0 && parcels[n].at == parcels[n - 1].at {
            parcels.swap(n - 1, n);
        }
        if n % TWICE_EVERY == 0 {
            let again = Parcel { at: parcels[n].at, body: parcels[n].body.clone() };
            parcels.insert(n + 1, again);
            n += 1;
        }
    }
    Ok(parcels)
}

fn session(parcels: &[Parcel]) -> String {
    let first = parcels.iter().find_map(|p| p.body.split("\"cs_").nth(1)).and_then(|rest| rest.split('"').next());
    first.map_or_else(String::new, |id| format!("cs_{id}"))
}

struct Player<'a> {
    server: &'a Server,
    clock: Clock,
    client: reqwest::Client,
    took: Stopwatch,
}

impl Player<'_> {
    async fn play(&self, parcels: &[Parcel]) -> Result<(), Failure> {
        let bar = ProgressBar::with_draw_target(u64::try_from(parcels.len()).ok(), ProgressDrawTarget::stderr());
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
        let end = parcels.last().map_or(self.clock.now(), |p| p.at) + RUNS_ON;
        self.advance(end).await?;
        bar.finish_and_clear();
        report::say(&format!(
            "{} signed deliveries of {} life cycles, {} to {}, in {:.1} s.",
            parcels.len(),
            HISTORIES.len(),
            parcels.first().map_or(end, |p| p.at),
            end,
            self.took.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    async fn deliver(&self, parcel: &Parcel) -> Result<(), Failure> {
        let signature = sign(parcel.body.as_bytes(), &Secret::new(SECRET), self.clock.now());
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
        Err(Failure::ours(format!("a delivery was answered {status}: {text}")))
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
        let all = KeyRange::prefix(&[key::Table::Due as u8]);
        let first = self.server.handle.reader().range(&all, Direction::Forward, 1);
        let first = first.map_err(|e| Failure::ours(e.to_string()))?;
        Ok(first.first().and_then(|(k, _)| key::parse_due(k)).map(|(at, _)| at))
    }

    /// Waits until everything that is due by now is done.
    async fn work_off(&self) -> Result<(), Failure> {
        let mut bell = self.server.handle.bell();
        let waited = Stopwatch::start();
        loop {
            bell.borrow_and_update();
            let due = view::due(self.server.handle.reader(), self.clock.now(), 64)?;
            if due.is_empty() {
                return Ok(());
            }
            for (_, due) in due {
                if let Due::Of(machine, Item::Wake) = due {
                    self.server.handle.submit_waiting(Input::WakeUp { machine }).await?;
                }
            }
            self.server.due.notify_one();
            tokio::select! {
                _ = bell.changed() => {}
                () = pause(Span::from_ms(50)) => {}
            }
            if waited.elapsed() > STUCK {
                return Err(Failure::ours("something that is due does not get done; see the log above"));
            }
        }
    }
}

/// What became of each purchase.
fn table(server: &Server, now: Timestamp) -> Result<(), Failure> {
    let rules = server.handle.rules();
    let mut rows = Vec::new();
    view::machines(server.handle.reader(), |machine| {
        let page = MachineView::of(&machine, None, &rules.revisions, now, Keys::Shown);
        rows.extend(row(&page));
        true
    })?;
    report::data(&report::table(&["purchase", "state", "license", "key", "expires", "mails"], rows));
    Ok(())
}

fn row(page: &MachineView) -> Vec<Vec<String>> {
    let sent = page.notices.iter().filter(|n| n.status == "sent");
    let mut mails: Vec<&str> = sent.map(|n| n.kind).collect();
    mails.dedup();
    let name = page.id.trim_start_matches("stripe/").to_owned();
    let state = page.state.unwrap_or("-").to_owned();
    if page.licenses.is_empty() {
        let cells = vec![name, state, "none".to_owned(), String::new(), String::new(), mails.join(", ")];
        return vec![cells];
    }
    let mut rows = Vec::new();
    for (n, license) in page.licenses.iter().enumerate() {
        let first = n == 0;
        rows.push(vec![
            if first { name.clone() } else { String::new() },
            if first { state.clone() } else { String::new() },
            format!("{}, {}", license.status, devices(license.devices)),
            license.key.clone().unwrap_or_default(),
            license.expires_at.map_or_else(|| "never".to_owned(), |t| t.to_string()),
            if first { mails.join(", ") } else { String::new() },
        ]);
    }
    rows
}
