//! Events that are read and come to nothing: why they are of no use, why they could not be read, and what is no event.

use std::fmt;

use minicbor::{Decode, Encode};

use super::words::{Sentence, sentences};

sentences!(NoUse, Unreadable, Dismissal, NoEvent);

/// Why an event that is whole is of no use, as its source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum NoUse {
    /// A type that this version does not know.
    #[n(0)]
    UnknownType,
    /// One attempt to pay.
    #[n(1)]
    Attempt,
    /// A charge that has not succeeded.
    #[n(2)]
    Charge,
    /// A payment method.
    #[n(3)]
    Method,
    /// Prices and products.
    #[n(4)]
    Prices,
    /// A discount.
    #[n(5)]
    Discount,
    /// The vendor's own money.
    #[n(6)]
    OwnMoney,
    /// The vendor's own account.
    #[n(7)]
    OwnAccount,
    /// Taxes.
    #[n(8)]
    Tax,
    /// Another product of Stripe's.
    #[n(9)]
    OtherProduct,
    /// Stripe's own entitlements.
    #[n(10)]
    Entitlements,
    /// An item that waits for its invoice.
    #[n(11)]
    InvoiceItem,
    /// A payment that is not made yet.
    #[n(12)]
    OpenPayment,
    /// A draft was thrown away.
    #[n(13)]
    Draft,
    /// A credit note.
    #[n(14)]
    CreditNote,
    /// A customer's cash balance.
    #[n(15)]
    CashBalance,
    /// A subscription schedule.
    #[n(16)]
    Schedule,
    /// A payment link.
    #[n(17)]
    PaymentLink,
    /// A quote.
    #[n(18)]
    Quote,
    /// Of Stripe's retired Orders API.
    #[n(19)]
    Order,
    /// A review by Stripe Radar.
    #[n(20)]
    Review,
    /// A step of a checkout.
    #[n(21)]
    CheckoutStep,
    /// Meters, credits and alerts.
    #[n(22)]
    Billing,
    /// A Checkout session of mode `setup`.
    #[n(23)]
    Setup,
    /// A forecast of an invoice.
    #[n(24)]
    Upcoming,
    /// An invoice that was paid without Stripe.
    #[n(25)]
    PaidElsewhere,
    /// A payment that names nothing.
    #[n(26)]
    LinksNothing,
    /// A change of a one-off invoice.
    #[n(27)]
    InvoiceChange,
}

impl NoUse {
    /// Every one.
    pub const ALL: [Self; 28] = [
        Self::UnknownType,
        Self::Attempt,
        Self::Charge,
        Self::Method,
        Self::Prices,
        Self::Discount,
        Self::OwnMoney,
        Self::OwnAccount,
        Self::Tax,
        Self::OtherProduct,
        Self::Entitlements,
        Self::InvoiceItem,
        Self::OpenPayment,
        Self::Draft,
        Self::CreditNote,
        Self::CashBalance,
        Self::Schedule,
        Self::PaymentLink,
        Self::Quote,
        Self::Order,
        Self::Review,
        Self::CheckoutStep,
        Self::Billing,
        Self::Setup,
        Self::Upcoming,
        Self::PaidElsewhere,
        Self::LinksNothing,
        Self::InvoiceChange,
    ];
}

