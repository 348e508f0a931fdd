//! The tables of what watches over everything else: events that never arrived.

use crate::config::keys::Absent::{Is, Means};
use crate::config::keys::Section;
use crate::config::keys::ValueKind::{Secret, Span, Texts};
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

/// `[alert]`.
pub(in crate::config) const ALERT: Section = Section {
    heading: "[alert]",
    doc: "How you are alerted to what waits for a person (`keyward attention` lists it): one message when a topic begins, one \
          when more of it came, one when it is over. A line in the log comes always. Read at the start.",
    keys: &[
        key(
            "email",
            Texts,
            Is("[]"),
            "Addresses that get a mail each time, by the transport of `[mail]`.",
        ),
        key(
            "url",
            Secret,
            Means("nothing is posted"),
            "An address that gets a small JSON each time; its `text` is what chat services show.",
        ),
        key(
            "heartbeat_url",
            Secret,
            Means("nobody is asked"),
            "An address that is asked each minute while store, queue and scheduler work: a monitor that misses it alerts you to a server that cannot.",
        ),
        key(
            "every",
            Span(1, DAY_S),
            Is("\"15m\""),
            "The least time between two messages on one topic, and how long what may pass by itself has to last before it is one.",
        ),
    ],
};
