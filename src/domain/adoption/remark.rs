//! What the sentence of a purchase says beside its class.

use minicbor::{Decode, Encode};

use super::class::{Class, Examined};
use crate::domain::action::GrantStatus;

/// What the sentence of a purchase says beside its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Remark {
    /// It was taken in before, without a key.
    #[n(0)]
    TakenIn,
    /// Stripe lists it, and it is not paid.
    #[n(1)]
    Unpaid,
    /// It names a checkout, of which Stripe lists only those that were completed.
    #[n(2)]
    NoCheckout,
    /// Its key does not end too early: it is suspended.
    #[n(3)]
    Suspended,
    /// It is a connected account's, whose lists are not read.
    #[n(4)]
    OfAccount,
    /// Its key should not work, and a person gave its ending up.
    #[n(5)]
    EndGivenUp,
}

impl Examined<'_> {
    pub(super) fn remark(&self, class: Class) -> Option<Remark> {
        if class == Class::Known && self.has_given_up() {
            return Some(Remark::EndGivenUp);
        }
        let keyless = matches!(class, Class::PaidWithoutKey | Class::Suggested);
        if keyless && self.machine.adopted_at.is_some() && self.licenses.is_empty() {
            return Some(Remark::TakenIn);
        }
        let mut used = self.licenses.iter().take(self.live_seats().count());
        let suspended = used.any(|l| l.status == Some(GrantStatus::Suspended));
        (suspended && class == Class::LinkedEndsTooEarly).then_some(Remark::Suspended)
    }
}
