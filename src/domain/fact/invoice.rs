//! What an invoice says, and what paid it.

use minicbor::{Decode, Encode};

use super::session::{Priced, Wants};
use crate::domain::id::{
    ChargeId, CustomerId, InvoiceId, InvoicePaymentId, ItemId, PaymentIntentId, SubscriptionId,
};
use crate::domain::time::Timestamp;

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
    /// A query showed it: whether it is paid, and all its lines.
    #[n(9)]
    Queried,
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
    pub lines: Vec<InvoiceLine>,
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
    /// Whether `lines` are all that it has; a list can be cut (`has_more`).
    #[n(22)]
    pub lines_whole: bool,
    /// Minor units that were paid on it, over all its payments; `None`: not told.
    #[n(23)]
    pub amount_paid: Option<i64>,
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
pub struct InvoiceLine {
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
    /// Whether it says itself that it is a trial's: its units would cost something, and it costs nothing.
    #[n(9)]
    pub trial: bool,
}

/// A link between an invoice and what paid it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
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
    /// Its own id, where it is an object of its own (since basil).
    #[n(3)]
    pub id: Option<InvoicePaymentId>,
}
