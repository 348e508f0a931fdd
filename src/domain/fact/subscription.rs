//! What a snapshot of a subscription says.

use minicbor::{Decode, Encode};

use super::session::{Priced, Wants};
use crate::domain::id::{CustomerId, InvoiceId, ItemId, SubscriptionId};
use crate::domain::time::Timestamp;

/// Which event of a subscription a snapshot came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SubscriptionEvent {
    /// It was made.
    #[n(0)]
    Created,
    /// Something changed (also paused, resumed, pending updates).
    #[n(1)]
    Updated,
    /// It ended.
    #[n(2)]
    Deleted,
    /// Its trial ends soon.
    #[n(3)]
    TrialWillEnd,
}

/// A subscription's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SubscriptionStatus {
    /// First payment not made yet.
    #[n(0)]
    Incomplete,
    /// First payment never made.
    #[n(1)]
    IncompleteExpired,
    /// In its trial.
    #[n(2)]
    Trialing,
    /// Running; that does not mean paid.
    #[n(3)]
    Active,
    /// A payment is late.
    #[n(4)]
    PastDue,
    /// Stripe gave up collecting; it still exists.
    #[n(5)]
    Unpaid,
    /// Paused.
    #[n(6)]
    Paused,
    /// Ended.
    #[n(7)]
    Canceled,
    /// A status that we do not know: it says nothing.
    #[n(8)]
    Unknown,
}

/// Why a subscription has the status `paused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PauseReason {
    /// A person asked for it.
    #[n(0)]
    Requested,
    /// The trial ended without a payment method.
    #[n(1)]
    TrialEnd,
    /// A payment failed (the first try or the last).
    #[n(2)]
    PaymentFailed,
}

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EndReason {
    /// The customer or the vendor wanted it.
    #[n(0)]
    Requested,
    /// Stripe gave up collecting.
    #[n(1)]
    PaymentFailed,
    /// A payment was disputed.
    #[n(2)]
    PaymentDisputed,
}

/// A snapshot of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Subscription {
    /// `sub_…`
    #[n(0)]
    pub id: SubscriptionId,
    /// What happened.
    #[n(1)]
    pub event: SubscriptionEvent,
    /// Its status.
    #[n(2)]
    pub status: SubscriptionStatus,
    /// Whose it is.
    #[n(3)]
    pub customer: Option<CustomerId>,
    /// Its items; empty only where the snapshot showed none.
    #[n(4)]
    pub items: Vec<Item>,
    /// What its metadata asks for.
    #[n(5)]
    pub wants: Wants,
    /// End of the trial.
    #[n(6)]
    pub trial_end: Option<Timestamp>,
    /// `cancel_at_period_end`
    #[n(7)]
    pub cancel_at_period_end: bool,
    /// `cancel_at`
    #[n(8)]
    pub cancel_at: Option<Timestamp>,
    /// `ended_at`
    #[n(9)]
    pub ended_at: Option<Timestamp>,
    /// Why it ended, where Stripe says so.
    #[n(10)]
    pub end_reason: Option<EndReason>,
    /// Whether `pause_collection` is set.
    #[n(11)]
    pub collection_paused: bool,
    /// Why the status is `paused`.
    #[n(12)]
    pub pause_reason: Option<PauseReason>,
    /// Whether it is paid by sent invoices.
    #[n(13)]
    pub send_invoice: bool,
    /// Its newest invoice.
    #[n(14)]
    pub latest_invoice: Option<InvoiceId>,
    /// When it began.
    #[n(15)]
    pub began: Option<Timestamp>,
    /// The status before, if this event changed it.
    #[n(16)]
    pub previous_status: Option<SubscriptionStatus>,
    /// Whether `items` are all that it has; a list can be cut (`has_more`).
    #[n(17)]
    pub items_whole: bool,
    /// When the object was made; a backdated one began earlier.
    #[n(18)]
    pub created: Option<Timestamp>,
}

impl Subscription {
    /// Whether this event ended a time of late payment.
    #[must_use]
    pub fn was_late(&self) -> bool {
        matches!(
            self.previous_status,
            Some(SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid)
        )
    }
}

/// All items of a subscription, as a query found them. They are those of its newest snapshot that is not later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SubscriptionItems {
    /// The subscription.
    #[n(0)]
    pub subscription: SubscriptionId,
    /// Its items.
    #[n(1)]
    pub items: Vec<Item>,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// `si_…`; absent in 2015 and 2016.
    #[n(0)]
    pub id: Option<ItemId>,
    /// Its price.
    #[n(1)]
    pub price: Priced,
    /// How many; `None` for metered items.
    #[n(2)]
    pub quantity: Option<u32>,
    /// Start of its running period.
    #[n(3)]
    pub period_start: Option<Timestamp>,
    /// End of its running period.
    #[n(4)]
    pub period_end: Option<Timestamp>,
    /// Whether it is billed by use.
    #[n(5)]
    pub metered: bool,
}
