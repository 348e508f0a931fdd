//! The second step: the tree's tables become a [`Config`], with a default in the place of everything absent or wrong.

mod alert;
mod plans;
mod portal;
mod services;
mod source;
mod value;
mod vendor;

pub(crate) use source::STRIPE_API;

use std::net::{Ipv4Addr, SocketAddr};

use super::keys::{
    ADOPT, ALERT, BACKFILL, BACKUP, GUARD, HTTP, LICENSES, MAIL, ROOT, SCHEDULER, STORE, TIME,
};
use super::tree::{Table, TreeReader};
use super::types::{
    Adopt, AlertConfig, Backfill, Backup, Cron, Http, Mode, Portal, Scheduler, Store, Time,
};
use super::{ByteSize, Config};
use crate::domain::guard::GuardLimits;
use crate::domain::time::Span;
use toml::de::DeTable;

/// Reads the whole file. What is wrong is told to the reader.
pub(super) fn config<'a>(reader: &'a TreeReader<'a>, file: &'a DeTable<'a>) -> Config {
    // The top has no place of its own: what is missing there is about the file as a whole.
    let root = reader.table("", file, 0..0, &ROOT);
    let listen = root.socket("listen").unwrap_or(LISTEN);
    let http = root
        .sub("http", &HTTP)
        .map_or_else(Http::default, |t| http(&t));
    let (plans, program_terms) = plans::plans(&root);
    let mut config = Config {
        listen,
        data_dir: root
            .path("data_dir")
            .unwrap_or_else(|| reader.dir.join("keyward-data")),
        public_url: root
            .url("public_url")
            .unwrap_or_else(|| format!("http://{listen}")),
        sources: source::sources(&root, http.tolerance),
        licenses: root
            .sub("licenses", &LICENSES)
            .map(|t| services::licenses(&t))
            .unwrap_or_default(),
        mail: root
            .sub("mail", &MAIL)
            .map(|t| services::mail(&t))
            .unwrap_or_default(),
        store: root
            .sub("store", &STORE)
            .map_or_else(Store::default, |t| store(&t)),
        backup: root.sub("backup", &BACKUP).map(|t| backup(&t)),
        scheduler: root
            .sub("scheduler", &SCHEDULER)
            .map_or_else(Scheduler::default, |t| scheduler(&t)),
        http,
        time: root
            .sub("time", &TIME)
            .map_or_else(Time::default, |t| time(&t)),
        backfill: root
            .sub("backfill", &BACKFILL)
            .map_or_else(Backfill::default, |t| backfill(&t)),
        alert: root
            .sub("alert", &ALERT)
            .map_or_else(AlertConfig::default, |t| alert::alert(&t)),
        adopt: root
            .sub("adopt", &ADOPT)
            .map_or_else(Adopt::default, |t| adopt(&t)),
        checkout: plans::checkout(&root),
        mode: root.choice("mode", Mode::CHOICES).unwrap_or(Mode::Live),
        guard: root
            .sub("guard", &GUARD)
            .map_or(GUARD_LIMITS, |t| guard(&t)),
        plans,
        program_terms,
        policies: plans::policies(&root),
        portal: Portal::default(),
        vendor: vendor::vendor(&root),
        success: vendor::success(&root),
        display: vendor::display(&root),
    };
    let Config {
        vendor,
        mail,
        sources,
        ..
    } = &mut config;
    let own = sources.iter_mut().filter_map(|s| s.mail.as_mut());
    own.chain([mail]).for_each(|mail| mail.signed_by(vendor));
    config.portal = portal::portal(&root, &config);
    config
}

/// Where the server listens, where nothing else is said.
pub(super) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

impl Default for Store {
    fn default() -> Self {
        Self {
            cache: ByteSize::from_mib(16),
            min_free: ByteSize::from_mib(256),
        }
    }
}

fn store(t: &Table<'_>) -> Store {
    let d = Store::default();
    Store {
        cache: t.size("cache").unwrap_or(d.cache),
        min_free: t.size("min_free").unwrap_or(d.min_free),
    }
}

fn backup(t: &Table<'_>) -> Backup {
    t.require("path", "backups go to a folder of their own");
    Backup {
        path: t.path("path").unwrap_or_default(),
        every: t.length("every").unwrap_or(Span::from_hours(24)),
        keep: t.count("keep").unwrap_or(14),
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        let cron = |text: &str| Cron(text.to_owned());
        Self {
            due: cron("* * * * * *"),
            repair: cron("0 * * * * *"),
            metrics: cron("*/5 * * * * *"),
            audit: cron("0 40 3 * * *"),
            compare: cron("0 10 3 * * *"),
        }
    }
}

fn scheduler(t: &Table<'_>) -> Scheduler {
    let d = Scheduler::default();
    Scheduler {
        due: t.cron("due").unwrap_or(d.due),
        repair: t.cron("repair").unwrap_or(d.repair),
        metrics: t.cron("metrics").unwrap_or(d.metrics),
        audit: t.cron("audit").unwrap_or(d.audit),
        compare: t.cron("compare").unwrap_or(d.compare),
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            body_limit: ByteSize::from_mib(1),
            tolerance: Span::from_s(300),
            connections_max: 1024,
            queue_len_max: 4096,
            header_timeout: Span::from_s(10),
            body_timeout: Span::from_s(30),
            trusted_proxies: Vec::new(),
        }
    }
}

fn http(t: &Table<'_>) -> Http {
    let d = Http::default();
    Http {
        body_limit: t.size("body_limit").unwrap_or(d.body_limit),
        tolerance: t.length("tolerance").unwrap_or(d.tolerance),
        connections_max: t.count("connections_max").unwrap_or(d.connections_max),
        queue_len_max: t.count("queue_len_max").unwrap_or(d.queue_len_max),
        header_timeout: t.length("header_timeout").unwrap_or(d.header_timeout),
        body_timeout: t.length("body_timeout").unwrap_or(d.body_timeout),
        trusted_proxies: t.networks("trusted_proxies").unwrap_or(d.trusted_proxies),
    }
}

impl Default for Time {
    fn default() -> Self {
        Self {
            catch_up: Span::from_hours(2),
        }
    }
}

fn time(t: &Table<'_>) -> Time {
    Time {
        catch_up: t.length("catch_up").unwrap_or(Time::default().catch_up),
    }
}

impl Default for Backfill {
    fn default() -> Self {
        Self {
            every: Some(Span::from_hours(1)),
        }
    }
}

fn backfill(t: &Table<'_>) -> Backfill {
    let every = t
        .length("every")
        .map(|every| Some(every).filter(|e| e.ms() > 0));
    Backfill {
        every: every.unwrap_or(Backfill::default().every),
    }
}

/// How many licenses may end in a while, where nothing else is said.
pub(super) const GUARD_LIMITS: GuardLimits = GuardLimits {
    max_hurtful: 5,
    max_share_percent: 2,
    window: Span::from_hours(1),
};

fn guard(t: &Table<'_>) -> GuardLimits {
    let d = GUARD_LIMITS;
    GuardLimits {
        max_hurtful: t.count("max_hurtful").unwrap_or(d.max_hurtful),
        max_share_percent: t.percent("max_share").unwrap_or(d.max_share_percent),
        window: t.length("window").unwrap_or(d.window),
    }
}

fn adopt(t: &Table<'_>) -> Adopt {
    Adopt {
        labels: t.templates("labels").unwrap_or_default(),
    }
}
