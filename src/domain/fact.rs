//! Facts: what one event, one person or one look-up says about one payment or subscription, in the provider's time.
//!
//! A fact is normalized over Stripe's API versions and holds nothing that the rules do not need. It comes from
//! `sources` (events), from the operator (decisions) or from a look-up at Stripe, and it is kept for ever.
//! `order.rs` says which comes first.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::decision::Decision;
use super::id::{
    ChargeId, CustomerId, DisputeId, EventId, InvoiceId, ItemId, PaymentIntentId, PriceId, ProductId, RefundId,
    SessionId, SubscriptionId,
};
use super::time::{Span, Timestamp};

/// One thing that somebody said, with when it was so and when we heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fact {
    /// The event's id: alone it decides what is a duplicate.
    #[n(0)]
    pub id: EventId,
    /// The event's type as the provider wrote it, or `decision.grant`, `lookup.line_items` …
    #[n(1)]
    pub kind: String,
    /// When it was so: the event's `created`.
    #[n(2)]
    pub at: Timestamp,
    /// When it reached us. It decides only what was known when, never what is true.
    #[n(3)]
    pub received: Timestamp,
    /// What it says.
    #[n(4)]
    pub says: Says,
    /// For snapshots of one object within one second: how they hang together.
    #[n(5)]
    pub chain: Option<Chain>,
}

/// What a snapshot shows of its object now, and what the object showed before, as digests by field.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Chain {
    /// The object's id.
    #[n(0)]
    pub object: String,
    /// Field and digest of its value in this snapshot.
    #[n(1)]
    pub now: BTreeMap<u8, u32>,
    /// Field and digest of its value before, from `previous_attributes`.
    #[n(2)]
    pub before: BTreeMap<u8, u32>,
}

