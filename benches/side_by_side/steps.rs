//! What happens to the subscriptions of the histories, step by step.

/// Events of each subscription.
pub(crate) const EVENTS: usize = 10;

pub(crate) const DAY_S: i64 = 86_400;
pub(crate) const MONTH_S: i64 = 30 * DAY_S;

/// What happens to subscriptions, and to how many of twenty: most renew, some fail and pay three days later, some leave, few
/// are given up.
pub(crate) const STORIES: [(usize, &[Step; EVENTS]); 4] = [
    (14, &RENEWING),
    (3, &RECOVERING),
    (2, &LEAVING),
    (1, &LAPSING),
];

const RENEWING: [Step; EVENTS] = [
    begun(),
    paid(2, 0, 1),
    turned(1),
    paid(MONTH_S + 3_600, 1, 1),
    turned(2),
    paid(2 * MONTH_S + 3_600, 2, 1),
    turned(3),
    paid(3 * MONTH_S + 3_600, 3, 1),
    edited(3 * MONTH_S + DAY_S, 3),
    edited(3 * MONTH_S + 2 * DAY_S, 3),
];

pub(crate) const RECOVERING: [Step; EVENTS] = [
    begun(),
    paid(2, 0, 1),
    edited(60, 0),
    turned(1),
    paid(MONTH_S + 3_600, 1, 1),
    turned(2),
    failed(2 * MONTH_S + 3_600, 2, 1),
    late(2 * MONTH_S + 3_601, 2),
    paid(2 * MONTH_S + 3 * DAY_S, 2, 2),
    changed(
        2 * MONTH_S + 3 * DAY_S + 2,
        2,
        "active",
        r#"{"status": "past_due"}"#,
    ),
];

const LEAVING: [Step; EVENTS] = [
    begun(),
    paid(2, 0, 1),
    edited(60, 0),
    turned(1),
    paid(MONTH_S + 3_600, 1, 1),
    turned(2),
    paid(2 * MONTH_S + 3_600, 2, 1),
    edited(2 * MONTH_S + DAY_S, 2),
    edited(2 * MONTH_S + 2 * DAY_S, 2),
    deleted(3 * MONTH_S, 2),
];

const LAPSING: [Step; EVENTS] = [
    begun(),
    paid(2, 0, 1),
    edited(60, 0),
    turned(1),
    paid(MONTH_S + 3_600, 1, 1),
    turned(2),
    failed(2 * MONTH_S + 3_600, 2, 1),
    late(2 * MONTH_S + 3_601, 2),
    failed(2 * MONTH_S + 5 * DAY_S, 2, 2),
    deleted(2 * MONTH_S + 20 * DAY_S, 2),
];

const fn begun() -> Step {
    subscription(0, 0, "created", "active", "")
}

const fn turned(month: i64) -> Step {
    changed(
        month * MONTH_S,
        month,
        "active",
        r#"{"latest_invoice": null}"#,
    )
}

const fn edited(after_s: i64, month: i64) -> Step {
    changed(
        after_s,
        month,
        "active",
        r#"{"default_payment_method": null}"#,
    )
}

const fn late(after_s: i64, month: i64) -> Step {
    changed(after_s, month, "past_due", r#"{"status": "active"}"#)
}

const fn deleted(after_s: i64, month: i64) -> Step {
    subscription(after_s, month, "deleted", "canceled", "")
}

const fn changed(after_s: i64, month: i64, status: &'static str, previous: &'static str) -> Step {
    subscription(after_s, month, "updated", status, previous)
}

const fn subscription(
    after_s: i64,
    month: i64,
    kind: &'static str,
    status: &'static str,
    previous: &'static str,
) -> Step {
    let what = What::Subscription {
        kind,
        status,
        previous,
    };
    Step {
        after_s,
        month,
        what,
    }
}

pub(crate) const fn paid(after_s: i64, month: i64, attempts: u32) -> Step {
    invoice(after_s, month, true, attempts)
}

const fn failed(after_s: i64, month: i64, attempts: u32) -> Step {
    invoice(after_s, month, false, attempts)
}

const fn invoice(after_s: i64, month: i64, paid: bool, attempts: u32) -> Step {
    let what = What::Invoice { paid, attempts };
    Step {
        after_s,
        month,
        what,
    }
}

/// A subscription's story.
pub(crate) fn story(machine: usize) -> &'static [Step; EVENTS] {
    let mut place = machine % 20;
    for (of_twenty, story) in STORIES {
        if place < of_twenty {
            return story;
        }
        place -= of_twenty;
    }
    &RENEWING
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) after_s: i64,
    pub(crate) month: i64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Subscription {
        kind: &'static str,
        status: &'static str,
        previous: &'static str,
    },
    Invoice {
        paid: bool,
        attempts: u32,
    },
}
