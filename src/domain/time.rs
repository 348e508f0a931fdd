//! Instants and durations as plain values. The domain never asks what time it is: instants are handed in.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use minicbor::{Decode, Encode};

/// An instant in UTC, in milliseconds since 1970. Stripe's instants are whole seconds; ours need the milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] i64);

/// The last instant that prints as an ordinary date (9999-12-31T23:59:59Z); what lies beyond is clamped to it.
const LATEST_MS: i64 = 253_402_300_799_000;
/// The first one (0001-01-01T00:00:00Z).
const EARLIEST_MS: i64 = -62_135_596_800_000;

/// Two clocks that are no further apart agree: a delivery takes seconds, a wrong clock is minutes off.
pub const CLOCKS_AGREE: Span = Span::from_minutes(2);

impl Timestamp {
    /// The last instant there is.
    pub const MAX: Self = Self(LATEST_MS);

    /// From milliseconds since 1970, clamped to the years 1 to 9999 so that no later arithmetic or printing can fail.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        if ms > LATEST_MS {
            Self(LATEST_MS)
        } else if ms < EARLIEST_MS {
            Self(EARLIEST_MS)
        } else {
            Self(ms)
        }
    }

    /// From whole seconds since 1970, as Stripe gives them.
    #[must_use]
    pub const fn from_s(s: i64) -> Self {
        Self::from_ms(s.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn s(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same instant without its fraction of a second.
    #[must_use]
    pub const fn whole_s(self) -> Self {
        Self::from_s(self.s())
    }

    /// Reads RFC 3339 or whole seconds since 1970.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        if let Ok(s) = text.parse::<i64>() {
            return Ok(Self::from_s(s));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|t| Self::from_ms(t.timestamp_millis()))
            .map_err(|_| NotATime(text.chars().take(60).collect()))
    }
}

/// A text that should have been an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instant: write 2026-03-01T00:00:00Z or seconds since 1970")]
pub struct NotATime(String);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0 % 1000 == 0 {
            SecondsFormat::Secs
        } else {
            SecondsFormat::Millis
        };
        match Utc.timestamp_millis_opt(self.0).single() {
            Some(t) => f.write_str(&t.to_rfc3339_opts(format, true)),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor)
    }
}

struct TimestampVisitor;

impl serde::de::Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970, or an RFC 3339 instant")
    }
    fn visit_i64<E>(self, seconds: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_s(seconds))
    }
    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
        i64::try_from(seconds)
            .map(Timestamp::from_s)
            .map_err(E::custom)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_ms(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_ms(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time, in milliseconds. In the config it reads like `14d`, `36h`, `10m`, `35s`, `500ms`, `1h30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Span(#[n(0)] i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }
    /// From whole seconds.
    #[must_use]
    pub const fn from_s(s: i64) -> Self {
        Self(s.saturating_mul(1000))
    }
    /// From minutes.
    #[must_use]
    pub const fn from_minutes(m: i64) -> Self {
        Self::from_s(m.saturating_mul(60))
    }
    /// From hours.
    #[must_use]
    pub const fn from_hours(h: i64) -> Self {
        Self::from_s(h.saturating_mul(3600))
    }
    /// From days of 86,400 s.
    #[must_use]
    pub const fn from_days(d: i64) -> Self {
        Self::from_s(d.saturating_mul(86_400))
    }
    /// Milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
    /// As the standard library's duration; negative becomes zero.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

/// A text that should have been a length of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotASpan {
    text: String,
    instead: Option<String>,
}

impl NotASpan {
    fn of(text: &str, instead: Option<String>) -> Self {
        Self {
            text: text.chars().take(60).collect(),
            instead,
        }
    }

    /// What was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.instead.as_deref()
    }
}

impl fmt::Display for NotASpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(
            f,
            "`{text}` is not a length of time: write a number and ms, s, m, h, d or w, like 14d or 1h30m"
        )
    }
}

impl std::error::Error for NotASpan {}

/// The units, each with its milliseconds. A month or a year has no fixed length, and `M` beside `m` invites mistakes.
const UNITS: [(&str, i64); 6] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// What people write instead of a unit, and what it is in ours: a number of them, and the unit.
const MISNAMED: [(&[&str], i64, &str); 8] = [
    (&["", "S", "sec", "secs", "second", "seconds"], 1, "s"),
    (
        &["millis", "msec", "millisecond", "milliseconds", "MS", "Ms"],
        1,
        "ms",
    ),
    (&["M", "min", "mins", "minute", "minutes"], 1, "m"),
    (&["H", "hr", "hrs", "hour", "hours"], 1, "h"),
    (&["D", "day", "days"], 1, "d"),
    (&["W", "wk", "week", "weeks"], 1, "w"),
    (&["mo", "mon", "month", "months"], 30, "d"),
    (&["y", "Y", "yr", "year", "years"], 365, "d"),
];

/// What a number with an unknown unit was probably meant to be.
fn meant(number: &str, unit: &str) -> Option<String> {
    let number: i64 = number.parse().ok()?;
    if UNITS.iter().any(|(name, _)| *name == unit) {
        return Some(format!("{number}{unit}"));
    }
    let (_, each, ours) = MISNAMED.iter().find(|(names, ..)| names.contains(&unit))?;
    Some(format!("{}{ours}", number.checked_mul(*each)?))
}

impl FromStr for Span {
    type Err = NotASpan;

    /// Reads numbers with their units, one behind the other.
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let (mut rest, mut total_ms) = (text.trim(), 0_i64);
        let no = || NotASpan::of(text, None);
        if rest.is_empty() {
            return Err(no());
        }
        while !rest.is_empty() {
            let (number, after) = rest.split_at(
                rest.find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len()),
            );
            let (unit, after) = after.split_at(
                after
                    .find(|c: char| c.is_ascii_digit())
                    .unwrap_or(after.len()),
            );
            let Some((_, unit_ms)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                let alone = rest == text.trim() && after.is_empty();
                return Err(NotASpan::of(
                    text,
                    meant(number, unit.trim()).filter(|_| alone),
                ));
            };
            let n: i64 = number.parse().map_err(|_| no())?;
            total_ms = n
                .checked_mul(*unit_ms)
                .and_then(|ms| total_ms.checked_add(ms))
                .ok_or_else(no)?;
            rest = after;
        }
        if total_ms > LATEST_MS {
            return Err(no());
        }
        Ok(Self::from_ms(total_ms))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest_s = self.0 / 1000;
        if self.0 % 1000 != 0 {
            return write!(f, "{}ms", self.0);
        }
        if rest_s == 0 {
            return f.write_str("0s");
        }
        if rest_s < 0 {
            f.write_str("-")?;
            rest_s = -rest_s;
        }
        for (unit, unit_s) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest_s >= unit_s {
                write!(f, "{}{unit}", rest_s / unit_s)?;
                rest_s %= unit_s;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
