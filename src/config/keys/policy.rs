//! The keys of `[policy.NAME]`: what happens when a payment fails, is refunded, disputed, cancelled or paused.

use super::Absent::Is;
use super::Section;
use super::ValueKind::{Choice, Share, Span, Spans};
use super::spec::{CENTURY_S, key};

/// `[policy.NAME]`.
pub(in crate::config) const POLICY: Section = Section {
    heading: "[policy.NAME]",
    doc: "What happens after the purchase. An episode that runs keeps the policy under which it began.",
    keys: &[
        key(
            "grace",
            Span(0, CENTURY_S),
            Is("\"16d\""),
            "From the first failed renewal to the stop. Stripe's own retries take two weeks.",
        ),
        key(
            "reminders",
            Spans(0, CENTURY_S),
            Is("[\"0d\", \"7d\", \"14d\"]"),
            "When the customer is written to, counted from the failure, ascending.",
        ),
        key(
            "at_grace_end",
            Choice(&["suspend", "revoke", "keep"]),
            Is("\"suspend\""),
            "What happens when the grace is over.",
        ),
        key(
            "on_cancel",
            Choice(&["period_end", "now", "keep"]),
            Is("\"period_end\""),
            "What a cancellation does: the license lives to the end of what was paid, ends at once, or lives on.",
        ),
        key(
            "on_refund",
            Choice(&["revoke", "keep"]),
            Is("\"revoke\""),
            "What a full refund does.",
        ),
        key(
            "on_partial_refund",
            Share,
            Is("\"keep\""),
            "What a partial refund does; a percentage revokes once that share of the charge is refunded.",
        ),
        key(
            "on_dispute",
            Choice(&["suspend", "keep"]),
            Is("\"suspend\""),
            "What an open dispute does.",
        ),
        key(
            "on_inquiry",
            Choice(&["keep", "suspend"]),
            Is("\"keep\""),
            "What an inquiry does, a dispute that has moved no money.",
        ),
        key(
            "on_dispute_won",
            Choice(&["reinstate", "keep"]),
            Is("\"reinstate\""),
            "What a won dispute does; `keep` leaves the license as the dispute left it.",
        ),
        key(
            "on_dispute_lost",
            Choice(&["revoke", "keep"]),
            Is("\"revoke\""),
            "What a lost dispute does.",
        ),
        key(
            "on_pause",
            Choice(&["keep", "suspend"]),
            Is("\"keep\""),
            "What a pause does: periods that turn meanwhile are granted, or the license stops until the pause ends.",
        ),
        key(
            "expiry_margin",
            Span(0, CENTURY_S),
            Is("\"3d\""),
            "How long a license outlives the paid end, so that a renewal has time to be paid.",
        ),
        key(
            "processing_margin",
            Span(0, CENTURY_S),
            Is("\"14d\""),
            "How long an open renewal invoice that has not failed keeps a license alive; bank debits take days.",
        ),
        key(
            "trial",
            Choice(&["license", "none"]),
            Is("\"license\""),
            "What a trial hands out.",
        ),
        key(
            "resubscribe",
            Choice(&["restore", "new"]),
            Is("\"restore\""),
            "What a former customer gets who subscribes to the same plan again: the old key, or a new one.",
        ),
        key(
            "notice_delay",
            Span(0, CENTURY_S),
            Is("\"10m\""),
            "How long an alarming notice waits, in case the failure is over before it is known.",
        ),
        key(
            "dunning_mail",
            Choice(&["keyward", "stripe"]),
            Is("\"keyward\""),
            "Who warns of failed payments; with `stripe`, Keyward tells only of a stop, an end, and of being restored.",
        ),
        key(
            "expiring",
            Spans(60, CENTURY_S),
            Is("[]"),
            "How long before its end a customer hears of a license that nothing renews (paid once, for a time), descending, as in `[\"30d\", \"7d\"]`. The mail has a link to buy more of it.",
        ),
    ],
};
