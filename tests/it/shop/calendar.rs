//! Instants as seconds since 1970, and Stripe's months.

use chrono::{DateTime, Months, SecondsFormat};

/// An instant, in seconds since 1970.
pub(crate) type Time = i64;

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// The shop opens: 2026-01-05T10:00:00Z.
pub(crate) const OPENS: Time = 1_767_607_200;

/// So many months after an anchor; where that month is shorter, its last day.
pub(crate) fn months(anchor: Time, count: u32) -> Time {
    let anchor = DateTime::from_timestamp(anchor, 0).unwrap();
    anchor
        .checked_add_months(Months::new(count))
        .unwrap()
        .timestamp()
}

/// As replay writes it.
pub(crate) fn iso(at: Time) -> String {
    DateTime::from_timestamp(at, 0)
        .unwrap()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What replay wrote.
pub(crate) fn read(text: &str) -> Time {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}