/// What a fact says. One variant per kind of object that the rules read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Says {
    /// A Checkout session.
    #[n(0)]
    Session(#[n(0)] Box<Session>),
    /// A snapshot of a subscription.
    #[n(1)]
    Subscription(#[n(0)] Box<Subscription>),
    /// An invoice.
    #[n(2)]
    Invoice(#[n(0)] Box<Invoice>),
    /// A link between an invoice and its payment.
    #[n(3)]
    Payment(#[n(0)] Payment),
    /// A charge, with what was refunded of it.
    #[n(4)]
    Charge(#[n(0)] Charge),
    /// One refund.
    #[n(5)]
    Refund(#[n(0)] Refund),
    /// A dispute.
    #[n(6)]
    Dispute(#[n(0)] Dispute),
    /// An early fraud warning: told to the operator, changes nothing.
    #[n(7)]
    FraudWarning(#[n(0)] FraudWarning),
    /// What a person decided.
    #[n(8)]
    Decision(#[n(0)] Box<Decision>),
    /// What a look-up said the session sold.
    #[n(9)]
    LineItems(#[n(0)] LineItems),
}

/// The life of a Checkout session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SessionEvent {
    /// The buyer finished.
    #[n(0)]
    Completed,
    /// A delayed payment arrived.
    #[n(1)]
    AsyncSucceeded,
    /// A delayed payment failed.
    #[n(2)]
    AsyncFailed,
    /// Nobody paid in time.
    #[n(3)]
    Expired,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SessionMode {
    /// A one-time payment.
    #[n(0)]
    Payment,
    /// The start of a subscription.
    #[n(1)]
    Subscription,
    /// Only a payment method is stored.
    #[n(2)]
    Setup,
}

/// A session's `payment_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PaymentStatus {
    /// Paid.
    #[n(0)]
    Paid,
    /// Free: nothing to pay.
    #[n(1)]
    NoPaymentRequired,
    /// Not yet.
    #[n(2)]
    Unpaid,
}

/// A Checkout session, as an event of it shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// `cs_…`
    #[n(0)]
    pub id: SessionId,
    /// What happened.
    #[n(1)]
    pub event: SessionEvent,
    /// What it is for.
    #[n(2)]
    pub mode: SessionMode,
    /// Whether it is paid.
    #[n(3)]
    pub payment_status: PaymentStatus,
    /// Who bought; `None` for guests.
    #[n(4)]
    pub customer: Option<CustomerId>,
    /// The address: what the buyer typed, else what the vendor prefilled.
    #[n(5)]
    pub email: Option<String>,
    /// The buyer's name.
    #[n(6)]
    pub name: Option<String>,
    /// The payment; `None` for free orders and subscriptions.
    #[n(7)]
    pub payment_intent: Option<PaymentIntentId>,
    /// The subscription that it started.
    #[n(8)]
    pub subscription: Option<SubscriptionId>,
    /// The invoice made for it (`invoice_creation`, or a subscription's first).
    #[n(9)]
    pub invoice: Option<InvoiceId>,
    /// What it asks Keyward for.
    #[n(10)]
    pub wants: Wants,
    /// The checkout's language, `None` for `auto`.
    #[n(11)]
    pub locale: Option<String>,
    /// Total in minor units.
    #[n(12)]
    pub amount: Option<i64>,
    /// Currency, lower case.
    #[n(13)]
    pub currency: Option<String>,
    /// Line items, where an expanded object carried them.
    #[n(14)]
    pub line_items: Vec<Bought>,
}

/// The metadata that Keyward reads, from the guide's keys and our own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Wants {
    /// `authforge_app_id`: which application the license is for.
    #[n(0)]
    pub app_id: Option<String>,
    /// `license_duration`: days of 86,400 s from the payment; absent means for life.
    #[n(1)]
    pub duration: Option<Span>,
    /// `max_hwid_slots`: devices.
    #[n(2)]
    pub devices: Option<u32>,
    /// `plan`: the name of a configured plan.
    #[n(3)]
    pub plan: Option<String>,
    /// `keyward_deliver_to`: who gets the key instead of the buyer.
    #[n(4)]
    pub deliver_to: Option<String>,
    /// Keys above whose value could not be read, told to the operator.
    #[n(5)]
    pub unreadable: Vec<String>,
}

impl Wants {
    /// Whether it asks for nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One line of what was bought in a one-time purchase.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bought {
    /// The line's own id, where known.
    #[n(0)]
    pub line: Option<String>,
    /// Its price.
    #[n(1)]
    pub price: Priced,
    /// How many.
    #[n(2)]
    pub quantity: u32,
}

/// What names a price: its id, lookup key and product.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Priced {
    /// `price_…`, or an old plan's id.
    #[n(0)]
    pub id: Option<PriceId>,
    /// The lookup key.
    #[n(1)]
    pub lookup_key: Option<String>,
    /// `prod_…`
    #[n(2)]
    pub product: Option<ProductId>,
}

/// What a look-up said that a session sold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LineItems {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// Its lines.
    #[n(1)]
    pub lines: Vec<Bought>,
}

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

/// The life of an invoice, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum InvoiceEvent {
    /// Paid, by whatever way.
    #[n(0)]
    Paid,
    /// An attempt to collect it failed.
    #[n(1)]
    PaymentFailed,
    /// The customer must act (3-D Secure).
    #[n(2)]
    ActionRequired,
    /// Draft to open.
    #[n(3)]
    Finalized,
    /// It could not be finalized.
    #[n(4)]
    FinalizationFailed,
    /// Voided: will never be collected.
    #[n(5)]
    Voided,
    /// Written off.
    #[n(6)]
    Uncollectible,
    /// A sent invoice is late.
    #[n(7)]
    Overdue,
    /// Something else of it changed.
    #[n(8)]
    Updated,
}

/// An invoice, as an event of it shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Invoice {
    /// `in_…`
    #[n(0)]
    pub id: InvoiceId,
    /// What happened.
    #[n(1)]
    pub event: InvoiceEvent,
    /// The subscription that it bills.
    #[n(2)]
    pub subscription: Option<SubscriptionId>,
    /// Who pays.
    #[n(3)]
    pub customer: Option<CustomerId>,
    /// The customer's address when it was finalized.
    #[n(4)]
    pub email: Option<String>,
    /// The customer's name.
    #[n(5)]
    pub name: Option<String>,
    /// Whether the object itself says that it is paid.
    #[n(6)]
    pub paid: bool,
    /// When it was paid.
    #[n(7)]
    pub paid_at: Option<Timestamp>,
    /// Why it was made.
    #[n(8)]
    pub reason: BillingReason,
    /// Its lines.
    #[n(9)]
    pub lines: Vec<Line>,
    /// Total in minor units; negative for a credit.
    #[n(10)]
    pub total: i64,
    /// Still or formerly due, in minor units.
    #[n(11)]
    pub amount_due: i64,
    /// Currency, lower case.
    #[n(12)]
    pub currency: String,
    /// When Stripe tries next; `None`: not planned.
    #[n(13)]
    pub next_attempt: Option<Timestamp>,
    /// The page where the customer can pay.
    #[n(14)]
    pub hosted_url: Option<String>,
    /// When a sent invoice is due.
    #[n(15)]
    pub due: Option<Timestamp>,
    /// Whether it is sent to the customer instead of charged.
    #[n(16)]
    pub send_invoice: bool,
    /// Its payment, in versions before basil.
    #[n(17)]
    pub payment_intent: Option<PaymentIntentId>,
    /// Its charge, in versions before basil.
    #[n(18)]
    pub charge: Option<ChargeId>,
    /// What its metadata (or its subscription's snapshot in it) asks for.
    #[n(19)]
    pub wants: Wants,
    /// When the invoice object was made.
    #[n(20)]
    pub created: Option<Timestamp>,
    /// Whether it is a draft.
    #[n(21)]
    pub draft: bool,
}

/// An invoice's `billing_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BillingReason {
    /// The subscription's first.
    #[n(0)]
    Create,
    /// A renewal.
    #[n(1)]
    Cycle,
    /// A change in mid period.
    #[n(2)]
    Update,
    /// By hand or for a session.
    #[n(3)]
    Manual,
    /// Not told, or another reason.
    #[n(4)]
    Other,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Line {
    /// The subscription item that it bills, where told.
    #[n(0)]
    pub item: Option<ItemId>,
    /// Its price.
    #[n(1)]
    pub price: Priced,
    /// Start of the time that it covers.
    #[n(2)]
    pub start: Timestamp,
    /// End of the time that it covers.
    #[n(3)]
    pub end: Timestamp,
    /// Minor units; negative gives time back.
    #[n(4)]
    pub amount: i64,
    /// Whether it is a proration.
    #[n(5)]
    pub proration: bool,
    /// How many.
    #[n(6)]
    pub quantity: Option<u32>,
    /// Whether it bills a subscription (else a one-off item).
    #[n(7)]
    pub of_subscription: bool,
    /// The line's own id.
    #[n(8)]
    pub id: Option<String>,
}

/// A link between an invoice and what paid it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Payment {
    /// The invoice.
    #[n(0)]
    pub invoice: Option<InvoiceId>,
    /// The payment.
    #[n(1)]
    pub payment_intent: Option<PaymentIntentId>,
    /// The charge.
    #[n(2)]
    pub charge: Option<ChargeId>,
}

/// A charge: how much, how much of it went back, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Charge {
    /// `ch_…`
    #[n(0)]
    pub id: ChargeId,
    /// Its payment intent.
    #[n(1)]
    pub payment_intent: Option<PaymentIntentId>,
    /// Its invoice, before basil.
    #[n(2)]
    pub invoice: Option<InvoiceId>,
    /// Who paid.
    #[n(3)]
    pub customer: Option<CustomerId>,
    /// Minor units that were charged (captured).
    #[n(4)]
    pub amount: i64,
    /// Minor units that went back, cumulative.
    #[n(5)]
    pub amount_refunded: i64,
    /// Whether all of it went back.
    #[n(6)]
    pub refunded: bool,
    /// The single refunds where the object lists them (before 2022-11-15).
    #[n(7)]
    pub refunds: Vec<Refund>,
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refund {
    /// `re_…`
    #[n(0)]
    pub id: RefundId,
    /// The charge that it gives back.
    #[n(1)]
    pub charge: Option<ChargeId>,
    /// The payment that it gives back.
    #[n(2)]
    pub payment_intent: Option<PaymentIntentId>,
    /// Minor units.
    #[n(3)]
    pub amount: i64,
    /// Whether the money goes back: false for failed and canceled ones.
    #[n(4)]
    pub stands: bool,
    /// When it was made.
    #[n(5)]
    pub created: Option<Timestamp>,
}

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DisputeStatus {
    /// `warning_needs_response`, `warning_under_review`: an inquiry, no money moved.
    #[n(0)]
    Inquiry,
    /// `warning_closed`
    #[n(1)]
    InquiryClosed,
    /// `needs_response`, `under_review`
    #[n(2)]
    Open,
    /// `won`
    #[n(3)]
    Won,
    /// `lost`
    #[n(4)]
    Lost,
    /// `prevented`: settled before it became a chargeback.
    #[n(5)]
    Prevented,
    /// A status that we do not know: it says nothing.
    #[n(6)]
    Unknown,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dispute {
    /// `dp_…`
    #[n(0)]
    pub id: DisputeId,
    /// The disputed charge.
    #[n(1)]
    pub charge: Option<ChargeId>,
    /// The disputed payment.
    #[n(2)]
    pub payment_intent: Option<PaymentIntentId>,
    /// Where it stands.
    #[n(3)]
    pub status: DisputeStatus,
    /// Minor units.
    #[n(4)]
    pub amount: i64,
    /// Currency, lower case.
    #[n(5)]
    pub currency: String,
}

/// An early fraud warning.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FraudWarning {
    /// The charge.
    #[n(0)]
    pub charge: Option<ChargeId>,
    /// The payment.
    #[n(1)]
    pub payment_intent: Option<PaymentIntentId>,
}

/// Something a fact names that tells which machine it belongs to, or links two names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A Checkout session.
    Session(SessionId),
    /// A subscription.
    Subscription(SubscriptionId),
    /// An invoice.
    Invoice(InvoiceId),
    /// A payment intent.
    PaymentIntent(PaymentIntentId),
    /// A charge.
    Charge(ChargeId),
}

