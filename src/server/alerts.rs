//! Looks for what waits for a person, and alerts the operator to it: a line in the log always, and what `[alert]` names.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kept::{Outage, Reported};
use super::parts::Parts;
use super::vitals::Vitals;
use super::{StartError, endpoints, quiet};
use crate::clock::{Passed, pause};
use crate::domain::alert::{Coverage, Digest, News, due_digests};
use crate::domain::attention::{Attention, of_machine};
use crate::domain::id::MachineId;
use crate::domain::time::{Span, Timestamp};
use crate::effects::alert::{Channels, subject};
use crate::effects::dispatcher::Pulse;
use crate::effects::health::ServerAttention;
use crate::engine::Handle;
use crate::engine::read::attention::{self, HeldCount, MachineCursor, of_purchase, stretch};
use crate::engine::record::RecordError;
use crate::engine::record::server::Channel;
use crate::scheduler::Scheduler;
use crate::store::Seq;

/// How often it scans.
const CHECK_EVERY: Span = Span::from_s(2);
/// Purchases in one scan.
const PURCHASES_MAX: usize = 500;
/// After a round over all purchases: before the next one where something was written since, and where nothing was.
const REST_BUSY: Span = Span::from_s(10);
/// See [`REST_BUSY`]. Time alone makes a key late.
const REST_IDLE: Span = Span::from_minutes(1);
/// Before a channel that failed is tried again; doubled each time, up to [`RETRY_MAX`].
const RETRY_MIN: Span = Span::from_s(30);
/// See [`RETRY_MIN`].
const RETRY_MAX: Span = Span::from_minutes(15);
/// How often the heartbeat's address is asked.
const HEARTBEAT_EVERY: Span = Span::from_minutes(1);

/// What the alerts are made of.
struct AlertParts {
    handle: Handle,
    attention: ServerAttention,
    channels: Channels,
    every: Span,
    /// Whether the scheduler's bells ring, and its jobs come to an end.
    scheduler_works: Arc<dyn Fn() -> bool + Send + Sync>,
    /// When the dispatcher last went round.
    pulse: Arc<Pulse>,
}

