//! From Stripe's events to the lines of a history: which types, how late, how often, in which order.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::calendar::{DAY, HOUR, MINUTE, Time, iso};
use super::script::{Delivery, Types, Word};
use super::stripe::ledger::Decision;
use super::stripe::{Event, Stripe};

/// What was received, in the order of receipt.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) received: Time,
    pub(crate) created: Time,
    pub(crate) text: String,
    /// For people: the type.
    pub(crate) kind: String,
}

fn asked_for(types: Types, kind: &str) -> bool {
    match types {
        Types::All => true,
        Types::Guide => matches!(
            kind,
            "checkout.session.completed"
                | "customer.subscription.created"
                | "customer.subscription.deleted"
                | "invoice.paid"
        ),
        Types::Snapshots => {
            kind == "checkout.session.completed" || kind.starts_with("customer.subscription.")
        }
    }
}

fn body(event: &Event, new_shape: bool) -> Value {
    let mut data = json!({ "object": event.object });
    if let Some(previous) = &event.previous {
        data["previous_attributes"] = previous.clone();
    }
    json!({
        "id": event.id, "object": "event", "type": event.kind, "created": event.created, "livemode": true,
        "api_version": if new_shape { "2025-09-30.clover" } else { "2022-11-15" }, "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null }, "data": data,
    })
}

/// Everything that reaches us.
pub(crate) fn deliver(stripe: &Stripe, delivery: &Delivery) -> Vec<Line> {
    let mut dice = SmallRng::seed_from_u64(delivery.seed.into());
    let mut lines = Vec::new();
    for event in stripe
        .events
        .iter()
        .filter(|e| asked_for(delivery.types, e.kind))
    {
        let times = if dice.random_range(0..100) < 10 { 2 } else { 1 };
        for _ in 0..times {
            let received = event.created + wait(&mut dice, delivery.late);
            let text =
                json!({ "received_at": iso(received), "event": body(event, stripe.new_shape) })
                    .to_string();
            lines.push(Line {
                received,
                created: event.created,
                text,
                kind: event.kind.to_owned(),
            });
        }
    }
    for lookup in &stripe.lookups {
        let text = json!({ "received_at": iso(lookup.at), "lookup": lookup.object }).to_string();
        lines.push(Line {
            received: lookup.at,
            created: lookup.at,
            text,
            kind: "lookup".to_owned(),
        });
    }
    // Who decides has seen the purchase.
    for decision in stripe.decisions.iter().filter(|_| !delivery.late) {
        let received = decision.at;
        let text = json!({ "received_at": iso(received), "decision": said(decision) }).to_string();
        lines.push(Line {
            received,
            created: received,
            text,
            kind: "decision".to_owned(),
        });
    }
    lines.sort_by_key(|l| l.received);
    lines
}

/// A decision as a history holds it.
fn said(decision: &Decision) -> Value {
    let until = |days: u16| iso(decision.at + i64::from(days) * DAY);
    let mut said = match decision.word {
        Word::Grant { days: 0 } => json!({ "kind": "grant" }),
        Word::Grant { days } => json!({ "kind": "grant", "until": until(days) }),
        Word::Extend { days } => json!({ "kind": "extend", "until": until(days) }),
        Word::Exempt { days } => json!({ "kind": "exempt", "until": until(days) }),
        Word::Revoke => json!({ "kind": "revoke" }),
        Word::Keep => json!({ "kind": "keep" }),
    };
    said["machine"] = decision.about.as_str().into();
    said["author"] = "op".into();
    said["reason"] = "made up".into();
    said
}

fn wait(dice: &mut SmallRng, late: bool) -> i64 {
    if late && dice.random_range(0..100) < 20 {
        dice.random_range(MINUTE..LATEST)
    } else {
        dice.random_range(0..20)
    }
}

/// The first instant from one on at which everything that happened was received.
pub(crate) fn settled(lines: &[Line], at: Time) -> Time {
    let mut at = at;
    loop {
        let waits = lines
            .iter()
            .filter(|l| l.created <= at && l.received > at)
            .map(|l| l.received)
            .max();
        match waits {
            Some(later) => at = later,
            None => return at,
        }
    }
}

/// Events come so late at most.
const LATEST: i64 = 3 * DAY;

/// The instant of a look: so many hours after an event, when everything is known, and while the shop is still open.
pub(crate) fn look(stripe: &Stripe, lines: &[Line], look: (u16, u16)) -> Time {
    let event = &stripe.events[usize::from(look.0) % stripe.events.len().max(1)];
    let at = event.created + i64::from(look.1) * HOUR + 20 * MINUTE;
    settled(lines, at.min(stripe.until - 2 * LATEST))
}
