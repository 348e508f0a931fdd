//! What a Checkout session says, and what it sold.

use minicbor::{Decode, Encode};

use crate::domain::id::{
    CustomerId, InvoiceId, LicenseKey, ObjectId, ObjectKind, PaymentIntentId, PriceId, ProductId,
    SessionId, SubscriptionId,
};
use crate::domain::time::Span;

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
    /// Whether it has more of them than it carries (`has_more`).
    #[n(15)]
    #[cbor(default)]
    pub line_items_cut: bool,
}

/// The guide's metadata key for the application that a license is for.
pub const APP_ID_KEY: &str = "authforge_app_id";
/// The guide's metadata key for how many days a one-time license works.
pub const DURATION_KEY: &str = "license_duration";
/// The guide's metadata key for how many devices a license allows.
pub const DEVICES_KEY: &str = "max_hwid_slots";
/// The metadata key under which a Checkout session that Keyward made, and what it makes, name the plan that was asked for.
/// Beside it the guide's keys say what that plan gave, for others to read: they ask for nothing that the plan does not
/// say.
pub const CHECKOUT_KEY: &str = "keyward_checkout";
/// The metadata key under which such a session keeps the devices that it wrote in the guide's word, so that a number that
/// somebody writes there later is told from it.
pub const SOLD_DEVICES_KEY: &str = "keyward_devices";

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
    /// `keyward_license`: the license that the purchase extends, in place of a new one.
    #[n(6)]
    pub license: Option<NamedLicense>,
}

/// A license by what the vendor names it: its key, or the purchase that it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum NamedLicense {
    /// The key.
    #[n(0)]
    Key(#[n(0)] LicenseKey),
    /// `cs_…`, `sub_…`, `in_…`
    #[n(1)]
    Purchase(#[n(0)] ObjectId),
}

impl NamedLicense {
    /// Reads what the metadata says.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let object = ObjectId::from(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if object.kind() == ObjectKind::Other || !text.chars().all(plain) {
            Self::Key(LicenseKey::new(text.to_owned()))
        } else {
            Self::Purchase(object)
        }
    }
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

/// What a query said that a session sold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LineItems {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// Its lines.
    #[n(1)]
    pub lines: Vec<Bought>,
}
