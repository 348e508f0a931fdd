//! `keyward demo`: the main job on the embedded default. A real server on a loopback port, the embedded license service, a
//! folder for the mails, and bundled histories as signed deliveries, some of them twice or out of order, while a virtual
//! clock runs through the months. It ends on a day in the middle of the shop's life, so that the table at the end shows each
//! kind of purchase as it is while something is going on.

mod stories;
mod table;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::net::TcpListener;

use super::report;
use crate::admin::Failure;
use crate::clock::{Clock, Stopwatch, pause};
use crate::config::{Config, Env, Transport};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Input;
use crate::engine::read::due;
use crate::engine::record::key::{Due, Item};
use crate::secret::Secret;
use crate::server;
use crate::server::Server;
use crate::sources::stripe::signature::sign;
use crate::store::Create;
use stories::{Parcel, STORIES, parcels};
use table::table;

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
/// When the demo ends. The time of day is that of every `told_until`, so that stories move by whole days.
const END: &str = "2026-04-20T12:00:00Z";
/// The plans and policies that the histories are about.
const CONFIG: &str = include_str!("../../fixtures/histories/keyward.toml");
/// The demo's signing secret; it guards nothing.
const SECRET: &str = "whsec_demo";
/// Nothing may stand still for longer.
const STUCK: Duration = Duration::from_secs(60);

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
