//! A newtype for every id, so that no two kinds can be confused.
//!
//! Stripe ids are opaque texts of up to 255 characters whose prefixes are no promise
//! (<https://docs.stripe.com/upgrades>), so nothing looks inside them but [`ObjectId::kind`].

mod machine;
mod text;

use std::borrow::Borrow;
use std::fmt;

use minicbor::{Decode, Encode};

use text::Text;

pub use machine::{MachineId, NoMachineId, ObjectKind, Scope};

/// Stripe's ids have at most so many characters (<https://docs.stripe.com/upgrades>).
pub const ID_LEN_MAX: usize = 255;

/// Whether an id from outside can be part of a key of the store, whose parts a zero byte separates.
#[must_use]
pub fn fits_into_key(id: &str, len_max: usize) -> bool {
    id.len() <= len_max && !id.contains('\0')
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, serde::Serialize, serde::Deserialize)]
        #[cbor(transparent)]
        #[serde(transparent)]
        pub struct $name(#[n(0)] Text);

        impl $name {
            /// Wraps the id as it came.
            #[must_use]
            pub fn new(id: impl AsRef<str>) -> Self { Self(id.as_ref().into()) }
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str { self.0.as_str() }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.0.as_str()) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.0.as_str()) }
        }
        impl From<&str> for $name {
            fn from(id: &str) -> Self { Self(id.into()) }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str { self.as_str() }
        }
    )*};
}

ids! {
    /// A provider's event (`evt_…`), or the name we gave to a decision or a query.
    EventId;
    /// A configured source's name, as in `[[source]] name = "stripe"`.
    SourceName;
    /// A connected account, `acct_…`.
    AccountId;
    /// The provider's object whose life a machine is: a session, a subscription or a one-off invoice.
    ObjectId;
    /// A Checkout session, `cs_…`.
    SessionId;
    /// A subscription, `sub_…`.
    SubscriptionId;
    /// An item of a subscription, `si_…`.
    ItemId;
    /// Names an item of a subscription or a line of a purchase: its own id, or its price where it has none.
    ItemKey;
    /// An invoice, `in_…`.
    InvoiceId;
    /// What was paid on an invoice by one payment, `inpay_…`.
    InvoicePaymentId;
    /// A payment intent, `pi_…`.
    PaymentIntentId;
    /// A charge, `ch_…` or `py_…`.
    ChargeId;
    /// A refund, `re_…`.
    RefundId;
    /// A dispute, `dp_…` or `du_…`.
    DisputeId;
    /// A customer, `cus_…` (or an account that stands in for one).
    CustomerId;
    /// A price, `price_…` (or an old `plan` id).
    PriceId;
    /// A product, `prod_…`.
    ProductId;
    /// The text on a license by which it is found again, as in `Stripe sub sub_123 #2`.
    Label;
    /// A license application at the license service; opaque.
    AppId;
    /// A plan's name in the config.
    PlanName;
    /// A policy's name in the config.
    PolicyName;
}

/// A license key. It is a customer's property and opens their software, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct LicenseKey(#[n(0)] String);

impl LicenseKey {
    /// Wraps a key as the license service gave it; opaque.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }
    /// The key itself: for the customer, the license service and the operator's own eyes; never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LicenseKey {
    /// The last four characters tell keys apart in a log without giving one away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail: String = self
            .0
            .chars()
            .rev()
            .take(4)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        write!(f, "…{tail}")
    }
}
