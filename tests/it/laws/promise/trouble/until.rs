//! Up to when what a trouble did is compared.

use keyward::domain::decision::Verb;
use keyward::domain::fact::{FactBody, InvoiceEvent, Subscription, SubscriptionStatus};
use keyward::domain::time::Timestamp;
use keyward::engine::input::{EventPayload, Input};
use keyward::sim::history::Line;

use super::What;

/// The comparison ends with what the trouble may change by right: what the customer does after an edit is judged by it, and
/// what a person decided in a time that was lost is lost.
pub(super) fn judged_until(
    what: What,
    lines: &[Line],
    before: usize,
    (copied, at): (Timestamp, Timestamp),
    (until, keeps): (Timestamp, bool),
) -> Timestamp {
    let decided = |l: &&Line| matches!(&l.input, Input::Decision { decision, .. } if decision.verb != Verb::Revoke);
    match what {
        What::Edited(_) => {
            let hurts = lines[before..]
                .iter()
                .find(|l| !only_pays(l, &lines[..before]));
            let hurts = hurts.map_or(until, |l| created(l).min(l.received));
            // A sent invoice falls overdue without a word: the grace that begins then is the new policy's.
            let falls_due = lines.iter().filter_map(due).filter(|due| *due > at);
            falls_due.min().map_or(hurts, |due| due.min(hurts))
        }
        What::PutBack { .. } => {
            let lost = lines[..before].iter().filter(|l| l.received > copied);
            let lost = lost.filter(decided).count();
            if lost == 0 { until } else { at }
        }
        What::Late { told: false } | What::Adopted { .. } => {
            let lost = lines[..before].iter().filter(decided).count();
            // Who cancels pays no more. That `on_cancel = keep` makes the license one for life needs a payment that is known.
            let cancelled = |l: &&Line| snapshot(l).is_some_and(|s| s.ended_at.is_some());
            let gone = lines[before..].iter().find(cancelled).filter(|_| keeps);
            let until = gone.map_or(until, |l| created(l).min(l.received));
            if lost == 0 { until } else { at }
        }
        What::Jumped { .. }
        | What::Down
        | What::Late { told: true }
        | What::NewBinary
        | What::Lies(_) => until,
    }
}

/// When a sent invoice is due.
fn due(line: &Line) -> Option<Timestamp> {
    let Input::Delivery(delivery) = &line.input else {
        return None;
    };
    let EventPayload::Fact(fact) = &delivery.payload else {
        return None;
    };
    fact.invoice().filter(|i| i.send_invoice)?.due
}

fn created(line: &Line) -> Timestamp {
    if let Input::Delivery(delivery) = &line.input {
        delivery.created
    } else {
        line.received
    }
}

/// Whether a line says no more than that somebody pays for what he has.
fn only_pays(line: &Line, before: &[Line]) -> bool {
    let Input::Delivery(delivery) = &line.input else {
        return false;
    };
    let EventPayload::Fact(fact) = &delivery.payload else {
        return true;
    };
    match &fact.body {
        FactBody::Invoice(i) => matches!(i.event, InvoiceEvent::Paid | InvoiceEvent::Finalized),
        FactBody::Payment(_) => true,
        FactBody::Charge(charge) => charge.amount_refunded == 0,
        FactBody::Subscription(now) => {
            let of = |l: &Line| snapshot(l).filter(|s| s.id == now.id).cloned();
            let was = before.iter().filter_map(of).next_back();
            // One that is deleted, be it after a pause, ends by what the new policy says of that.
            now.ended_at.is_none() && was.is_some_and(|was| shape(&was) == shape(now))
        }
        FactBody::Session(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_) => false,
    }
}

fn snapshot(line: &Line) -> Option<&Subscription> {
    let Input::Delivery(delivery) = &line.input else {
        return None;
    };
    let EventPayload::Fact(fact) = &delivery.payload else {
        return None;
    };
    fact.subscription()
}

/// What of a subscription must stay as it was.
fn shape(s: &Subscription) -> impl PartialEq + use<> {
    let items: Vec<_> = s
        .items
        .iter()
        .map(|i| (i.price.clone(), i.quantity))
        .collect();
    let calm = matches!(
        s.status,
        SubscriptionStatus::Active | SubscriptionStatus::Trialing
    );
    (
        calm,
        s.status == SubscriptionStatus::Trialing,
        items,
        s.cancel_at_period_end,
        s.cancel_at,
        s.collection_paused,
        s.trial_end,
    )
}
