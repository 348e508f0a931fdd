//! Instants as people write them on a command line.

use std::ops::Range;
use std::str::FromStr;

use crate::domain::time::{Span, Timestamp};

/// Numbers that are taken for seconds since 1970: those from September 2001 on, of ten digits and a while of eleven. Whoever
/// types a smaller one means something else, and a larger one counts milliseconds.
const SECONDS: Range<i64> = 1_000_000_000..100_000_000_000;

/// An instant, or a span from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This instant.
    At(Timestamp),
    /// So long from now.
    In(Span),
}

impl When {
    /// The instant that is meant.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(span) => (now + span).whole_s(),
        }
    }

    /// The same, looking back: a span is so long ago.
    #[must_use]
    pub fn past(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(span) => (now - span).whole_s(),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.parse::<i64>().is_ok_and(|s| !SECONDS.contains(&s)) {
            return Err(format!(
                "a number alone is no instant: a span has a unit, like {text}d, and a day is written like 2026-03-01"
            ));
        }
        let day = || Timestamp::parse(&format!("{text}T00:00:00Z"));
        Timestamp::parse(text)
            .or_else(|_| day())
            .map(Self::At)
            .or_else(|_| text.parse::<Span>().map(Self::In))
            .map_err(|_| "write a day like 2026-03-01, an instant like 2026-03-01T00:00:00Z, or a span like 30d".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_instants_and_spans_are_read() {
        let at = |text: &str| {
            text.parse::<When>()
                .map(|w| w.from(Timestamp::from_s(1000)).to_string())
        };
        assert_eq!(at("2026-03-01").as_deref(), Ok("2026-03-01T00:00:00Z"));
        assert_eq!(
            at("2026-03-01T10:00:00+01:00").as_deref(),
            Ok("2026-03-01T09:00:00Z")
        );
        assert_eq!(at("1d").as_deref(), Ok("1970-01-02T00:16:40Z"));
        assert_eq!(at("1767607200").as_deref(), Ok("2026-01-05T10:00:00Z"));
        assert!(at("tomorrow").is_err());
    }

    #[test]
    fn a_number_alone_is_no_instant_unless_it_can_only_be_seconds() {
        for (text, meant) in [
            ("5", "5d"),
            ("30", "30d"),
            ("0", "0d"),
            ("2026", "2026d"),
            ("1767607200000", "no instant"),
        ] {
            let said = text.parse::<When>().unwrap_err();
            assert!(said.contains(meant), "{text}: {said}");
        }
    }
}