impl Sentence for NoUse {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "an event type that this version of Keyward does not know",
            Self::Attempt => "one attempt to pay: whether it succeeded is told by the invoice or the Checkout session",
            Self::Charge => "a charge that has not succeeded: the invoice or the Checkout session tells",
            Self::Method => "a payment method: whether it pays is told by the invoice or the Checkout session",
            Self::Prices => "prices and products are read from purchases",
            Self::Discount => "a discount: what was paid with it is told by the invoice or the Checkout session",
            Self::OwnMoney => "your own balance, payouts and transfers: no purchase changes by them",
            Self::OwnAccount => "your own Stripe account and its settings: no purchase changes by them",
            Self::Tax => "taxes change what an invoice costs, not what it pays for",
            Self::OtherProduct => "another Stripe product: it sells no license",
            Self::Entitlements => "entitlements at Stripe: what a customer holds here follows from purchases",
            Self::InvoiceItem => "an item that waits for its invoice: it counts when an invoice with it is paid",
            Self::OpenPayment => "a payment that is not made yet: `invoice_payment.paid` tells when it is",
            Self::Draft => "a draft was thrown away before it was due",
            Self::CreditNote => "a credit note changes nothing by itself: money that goes back is told by refund events",
            Self::CashBalance => "a customer's cash balance: what it pays is told by the invoice",
            Self::Schedule => "a plan for later: its effects are told by the subscription's own events",
            Self::PaymentLink => "a template for Checkout sessions: purchases through it are told by their sessions",
            Self::Quote => "a quote: what comes of it is told by its invoice and subscription",
            Self::Order => "an order of Stripe's retired Orders API",
            Self::Review => "a review by Stripe Radar: a refund that follows is told by its own events",
            Self::CheckoutStep => "a step of a checkout that neither pays nor ends it",
            Self::Billing => "meters, credits and alerts: what is paid with them is told by the invoice",
            Self::Setup => "a Checkout session of mode `setup` stores a payment method and sells nothing",
            Self::Upcoming => "a forecast of an invoice: nothing is due or paid yet",
            Self::PaidElsewhere => "an invoice paid without a payment of Stripe's: the invoice's own event tells of it",
            Self::LinksNothing => "a payment that names neither an invoice nor a charge links nothing",
            Self::InvoiceChange => "a change of an invoice without a subscription or payment: what comes of it has events of its own",
        })
    }
}

/// Why an event could not be read: a newer binary reads it again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Unreadable {
    /// A field without which it means nothing is missing, or of a form that is not known.
    #[n(0)]
    Field {
        /// The field's path.
        #[n(0)]
        field: String,
        /// What stood there.
        #[n(1)]
        found: String,
    },
    /// Its `data` is JSON that no reader takes.
    #[n(1)]
    Beyond,
}

impl Sentence for Unreadable {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { field, found } => write!(f, "unreadable: `{field}` is {found}"),
            Self::Beyond => f.write_str(
                "unreadable: `data` is nested too deeply, or holds a number beyond all bounds",
            ),
        }
    }
}

/// That a person looked at an event that could not be read, or at what an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dismissal {
    /// The operator who ordered it.
    #[n(0)]
    pub author: String,
    /// Why nothing is to come of it.
    #[n(1)]
    pub reason: String,
}

impl Sentence for Dismissal {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looked at it ({})", self.author, self.reason)
    }
}

/// Why a signed body is no event, or one of a kind that holds no state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum NoEvent {
    /// No JSON.
    #[n(0)]
    NotJson {
        /// What the parser said.
        #[n(0)]
        why: String,
    },
    /// JSON, but no event.
    #[n(1)]
    Lacks {
        /// The field.
        #[n(0)]
        missing: String,
    },
    /// A thin event.
    #[n(2)]
    Thin {
        /// The event's type.
        #[n(0)]
        kind: String,
    },
    /// Its id fits no key.
    #[n(3)]
    UnfitId {
        /// The longest id that fits, in bytes.
        #[n(0)]
        len_max: u32,
    },
}

impl NoEvent {
    /// JSON without a field that every event has.
    #[must_use]
    pub fn lacks(field: &str) -> Self {
        let missing = field.to_owned();
        Self::Lacks { missing }
    }

    /// The code in the answer, and in metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not_json",
            Self::Lacks { .. } | Self::UnfitId { .. } => "not_an_event",
            Self::Thin { .. } => "thin_event",
        }
    }
}

impl Sentence for NoEvent {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { why } => write!(f, "the body is not JSON: {why}"),
            Self::Lacks { missing } => {
                write!(f, "the body is no Stripe event: it has no `{missing}`")
            }
            Self::Thin { kind } => write!(
                f,
                "`{kind}` is a thin event, which names an object without showing it: create the endpoint with the \
                 payload style *snapshot*"
            ),
            Self::UnfitId { len_max } => write!(
                f,
                "the event's `id` is longer than {len_max} bytes, or holds a zero byte"
            ),
        }
    }
}

impl std::error::Error for NoEvent {}
