//! Why an event is ignored, in words that the operator reads.

use std::fmt;

use super::json::Json;

/// Why an event that is Stripe's own and whole has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A type that this version does not know.
    UnknownType,
    /// A type of a family that carries nothing Keyward needs; the text says where the matter is told instead.
    NotNeeded(&'static str),
    /// A Checkout session of mode `setup`.
    Setup,
    /// A forecast of an invoice that does not exist yet.
    Upcoming,
    /// It is of a kind we read, but names nothing that a license could hang on.
    NamesNothing(&'static str),
    /// A field without which it means nothing is missing or of a form that we do not know. The operator is told, and a
    /// newer binary reads the event again.
    Unreadable {
        /// The field's path.
        field: &'static str,
        /// What stood there.
        found: String,
    },
    /// Its `data` is JSON that no reader of ours takes: nested more deeply than anything that Stripe sends, or with a
    /// number beyond all bounds.
    Beyond,
}

impl Reason {
    /// That a field could not be read.
    pub(super) fn unreadable(field: &'static str, found: &Json<'_>) -> Self {
        Self::Unreadable {
            field,
            found: found.describe(),
        }
    }

    /// A short word for a metric's label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::NotNeeded(_) => "not_needed",
            Self::Setup => "setup_session",
            Self::Upcoming => "upcoming_invoice",
            Self::NamesNothing(_) => "names_nothing",
            Self::Unreadable { .. } | Self::Beyond => "unreadable",
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Beyond)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType => {
                f.write_str("an event type that this version of Keyward does not know")
            }
            Self::NotNeeded(why) | Self::NamesNothing(why) => f.write_str(why),
            Self::Setup => f.write_str(
                "a Checkout session of mode `setup` stores a payment method and sells nothing",
            ),
            Self::Upcoming => f.write_str("a forecast of an invoice: nothing is due or paid yet"),
            Self::Beyond => f.write_str(
                "unreadable: `data` is nested too deeply, or holds a number beyond all bounds",
            ),
            Self::Unreadable { field, found } => write!(f, "unreadable: `{field}` is {found}"),
        }
    }
}

const ATTEMPT: &str =
    "one attempt to pay: whether it succeeded is told by the invoice or the Checkout session";
const METHOD: &str =
    "a payment method: whether it pays is told by the invoice or the Checkout session";
const PRICES: &str = "prices and products are read from purchases";
const DISCOUNT: &str =
    "a discount: what was paid with it is told by the invoice or the Checkout session";
const OWN_MONEY: &str = "your own balance, payouts and transfers: no purchase changes by them";
const OWN_ACCOUNT: &str = "your own Stripe account and its settings: no purchase changes by them";
const TAX: &str = "taxes change what an invoice costs, not what it pays for";
const OTHER_PRODUCT: &str = "another Stripe product: it sells no license";

/// Families of types that carry nothing for us, by how the type begins; the first that fits counts.
const FAMILIES: &[(&str, &str)] = &[
    ("charge.", ATTEMPT),
    ("payment_intent.", ATTEMPT),
    ("payment_method.", METHOD),
    ("payment_method_", METHOD),
    ("setup_intent.", METHOD),
    ("mandate.", METHOD),
    ("source.", METHOD),
    ("customer.source.", METHOD),
    ("customer.bank_account.", METHOD),
    ("customer.card.", METHOD),
    ("customer.discount.", DISCOUNT),
    ("coupon.", DISCOUNT),
    ("promotion_code.", DISCOUNT),
    ("customer.tax_id.", TAX),
    ("tax.", TAX),
    ("tax_rate.", TAX),
    ("product.", PRICES),
    ("price.", PRICES),
    ("plan.", PRICES),
    ("sku.", PRICES),
    ("product_feature.", PRICES),
    (
        "entitlements.",
        "entitlements at Stripe: what a customer holds here follows from purchases",
    ),
    (
        "invoiceitem.",
        "an item that waits for its invoice: it counts when an invoice with it is paid",
    ),
    (
        "invoice_payment.",
        "a payment that is not made yet: `invoice_payment.paid` tells when it is",
    ),
    (
        "invoice.deleted",
        "a draft was thrown away before it was due",
    ),
    (
        "credit_note.",
        // rule 38.
        "a credit note changes nothing by itself: money that goes back is told by refund events",
    ),
    (
        "customer_cash_balance_transaction.",
        "a customer's cash balance: what it pays is told by the invoice",
    ),
    (
        "cash_balance.",
        "a customer's cash balance: what it pays is told by the invoice",
    ),
    (
        "subscription_schedule.",
        "a plan for later: its effects are told by the subscription's own events",
    ),
    (
        "payment_link.",
        "a template for Checkout sessions: purchases through it are told by their sessions",
    ),
    (
        "quote.",
        "a quote: what comes of it is told by its invoice and subscription",
    ),
    ("order.", "an order of Stripe's retired Orders API"),
    (
        "review.",
        "a review by Stripe Radar: a refund that follows is told by its own events",
    ),
    (
        "radar.",
        "a review by Stripe Radar: a refund that follows is told by its own events",
    ),
    (
        "checkout.",
        "a step of a checkout that neither pays nor ends it",
    ),
    ("balance.", OWN_MONEY),
    ("balance_settings.", OWN_MONEY),
    ("payout.", OWN_MONEY),
    ("transfer.", OWN_MONEY),
    ("topup.", OWN_MONEY),
    ("recipient.", OWN_MONEY),
    ("application_fee.", OWN_MONEY),
    ("refund_", OWN_MONEY),
    ("account.", OWN_ACCOUNT),
    ("application.", OWN_ACCOUNT),
    ("capability.", OWN_ACCOUNT),
    ("person.", OWN_ACCOUNT),
    ("billing_portal.", OWN_ACCOUNT),
    ("file.", OWN_ACCOUNT),
    ("reporting.", OWN_ACCOUNT),
    ("sigma.", OWN_ACCOUNT),
    ("test_helpers.", OWN_ACCOUNT),
    ("ping", OWN_ACCOUNT),
    (
        "billing.",
        "meters, credits and alerts: what is paid with them is told by the invoice",
    ),
    ("bitcoin.", OTHER_PRODUCT),
    ("climate.", OTHER_PRODUCT),
    ("crypto.", OTHER_PRODUCT),
    ("financial_connections.", OTHER_PRODUCT),
    ("identity.", OTHER_PRODUCT),
    ("issuing_", OTHER_PRODUCT),
    ("terminal.", OTHER_PRODUCT),
    ("treasury.", OTHER_PRODUCT),
    ("capital.", OTHER_PRODUCT),
    ("forwarding.", OTHER_PRODUCT),
];

/// Why a type that nobody reads is ignored.
pub(super) fn of_type(kind: &str) -> Reason {
    FAMILIES
        .iter()
        .find(|(begin, _)| kind.starts_with(begin))
        .map_or(Reason::UnknownType, |(_, why)| Reason::NotNeeded(why))
}