impl Name {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Session(id) => id.as_str(),
            Self::Subscription(id) => id.as_str(),
            Self::Invoice(id) => id.as_str(),
            Self::PaymentIntent(id) => id.as_str(),
            Self::Charge(id) => id.as_str(),
        }
    }
}

impl Fact {
    /// The invoice that it shows.
    #[must_use]
    pub fn invoice(&self) -> Option<&Invoice> {
        if let Says::Invoice(invoice) = &self.says { Some(invoice) } else { None }
    }

    /// What a person decided.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        if let Says::Decision(decision) = &self.says { Some(decision) } else { None }
    }

    /// Everything that the fact names, most telling first: what belongs to one machine is linked through these.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        match &self.says {
            Says::Session(s) => {
                names.extend(s.subscription.clone().map(Name::Subscription));
                names.push(Name::Session(s.id.clone()));
                names.extend(s.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(s.invoice.clone().map(Name::Invoice));
            }
            Says::Subscription(s) => {
                names.push(Name::Subscription(s.id.clone()));
                names.extend(s.latest_invoice.clone().map(Name::Invoice));
            }
            Says::Invoice(i) => {
                names.extend(i.subscription.clone().map(Name::Subscription));
                names.push(Name::Invoice(i.id.clone()));
                names.extend(i.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(i.charge.clone().map(Name::Charge));
            }
            Says::Payment(p) => {
                names.extend(p.invoice.clone().map(Name::Invoice));
                names.extend(p.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(p.charge.clone().map(Name::Charge));
            }
            Says::Charge(c) => {
                names.extend(c.payment_intent.clone().map(Name::PaymentIntent));
                names.push(Name::Charge(c.id.clone()));
                names.extend(c.invoice.clone().map(Name::Invoice));
            }
            Says::Refund(r) => {
                names.extend(r.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(r.charge.clone().map(Name::Charge));
            }
            Says::Dispute(d) => {
                names.extend(d.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(d.charge.clone().map(Name::Charge));
            }
            Says::FraudWarning(w) => {
                names.extend(w.payment_intent.clone().map(Name::PaymentIntent));
                names.extend(w.charge.clone().map(Name::Charge));
            }
            Says::LineItems(l) => names.push(Name::Session(l.session.clone())),
            Says::Decision(_) => {}
        }
        names
    }
}
