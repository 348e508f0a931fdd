//! The tables of what watches over everything else: events that never arrived.

use crate::config::keys::Absent::Is;
use crate::config::keys::Section;
use crate::config::keys::ValueKind::Span;
use crate::config::keys::spec::{DAY_S, key};

/// `[backfill]`.
pub(in crate::config) const BACKFILL: Section = Section {
    heading: "[backfill]",
    doc: "Events that never arrived: Stripe's event list is read for each source with an `api_key`, and what is not known is \
          taken as if it had been delivered.",
    keys: &[key(
        "every",
        Span(0, 7 * DAY_S),
        Is("\"1h\""),
        "How often the list is read, besides at each start and after an outage; `\"0s\"` leaves it to `keyward backfill`. Each time is one request or two; Stripe allows at least 10,000 in 30 days.",
    )],
};
