//! What is known of a customer apart from any purchase: the latest address and language.

use minicbor::{Decode, Encode};

use super::id::CustomerId;
use super::time::Timestamp;

/// A customer as the newest event of it shows it. Only the newest counts, by the event's `created`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Customer {
    /// `cus_…`
    #[n(0)]
    pub id: CustomerId,
    /// The event's `created`.
    #[n(1)]
    pub at: Timestamp,
    /// The address.
    #[n(2)]
    pub email: Option<String>,
    #[n(3)]
    pub name: Option<String>,
    /// The first of `preferred_locales`.
    #[n(4)]
    pub locale: Option<String>,
    /// Whether the customer was deleted at Stripe.
    #[n(5)]
    pub deleted: bool,
    /// Live or test mode, where the event said so.
    #[n(6)]
    pub livemode: Option<bool>,
}