/// Starts what notices that something is wrong, and what alerts the operator to it.
pub(super) fn start(parts: &Parts, scheduler: &Scheduler) -> Result<JoinSet<()>, StartError> {
    let runs = scheduler.runs();
    let channels = Channels::new(&parts.config).map_err(|error| StartError::System {
        what: "preparing alerts".to_owned(),
        error: std::io::Error::other(error),
    })?;
    let alerts = AlertParts {
        handle: parts.handle.clone(),
        attention: Arc::clone(&parts.attention),
        channels,
        every: parts.config.alert.every,
        scheduler_works: Arc::new(move || !runs.all().iter().any(|run| run.silent || run.stuck)),
        pulse: Arc::clone(&parts.pulse),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(run(alerts, parts.stop.clone()));
    tasks.spawn(quiet::run(
        parts.handle.clone(),
        Arc::clone(&parts.signals),
        Arc::clone(&parts.silences),
        parts.stop.clone(),
    ));
    tasks.spawn(endpoints::run(
        parts.handle.clone(),
        Arc::clone(&parts.config),
        Arc::clone(&parts.services),
        Arc::clone(&parts.signals),
        Arc::clone(&parts.endpoints),
        parts.stop.clone(),
    ));
    Ok(tasks)
}

/// One channel with what it reported.
struct ChannelState {
    reported: Reported,
    failures: u32,
    /// Since it failed last, and how long it then rests.
    rests: Option<(Passed, Span)>,
}

/// The state of the scan.
struct Alerts {
    parts: AlertParts,
    channels: Vec<ChannelState>,
    /// Of keeping what was reported.
    outage: Outage,
    found: BTreeMap<MachineId, Vec<Attention>>,
    parked: Vec<Attention>,
    /// Events that could not be read, as of a commit.
    unread: (Vec<Attention>, Option<Seq>),
    /// What the shop's orders held in the last round over all purchases, and what they hold in this one so far.
    held: Option<HeldCount>,
    holding: HeldCount,
    cursor: MachineCursor,
    coverage: Coverage,
    /// Since the last round, and as of which commit it was.
    round_over: Option<(Passed, Option<Seq>)>,
    /// Since the heartbeat's address was asked.
    beaten: Option<Passed>,
    started: Timestamp,
}

/// Alerts until the stop token.
async fn run(parts: AlertParts, stop: CancellationToken) {
    let now = parts.handle.clock().now();
    let mut channels = vec![Channel::Log];
    channels.extend(parts.channels.has_mail().then_some(Channel::Mail));
    channels.extend(parts.channels.has_url().then_some(Channel::Url));
    let state = |channel| ChannelState {
        reported: Reported::read(&parts.handle, channel),
        failures: 0,
        rests: None,
    };
    let mut alerts = Alerts {
        channels: channels.into_iter().map(state).collect(),
        parts,
        outage: Outage::default(),
        found: BTreeMap::new(),
        parked: Vec::new(),
        unread: (Vec::new(), None),
        held: None,
        holding: HeldCount::default(),
        cursor: MachineCursor::default(),
        coverage: Coverage::Partial,
        round_over: None,
        beaten: None,
        started: now,
    };
    loop {
        tokio::select! { () = stop.cancelled() => return, () = alerts.tick() => {} }
        tokio::select! { () = stop.cancelled() => return, () = pause(CHECK_EVERY) => {} }
    }
}

impl Alerts {
    async fn tick(&mut self) {
        let now = self.parts.handle.clock().now();
        let (orders, rules) = (self.parts.handle.standing(), self.parts.handle.rules());
        let of_store = || {
            let reader = self.parts.handle.reader();
            let restored = attention::restored(reader, &orders, &rules)?;
            Ok((restored, attention::audited(reader)?))
        };
        let of_store = of_store();
        let (restored, audited) = match self.scan(now).and(of_store) {
            Ok(of_store) => of_store,
            Err(error) => {
                tracing::debug!(%error, "what waits for a person cannot be read");
                return;
            }
        };
        let mut waiting = (self.parts.attention)();
        waiting.extend(restored);
        waiting.extend(attention::held_back(&orders, &rules, self.held.as_ref()));
        waiting.extend(audited);
        waiting.extend(self.found.values().flatten().cloned());
        waiting.extend(self.parked.iter().cloned());
        waiting.extend(self.unread.0.iter().cloned());
        for n in 0..self.channels.len() {
            self.report(n, &waiting, now).await;
        }
        self.tell_kept(now);
        let works = (self.parts.scheduler_works)();
        let vitals = Vitals::of(
            &self.parts.handle,
            works,
            self.parts.pulse.ago(),
            self.started,
        );
        let rests = |since: &Passed| since.span() < HEARTBEAT_EVERY;
        if !self.beaten.as_ref().is_some_and(rests) && vitals.are_good(now) {
            self.beaten = Some(self.parts.handle.clock().measure());
            self.parts.channels.heartbeat().await;
        }
    }

    /// Looks at what could not be read, and at the next purchases where a round is under way or due.
    fn scan(&mut self, now: Timestamp) -> Result<(), RecordError> {
        let handle = &self.parts.handle;
        let seq = Some(handle.reader().seq()?);
        if self.unread.1 != seq {
            self.unread = (attention::unread(handle.reader())?, seq);
        }
        let over = self
            .round_over
            .as_ref()
            .filter(|_| self.cursor.is_at_rest());
        if let Some((since, scanned)) = over {
            let rest = if seq == *scanned {
                REST_IDLE
            } else {
                REST_BUSY
            };
            if since.span() < rest {
                return Ok(());
            }
        }
        let rules = handle.rules();
        let (found, holding) = (&mut self.found, &mut self.holding);
        stretch(
            handle.reader(),
            &mut self.cursor,
            PURCHASES_MAX,
            |machine| {
                holding.add(machine, &rules);
                let waits = of_purchase(handle.reader(), &rules.revisions, machine, now);
                // Another record that cannot be read is reported where it is used.
                let waits = waits.unwrap_or_else(|_| of_machine(machine, now));
                if waits.is_empty() {
                    found.remove(&machine.id);
                } else {
                    found.insert(machine.id.clone(), waits);
                }
            },
        )?;
        if self.cursor.is_at_rest() {
            self.parked = attention::parked(handle.reader(), now)?;
            self.held = Some(std::mem::take(&mut self.holding));
            self.coverage = Coverage::Whole;
            self.round_over = Some((handle.clock().measure(), Some(handle.reader().seq()?)));
        }
        Ok(())
    }

    /// Sends what is due over a channel, one message after the other; each is kept as reported before the next one goes.
    async fn report(&mut self, n: usize, waiting: &[Attention], now: Timestamp) {
        let (coverage, every) = (self.coverage, self.parts.every);
        self.keep(n).await;
        let rests = |(since, span): &(Passed, Span)| since.span() < *span;
        if self.channels[n].rests.as_ref().is_some_and(rests) {
            return;
        }
        let log = self.channels[n].reported.log.clone();
        let (digests, next) = due_digests(&log, waiting, coverage, every, now);
        for digest in &digests {
            let channel = self.channels[n].reported.channel;
            if let Err(why) = self.send(channel, digest, now).await {
                let state = &mut self.channels[n];
                state.failures += 1;
                let wait = RETRY_MIN.ms() << state.failures.min(6);
                let wait = Span::from_ms(wait.min(RETRY_MAX.ms()));
                state.rests = Some((self.parts.handle.clock().measure(), wait));
                tracing::error!(
                    channel = channel.as_str(),
                    "an alert cannot be sent and is tried again: {why}"
                );
                return;
            }
            let reported = &mut self.channels[n].reported;
            reported.log = reported.log.with(&digest.topic, &next);
            self.keep(n).await;
        }
        self.channels[n].failures = 0;
        self.channels[n].reported.log = next;
        self.keep(n).await;
    }

    async fn send(
        &self,
        channel: Channel,
        digest: &Digest<'_>,
        now: Timestamp,
    ) -> Result<(), String> {
        match channel {
            Channel::Log => {
                write_log(digest);
                Ok(())
            }
            Channel::Mail => self.parts.channels.mail(digest, now).await,
            Channel::Url => self.parts.channels.post(digest).await,
        }
    }

    /// Keeps what was reported, so that a restart reports nothing twice.
    async fn keep(&mut self, n: usize) {
        let reported = &mut self.channels[n].reported;
        reported.keep(&self.parts.handle, &mut self.outage).await;
    }

    /// Says that all that was reported is kept again.
    fn tell_kept(&mut self, now: Timestamp) {
        if self.channels.iter().all(|c| c.reported.is_stored())
            && let Some(span) = self.outage.ends(now)
        {
            tracing::info!("what was reported is kept again, after {span}");
        }
    }
}

fn write_log(digest: &Digest<'_>) {
    let (cause, subject) = (digest.topic.cause.as_str(), subject(digest));
    match &digest.news {
        News::Waits { new, .. } => {
            let first = new
                .first()
                .map(|a| format!("{}: {}", a.concern.about(), a.concern));
            let first = first.unwrap_or_default();
            tracing::warn!(
                cause,
                "{subject}; {first}. `keyward attention` lists everything that waits"
            );
        }
        News::Recovered { .. } => tracing::info!(cause, "{subject}"),
    }
}
