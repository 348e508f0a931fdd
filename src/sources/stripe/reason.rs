//! Why an event is ignored: its type's family, or what could not be read.

use std::fmt;

use super::json::Json;
use crate::domain::no_use::{NoUse, Unreadable};

/// Why an event that is Stripe's own has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is whole, and of no use.
    NoUse(NoUse),
    /// It cannot be read. The operator is told, and a newer binary reads the event again.
    Unreadable(Unreadable),
}

impl Reason {
    /// A type that this version does not know.
    pub(super) const UNKNOWN: Self = Self::NoUse(NoUse::UnknownType);

    /// That a field could not be read.
    pub(super) fn unreadable(field: &str, found: &Json<'_>) -> Self {
        Self::field(field, found.describe())
    }

    /// The same, where what was found is described already.
    #[must_use]
    pub fn field(field: &str, found: String) -> Self {
        let field = field.to_owned();
        Self::Unreadable(Unreadable::Field { field, found })
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }
}

impl From<NoUse> for Reason {
    fn from(why: NoUse) -> Self {
        Self::NoUse(why)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUse(why) => why.fmt(f),
            Self::Unreadable(why) => why.fmt(f),
        }
    }
}

/// Families of types that carry nothing for us, by how the type begins; the first that fits counts.
const FAMILIES: &[(&str, NoUse)] = &[
    ("charge.", NoUse::Attempt),
    ("payment_intent.", NoUse::Attempt),
    ("payment_method.", NoUse::Method),
    ("payment_method_", NoUse::Method),
    ("setup_intent.", NoUse::Method),
    ("mandate.", NoUse::Method),
    ("source.", NoUse::Method),
    ("customer.source.", NoUse::Method),
    ("customer.bank_account.", NoUse::Method),
    ("customer.card.", NoUse::Method),
    ("customer.discount.", NoUse::Discount),
    ("coupon.", NoUse::Discount),
    ("promotion_code.", NoUse::Discount),
    ("customer.tax_id.", NoUse::Tax),
    ("tax.", NoUse::Tax),
    ("tax_rate.", NoUse::Tax),
    ("product.", NoUse::Prices),
    ("price.", NoUse::Prices),
    ("plan.", NoUse::Prices),
    ("sku.", NoUse::Prices),
    ("product_feature.", NoUse::Prices),
    ("entitlements.", NoUse::Entitlements),
    ("invoiceitem.", NoUse::InvoiceItem),
    ("invoice_payment.", NoUse::OpenPayment),
    ("invoice.deleted", NoUse::Draft),
    // rule 38.
    ("credit_note.", NoUse::CreditNote),
    ("customer_cash_balance_transaction.", NoUse::CashBalance),
    ("cash_balance.", NoUse::CashBalance),
    ("subscription_schedule.", NoUse::Schedule),
    ("payment_link.", NoUse::PaymentLink),
    ("quote.", NoUse::Quote),
    ("order.", NoUse::Order),
    ("review.", NoUse::Review),
    ("radar.", NoUse::Review),
    ("checkout.", NoUse::CheckoutStep),
    ("balance.", NoUse::OwnMoney),
    ("balance_settings.", NoUse::OwnMoney),
    ("payout.", NoUse::OwnMoney),
    ("transfer.", NoUse::OwnMoney),
    ("topup.", NoUse::OwnMoney),
    ("recipient.", NoUse::OwnMoney),
    ("application_fee.", NoUse::OwnMoney),
    ("refund_", NoUse::OwnMoney),
    ("account.", NoUse::OwnAccount),
    ("application.", NoUse::OwnAccount),
    ("capability.", NoUse::OwnAccount),
    ("person.", NoUse::OwnAccount),
    ("billing_portal.", NoUse::OwnAccount),
    ("file.", NoUse::OwnAccount),
    ("reporting.", NoUse::OwnAccount),
    ("sigma.", NoUse::OwnAccount),
    ("test_helpers.", NoUse::OwnAccount),
    ("ping", NoUse::OwnAccount),
    ("billing.", NoUse::Billing),
    ("bitcoin.", NoUse::OtherProduct),
    ("climate.", NoUse::OtherProduct),
    ("crypto.", NoUse::OtherProduct),
    ("financial_connections.", NoUse::OtherProduct),
    ("identity.", NoUse::OtherProduct),
    ("issuing_", NoUse::OtherProduct),
    ("terminal.", NoUse::OtherProduct),
    ("treasury.", NoUse::OtherProduct),
    ("capital.", NoUse::OtherProduct),
    ("forwarding.", NoUse::OtherProduct),
];

/// Why a type that nobody reads is ignored.
pub(super) fn of_type(kind: &str) -> Reason {
    FAMILIES
        .iter()
        .find(|(begin, _)| kind.starts_with(begin))
        .map_or(Reason::UNKNOWN, |(_, why)| Reason::NoUse(*why))
}
