//! What every task of a server is given a part of.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backfills::Backfills;
use super::endpoints::Endpoints;
use super::opening::Opened;
use super::quiet::Silences;
use super::watch;
use crate::config::Config;
use crate::domain::attention::{Attention, Concern, Shortage};
use crate::domain::hold::{Distrust, DistrustCause};
use crate::domain::time::Span;
use crate::effects::dispatcher::Pulse;
use crate::effects::health::ServerAttention;
use crate::effects::services::Services;
use crate::engine::backup::{Backups, Schedule};
use crate::engine::read::counts::Counts;
use crate::engine::{Full, Handle};
use crate::http;
use crate::http::signals::{self, Signals};
use crate::scheduler::{Notifiers, Scheduler};
use crate::store::FullCause;

/// The parts.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) config: Arc<Config>,
    pub(super) services: Arc<Services>,
    pub(super) due: Arc<Notify>,
    /// When the dispatcher last went round.
    pub(super) pulse: Arc<Pulse>,
    pub(super) backfills: Arc<Backfills>,
    /// Makes backups of the stores.
    pub(super) backups: Arc<Backups>,
    pub(super) signals: Signals,
    pub(super) silences: Arc<Silences>,
    pub(super) endpoints: Arc<Endpoints>,
    /// What waits for a person apart from purchases.
    pub(super) attention: ServerAttention,
    pub(super) stop: CancellationToken,
}

/// The stores' backups.
pub(super) fn backups(config: &Config, opened: &Opened) -> Arc<Backups> {
    let licenses = opened.licenses.as_ref().map(|(_, reader)| reader.clone());
    let machines = opened.store.1.clone();
    Arc::new(Backups::new(&config.data_dir, machines, licenses))
}

/// A store that takes nothing, as what waits for a person.
fn store_full(full: &Full) -> Attention {
    let shortage = match full.cause {
        FullCause::FreeSpace { .. } => Shortage::Disk,
        FullCause::Overlay { .. } => Shortage::Memory,
    };
    let why = full.cause.what();
    Attention {
        since: full.since,
        concern: Concern::StoreFull { shortage, why },
    }
}

/// A clock that was set and that nobody has confirmed. After an outage it is only to be heard of payments first.
fn clock_jumped(doubt: Option<Distrust>, catch_up: Span) -> Option<Attention> {
    let doubt = doubt.filter(|d| matches!(d.cause, DistrustCause::Jumped(_)))?;
    Some(Attention {
        since: doubt.until - catch_up,
        concern: Concern::ClockJumped(doubt),
    })
}

impl Parts {
    /// The backups that are made by schedule.
    pub(super) fn by_schedule(&self) -> Option<(Arc<Backups>, Schedule)> {
        let schedule = self.config.backup.as_ref()?;
        Some((Arc::clone(&self.backups), schedule.into()))
    }

    pub(super) fn new(
        handle: Handle,
        config: Arc<Config>,
        services: Arc<Services>,
        backups: Arc<Backups>,
    ) -> Self {
        let backfills = Arc::new(Backfills::new(config.sources.iter().map(|s| &s.name)));
        let (signals, silences) = (signals::of(&config), Arc::<Silences>::default());
        let endpoints = Arc::<Endpoints>::default();
        let attention: ServerAttention = {
            let (services, backfills) = (Arc::clone(&services), Arc::clone(&backfills));
            let (signals, silences) = (Arc::clone(&signals), Arc::clone(&silences));
            let (endpoints, clock) = (Arc::clone(&endpoints), handle.clock().clone());
            let (backups, started) = (Arc::clone(&backups), handle.clock().now());
            let every = config.backup.as_ref().map(|b| b.every);
            // Not the handle: who holds it keeps the engine's door open.
            let (standing, full) = (handle.standing_orders(), handle.fullness());
            let (distrust, catch_up) = (handle.distrust(), config.time.catch_up);
            Arc::new(move || {
                let now = clock.now();
                let mut all: Vec<_> = full.load().as_deref().map(store_full).into_iter().collect();
                all.extend(clock_jumped(distrust(), catch_up));
                all.extend(services.attention(now));
                all.extend(super::other_handler::attention(&standing.load()));
                all.extend(endpoints.attention());
                all.extend(signals.iter().filter_map(|s| s.attention()));
                all.extend(silences.attention());
                all.extend(backfills.attention());
                let backup = every.map(|every| backups.status().attention(every, started, now));
                all.extend(backup.flatten());
                all
            })
        };
        Self {
            handle,
            config,
            services,
            due: Arc::default(),
            pulse: Arc::default(),
            backfills,
            backups,
            signals,
            silences,
            endpoints,
            attention,
            stop: CancellationToken::new(),
        }
    }

    /// What the scheduler rings for.
    pub(super) fn notifiers(&self, counts: &Arc<Counts>) -> Notifiers {
        Notifiers {
            due: Arc::clone(&self.due),
            upkeep: Arc::new(http::metrics::upkeep),
            audit: Arc::default(),
            counts: Arc::clone(counts),
            backups: self.by_schedule(),
        }
    }

    /// The scheduler's last runs and the services, as `/readyz` shows them.
    pub(super) fn observed(
        &self,
        scheduler: &Scheduler,
        counts: &Arc<Counts>,
    ) -> http::health::Observe {
        let (services, backups) = (Arc::clone(&self.services), Arc::clone(&self.backups));
        let (runs, counts) = (scheduler.runs(), Arc::clone(counts));
        Arc::new(move || {
            let run = |r: crate::scheduler::Run| http::health::JobRun {
                name: r.job.as_str(),
                last_run: r.last,
                silent: r.silent,
            };
            http::health::Observed {
                jobs: runs.all().into_iter().map(run).collect(),
                services: watch::reports(&services, &counts),
                backup: backups.status(),
            }
        })
    }
}
