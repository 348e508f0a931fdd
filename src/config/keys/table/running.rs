//! The tables of the process itself: store, backups, schedule, HTTP, clocks.

use crate::config::keys::Absent::{Is, Required};
use crate::config::keys::Section;
use crate::config::keys::ValueKind::{Count, CountText, Cron, Networks, Path, Size, Span, Wait};
use crate::config::keys::spec::{DAY_S, KIB, MIB, TIB, key};

/// `[store]`.
pub(in crate::config) const STORE: Section = Section {
    heading: "[store]",
    doc: "The store's size and limits.",
    keys: &[
        key("cache", Size(MIB, TIB), Is("\"16MiB\""), "The page cache."),
        key(
            "min_free",
            Size(0, TIB),
            Is("\"256MiB\""),
            "Free space below which deliveries are answered 503 instead of stored; Stripe comes again. They are taken again once a quarter more than this is free. A server is not started with less: it writes at its start.",
        ),
    ],
};

/// `[backup]`.
pub(in crate::config) const BACKUP: Section = Section {
    heading: "[backup]",
    doc: "Backups by schedule: everything that is stored in one file, read again and compared before it counts. The commit log is \
          cut behind the newest one, so leave it where it is: if the store is damaged, it is rebuilt from it. Read at the start.",
    keys: &[
        key(
            "path",
            Path,
            Required,
            "The folder, of this installation alone; best on another disk.",
        ),
        key(
            "every",
            Span(60, 366 * DAY_S),
            Is("\"24h\""),
            "How far apart they are.",
        ),
        key(
            "keep",
            CountText(1, 10_000),
            Is("\"14\""),
            "How many stay; older ones are removed.",
        ),
    ],
};

/// `[scheduler]`.
pub(in crate::config) const SCHEDULER: Section = Section {
    heading: "[scheduler]",
    doc: "When the scheduler rings: cron expressions of six fields (second, minute, hour, day, month, weekday), in UTC.",
    keys: &[
        key(
            "due",
            Cron,
            Is("\"* * * * * *\""),
            "Looking for what is due: grace ends, reminders, retries.",
        ),
        key(
            "repair",
            Cron,
            Is("\"0 * * * * *\""),
            "The repair sweep: every machine whose licenses are not what they should be gets its next action.",
        ),
        key(
            "metrics",
            Cron,
            Is("\"*/5 * * * * *\""),
            "Upkeep of the metrics, and counting what waits.",
        ),
        key(
            "audit",
            Cron,
            Is("\"0 40 3 * * *\""),
            "The nightly audit of every source with an `api_key`: Stripe, the license service and the store compared, and one line where they differ.",
        ),
        key(
            "compare",
            Cron,
            Is("\"0 10 3 * * *\""),
            "In observe mode: what is held compared with what the license service has by now; `keyward held` says how they differ.",
        ),
    ],
};

/// `[http]`.
pub(in crate::config) const HTTP: Section = Section {
    heading: "[http]",
    doc: "The HTTP server's limits.",
    keys: &[
        key(
            "body_limit",
            Size(KIB, 2 * MIB),
            Is("\"1MiB\""),
            "The largest body of a delivery; above it 413.",
        ),
        key(
            "tolerance",
            Span(1, DAY_S),
            Is("\"300s\""),
            "How old a signature may be, where a source says nothing else.",
        ),
        key(
            "connections_max",
            Count(1, 1_000_000),
            Is("1024"),
            "Open connections at most; further ones wait.",
        ),
        key(
            "queue_len_max",
            Count(1, 1_000_000),
            Is("4096"),
            "Deliveries that wait to be stored at most; above it 503, and Stripe comes again.",
        ),
        key(
            "header_timeout",
            Wait(1, 3600),
            Is("\"10s\""),
            "How long a request's head may take.",
        ),
        key(
            "body_timeout",
            Wait(1, 3600),
            Is("\"30s\""),
            "How long a request's body may take.",
        ),
        key(
            "trusted_proxies",
            Networks,
            Is("[]"),
            "Addresses or networks of proxies whose `X-Forwarded-For` is believed when visitors of the success page and programs that ask are limited in rate. Behind a proxy that is not named here all of them share one limit.",
        ),
    ],
};

/// `[time]`.
pub(in crate::config) const TIME: Section = Section {
    heading: "[time]",
    doc: "Clocks and outages.",
    keys: &[key(
        "catch_up",
        Span(0, 7 * DAY_S),
        Is("\"2h\""),
        "After an outage or a clock that jumped: how long nobody is stopped by time alone, because Stripe may be about to tell of payments.",
    )],
};
