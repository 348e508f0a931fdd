//! What a purchase comes to, in one status for people: from what should be and what is. `keyward show` and the lists use the
//! same; the success page and the portal that of its customer.

use super::action::{Action, ActionOutcome};
use super::entitlement::{Entitlement, LOOKUP_TAKES, SeatDue, Why};
use super::explain::{Rest, end_of};
use super::hold::Hold;
use super::lifecycle::payment::PaymentState as Payment;
use super::lifecycle::subscription::SubscriptionState as Subscription;
use super::lifecycle::{Folded, State};
use super::machine::{Grant, Machine};
use super::time::{Span, Timestamp};
use crate::domain::status::PurchaseStatus;

/// The events of one purchase come within so long of each other, on any day when nobody is down.
const EVENTS_TAKE: Span = Span::from_minutes(1);

/// What a purchase comes to at an instant, from its fold and from what should be.
#[must_use]
pub fn status(
    machine: &Machine,
    folded: &Folded,
    should: &Entitlement,
    now: Timestamp,
) -> PurchaseStatus {
    let due = should.seats.iter().filter(|s| s.want.live_at(now)).count();
    // rule 55: a purchase that extends another's licenses has them there.
    let elsewhere = |s: &SeatDue| machine.extends().any(|e| e.is_of(s));
    let extends = should.seats.iter().filter(|s| s.want.live_at(now));
    let extends = extends.filter(|s| elsewhere(s)).count();
    let live = extends
        + machine
            .grants
            .iter()
            .filter(|g| g.can_be_mailed() && g.live_at(now))
            .count();
    let why = |wanted: Why| should.seats.iter().any(|s| s.why == wanted);
    if due > 0 {
        return match live {
            0 if stuck(machine, now) => PurchaseStatus::Delayed,
            0 => PurchaseStatus::Preparing,
            n if n < due => PurchaseStatus::Partial,
            _ if folded.state == Some(State::Subscription(Subscription::Grace)) => {
                PurchaseStatus::Grace
            }
            _ if why(Why::Ending) => PurchaseStatus::Ending,
            _ => PurchaseStatus::Live,
        };
    }
    if folded.decided.revoked {
        return PurchaseStatus::Revoked;
    }
    // What takes away more goes first.
    let reasons = [
        Why::DisputeLost,
        Why::Refunded,
        Why::Disputed,
        Why::Lapsed,
        Why::Paused,
    ];
    if let Some(status) = reasons
        .into_iter()
        .filter(|reason| why(*reason))
        .find_map(Why::status)
    {
        return status;
    }
    let status = by_state(folded.state, should, live > 0);
    if status == PurchaseStatus::Nothing && is_news(machine, folded, now) {
        PurchaseStatus::Preparing
    } else {
        status
    }
}

/// What its customer is shown of it: the same, but for licenses that work though they should not, and whose end nobody
/// carries out: it is held or refused, or a person gave it up. Those work, and whoever has one hears nothing else.
#[must_use]
pub fn customer_status(
    machine: &Machine,
    folded: &Folded,
    should: &Entitlement,
    now: Timestamp,
) -> PurchaseStatus {
    let status = status(machine, folded, should, now);
    let is_due = should.seats.iter().any(|s| s.want.live_at(now));
    let goes_on = |g: &Grant| {
        let stays = match end_of(machine, g, now) {
            Some(Rest::SellerKnows | Rest::Paused | Rest::GivenUp) => true,
            Some(Rest::OnItsWay) | None => false,
        };
        g.can_be_mailed() && g.live_at(now) && stays
    };
    if is_due || !machine.grants.iter().any(goes_on) {
        return status;
    }
    if status == PurchaseStatus::Lapsed {
        PurchaseStatus::Grace
    } else {
        PurchaseStatus::Live
    }
}

