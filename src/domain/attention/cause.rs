//! The causes for which something waits.

use minicbor::{Decode, Encode};

use crate::domain::finding::Finding;

/// The causes: what alerts are gathered by, and what programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum AttentionCause {
    #[n(0)]
    RefusedAction,
    #[n(1)]
    HeldAction,
    #[n(2)]
    PaidWithoutKey,
    #[n(3)]
    NoAddress,
    #[n(4)]
    Undeliverable,
    /// A license differs from what should be, by another hand.
    #[n(5)]
    Drift,
    /// Something was sold that the config does not know.
    #[n(6)]
    UnknownPrice,
    /// Another finding about a purchase.
    #[n(7)]
    Finding,
    #[n(8)]
    MachineHeld,
    #[n(9)]
    Parked,
    #[n(10)]
    Backfill,
    #[n(11)]
    Service,
    #[n(12)]
    Signatures,
    #[n(13)]
    Silent,
    #[n(14)]
    Endpoint,
    #[n(15)]
    Backup,
    /// Another program still makes licenses.
    #[n(16)]
    OtherHandler,
    /// Stripe, the license service and the store differ.
    #[n(17)]
    Audit,
    /// A store that was restored only observes.
    #[n(18)]
    Restored,
    /// A license service is paused, or a plan or the shop only observed, by order.
    #[n(19)]
    HeldBack,
    /// Nothing can be written.
    #[n(20)]
    Full,
    /// Events came that cannot be read.
    #[n(21)]
    UnreadableEvents,
    /// Events do not arrive by themselves.
    #[n(22)]
    MissedDeliveries,
    /// The clock was set, and nobody has confirmed it.
    #[n(23)]
    Clock,
}

impl AttentionCause {
    /// The code in JSON and in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusedAction => "refused_action",
            Self::HeldAction => "held_action",
            Self::PaidWithoutKey => "paid_without_key",
            Self::NoAddress => "no_address",
            Self::Undeliverable => "undeliverable",
            Self::Drift => "drift",
            Self::UnknownPrice => "unknown_price",
            Self::Finding => "finding",
            Self::MachineHeld => "machine_held",
            Self::Parked => "parked",
            Self::Backfill => "backfill",
            Self::Service => "service",
            Self::Signatures => "signatures",
            Self::Silent => "silent",
            Self::Endpoint => "endpoint",
            Self::Backup => "backup",
            Self::OtherHandler => "other_handler",
            Self::Audit => "audit",
            Self::Restored => "restored",
            Self::HeldBack => "held_back",
            Self::Full => "full",
            Self::UnreadableEvents => "unreadable_events",
            Self::MissedDeliveries => "missed_deliveries",
            Self::Clock => "clock",
        }
    }

    /// What an alert about it is called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::RefusedAction => "work was refused",
            Self::HeldAction => "work is held",
            Self::PaidWithoutKey => "paid, and no key yet",
            Self::NoAddress => "mail without a recipient",
            Self::Undeliverable => "mail that cannot be delivered",
            Self::Drift => "licenses changed by another hand",
            Self::UnknownPrice => "sold, and no plan knows it",
            Self::Finding => "purchases to look at",
            Self::MachineHeld => "purchases that contradict themselves",
            Self::Parked => "events without a purchase",
            Self::Backfill => "Stripe's event list cannot be read",
            Self::Service => "a service does not work",
            Self::Signatures => "signatures do not fit",
            Self::Silent => "Stripe is silent",
            Self::Endpoint => "the webhook endpoint is disabled or gone",
            Self::Backup => "no proven backup",
            Self::OtherHandler => "old handler seen",
            Self::Audit => "the nightly audit found differences",
            Self::Restored => "restored, and not live yet",
            Self::HeldBack => "an order holds work back",
            Self::Full => "no room: nothing is taken",
            Self::UnreadableEvents => "events that cannot be read",
            Self::MissedDeliveries => "events do not arrive by themselves",
            Self::Clock => "the clock jumped",
        }
    }

    /// What the alert is called that says that it is over.
    #[must_use]
    pub const fn title_when_over(self) -> &'static str {
        match self {
            Self::RefusedAction => "no refused work is left",
            Self::HeldAction => "no work is held any more",
            Self::PaidWithoutKey => "every paid purchase has its key",
            Self::NoAddress => "every mail has a recipient",
            Self::Undeliverable => "no undeliverable mail is left",
            Self::Drift => "no license is left that another hand changed",
            Self::UnknownPrice => "no sale is left that no plan knows",
            Self::Finding => "no purchase is left to look at",
            Self::MachineHeld => "no purchase contradicts itself any more",
            Self::Parked => "every event has its purchase",
            Self::Backfill => "Stripe's event list can be read again",
            Self::Service => "a service works again",
            Self::Signatures => "signatures fit again",
            Self::Silent => "events arrive from Stripe again",
            Self::Endpoint => "the webhook endpoint is there and enabled again",
            Self::Backup => "there is a proven backup",
            Self::OtherHandler => "the old handler is off",
            Self::Audit => "the nightly audit finds no difference that nobody noted",
            Self::Restored => "live again after the restore",
            Self::HeldBack => "no order holds work back any more",
            Self::Full => "there is room again",
            Self::UnreadableEvents => "no event is left that cannot be read",
            Self::MissedDeliveries => "events arrive by themselves again",
            Self::Clock => "the clock is trusted again",
        }
    }
}

impl Finding {
    /// What it is to whoever must look at it; `None`: it is news, and nobody needs to do anything.
    #[must_use]
    pub(crate) const fn attention(&self) -> Option<AttentionCause> {
        match self {
            Self::RevokedElsewhere(_) | Self::GivenElsewhere { .. } | Self::OtherLicenses(_) => {
                Some(AttentionCause::Drift)
            }
            Self::NothingToHandOut | Self::UnknownPlan(_) => Some(AttentionCause::UnknownPrice),
            Self::FraudWarning
            | Self::UnreadableMetadata(_)
            | Self::NotPaidAfterAll { .. }
            | Self::FinalizationFailed(_)
            | Self::PaidAfterEnd(_)
            | Self::RefundUnlinked
            | Self::QuantityZero(_)
            | Self::NoPriceNamed { .. }
            | Self::ItemsCut
            | Self::LinesCut(_)
            | Self::LineItemsCut
            | Self::ServedTwice(_)
            | Self::NoInvoiceHeard(_)
            | Self::LateForUnknown
            | Self::UnitsUnknown
            | Self::SoldBeside { .. }
            | Self::NotExtended(_)
            | Self::StillBills(_) => Some(AttentionCause::Finding),
            // What is held is listed as such.
            Self::Held(_) | Self::GuardTripped => None,
            Self::Extends(_) | Self::ExtendedBy(_) => None,
            Self::MovedTo { paid_until, .. } => match paid_until {
                Some(_) => Some(AttentionCause::Finding),
                None => None,
            },
        }
    }
}
