//! What a purchase comes to, in one status for people: from what should be and what is. The success page, `keyward show` and
//! the lists use the same.

use std::fmt;

use super::action::ActionOutcome;
use super::entitlement::{Entitlement, LOOKUP_TAKES, Why};
use super::lifecycle::payment::PaymentState as Payment;
use super::lifecycle::subscription::SubscriptionState as Subscription;
use super::lifecycle::{Folded, State};
use super::machine::Machine;
use super::time::Timestamp;

/// What a purchase comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseStatus {
    /// Whether it is paid is not known yet.
    OnItsWay,
    /// The money has not arrived yet.
    AwaitingPayment,
    /// A license is being made.
    Preparing,
    /// A license cannot be made until somebody looks at it.
    Delayed,
    /// Some licenses work, others are being made.
    Partial,
    /// Every license works that should.
    Live,
    /// They work, though a renewal failed.
    Grace,
    /// They work until the subscription's end, which is known.
    Ending,
    /// A trial without a license.
    Trial,
    /// A grace is over.
    Lapsed,
    /// The subscription is paused.
    Paused,
    /// A payment is disputed.
    Disputed,
    /// A dispute was lost.
    DisputeLost,
    /// The money went back.
    Refunded,
    /// A person ended its licenses.
    Revoked,
    /// What was paid for is over.
    Ended,
    /// The payment failed.
    Failed,
    /// It was not paid in time.
    Expired,
    /// It sells no license.
    Nothing,
}

impl fmt::Display for PurchaseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PurchaseStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnItsWay => "on_its_way",
            Self::AwaitingPayment => "awaiting_payment",
            Self::Preparing => "preparing",
            Self::Delayed => "delayed",
            Self::Partial => "partial",
            Self::Live => "live",
            Self::Grace => "grace",
            Self::Ending => "ending",
            Self::Trial => "trial",
            Self::Lapsed => "lapsed",
            Self::Paused => "paused",
            Self::Disputed => "disputed",
            Self::DisputeLost => "dispute_lost",
            Self::Refunded => "refunded",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Nothing => "nothing",
        }
    }

    /// Whether the customer is shown the keys that are there.
    #[must_use]
    pub const fn shows_keys(self) -> bool {
        match self {
            Self::Live
            | Self::Partial
            | Self::Grace
            | Self::Ending
            | Self::Lapsed
            | Self::Paused
            | Self::Disputed
            | Self::Ended => true,
            Self::OnItsWay
            | Self::AwaitingPayment
            | Self::Preparing
            | Self::Delayed
            | Self::Trial
            | Self::Refunded
            | Self::Revoked
            | Self::DisputeLost
            | Self::Failed
            | Self::Expired
            | Self::Nothing => false,
        }
    }
}

/// What a purchase comes to at an instant, from its fold and from what should be.
#[must_use]
pub fn status(
    machine: &Machine,
    folded: &Folded,
    should: &Entitlement,
    now: Timestamp,
) -> PurchaseStatus {
    let due = should.seats.iter().filter(|s| s.want.live_at(now)).count();
    let live = machine
        .grants
        .iter()
        .filter(|g| g.can_be_mailed() && g.live_at(now))
        .count();
    let why = |wanted: Why| should.seats.iter().any(|s| s.why == wanted);
    if due > 0 {
        return match live {
            0 if stuck(machine) => PurchaseStatus::Delayed,
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
    if status == PurchaseStatus::Nothing && is_news(folded, now) {
        PurchaseStatus::Preparing
    } else {
        status
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

/// Whether it happened so lately that what was bought may still be looked up at the provider.
fn is_news(folded: &Folded, now: Timestamp) -> bool {
    folded
        .transitions
        .last()
        .is_some_and(|t| now - t.at < LOOKUP_TAKES)
}

/// Whether somebody must look at it before a key can come.
fn stuck(machine: &Machine) -> bool {
    let refused = |o: ActionOutcome| {
        matches!(
            o,
            ActionOutcome::Refused | ActionOutcome::Held | ActionOutcome::Abandoned
        )
    };
    machine.held.is_some()
        || machine
            .actions
            .iter()
            .any(|a| a.act.creates() && refused(a.outcome))
}
