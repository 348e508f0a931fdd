//! What charges, refunds, disputes and fraud warnings say.

use minicbor::{Decode, Encode};

use crate::domain::id::{ChargeId, CustomerId, DisputeId, InvoiceId, PaymentIntentId, RefundId};
use crate::domain::time::Timestamp;

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
    /// Minor units of the whole charge, also where less was captured.
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
    /// An address: what was typed beside the card, else where Stripe sends its receipt.
    #[n(8)]
    pub email: Option<String>,
    /// Minor units that were never captured. Stripe counts them among what went back.
    #[n(9)]
    pub released: Option<i64>,
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