fn by_state(state: Option<State>, should: &Entitlement, live: bool) -> PurchaseStatus {
    match state {
        // Nothing should be, but something is: what is counts for the customer.
        _ if live => PurchaseStatus::Live,
        None => PurchaseStatus::OnItsWay,
        Some(
            State::Payment(Payment::AwaitingPayment)
            | State::Subscription(Subscription::Incomplete),
        ) => PurchaseStatus::AwaitingPayment,
        Some(State::Payment(Payment::Failed)) => PurchaseStatus::Failed,
        Some(
            State::Payment(Payment::Expired) | State::Subscription(Subscription::IncompleteExpired),
        ) => PurchaseStatus::Expired,
        Some(State::Payment(Payment::Refunded)) => PurchaseStatus::Refunded,
        Some(State::Subscription(Subscription::Trialing)) => PurchaseStatus::Trial,
        Some(State::Subscription(Subscription::Ended)) => PurchaseStatus::Ended,
        Some(
            State::Payment(Payment::Paid | Payment::PartlyRefunded)
            | State::Subscription(Subscription::Active | Subscription::Grace | Subscription::Lapsed),
        ) if should.seats.is_empty() => PurchaseStatus::Nothing,
        // Called active before its invoice is known to be paid.
        Some(State::Subscription(_)) if should.seats.iter().all(|s| s.why == Why::NotPaid) => {
            PurchaseStatus::OnItsWay
        }
        Some(State::Payment(_) | State::Subscription(_)) => PurchaseStatus::Ended,
    }
}

/// Whether what was bought may still be learned: the provider is being asked, or an event that names it may be on its way.
fn is_news(machine: &Machine, folded: &Folded, now: Timestamp) -> bool {
    let is_asked = machine
        .actions
        .iter()
        .any(|a| a.is_open() && a.act.question().is_some());
    let wait = if is_asked { LOOKUP_TAKES } else { EVENTS_TAKE };
    folded.transitions.last().is_some_and(|t| now - t.at < wait)
}

/// Whether a key is late only because the seller has paused what goes out, or observes: nobody is told of it then.
#[must_use]
pub fn is_paused(machine: &Machine) -> bool {
    let mut creates = machine.actions.iter().filter(|a| {
        a.act.creates() && !matches!(a.outcome, ActionOutcome::Done | ActionOutcome::Superseded)
    });
    let paused = |a: &Action| {
        a.outcome == ActionOutcome::Held
            && matches!(a.held, Some(Hold::Paused { .. } | Hold::Observed))
    };
    machine.held.is_none() && creates.clone().next().is_some() && creates.all(paused)
}

/// Whether somebody must look at it before a key can come.
fn stuck(machine: &Machine, now: Timestamp) -> bool {
    let is_stuck = |a: &Action| match a.outcome {
        ActionOutcome::Refused | ActionOutcome::Held | ActionOutcome::Abandoned => true,
        // The seller is told of what refuses us at once, and of a key that is late.
        ActionOutcome::Pending => a.refused.is_some() || a.is_late(now),
        ActionOutcome::Done | ActionOutcome::Superseded => false,
    };
    let mut creates = machine.actions.iter().filter(|a| a.act.creates());
    machine.held.is_some() || creates.any(is_stuck)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::RefusalScope;
    use crate::domain::action::samples::create;
    use crate::domain::id::SourceName;
    use crate::domain::lifecycle::Kind;

    /// The customer is told of a delay when the seller is.
    #[test]
    fn a_key_is_delayed_when_the_service_refuses_us_or_is_gone_for_long() {
        let now = Timestamp::from_s(1_767_607_200);
        let stuck_with = |minutes_ago, refused| {
            let id = "stripe/cs_1".parse().unwrap();
            let mut machine =
                Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true));
            let mut create = create("si_1", 1, now - Span::from_minutes(minutes_ago));
            create.refused = refused;
            machine.actions.push(create);
            stuck(&machine, now)
        };
        assert!(!stuck_with(14, None), "it is being made");
        assert!(stuck_with(15, None), "the service is down");
        assert!(stuck_with(0, Some(RefusalScope::Service)), "401, 402");
        assert!(stuck_with(0, Some(RefusalScope::Access)), "403");
    }
}
