//! What the sentence of a purchase says beside its class.

use minicbor::{Decode, Encode};

use super::class::{Class, Examined, Suggestion};
use crate::domain::action::GrantStatus;
use crate::domain::entitlement::{SeatDue, Why};

/// What the sentence of a purchase says beside its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Remark {
    /// It was taken in before without a key, or is getting its key from here.
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
    /// A payment failed, and its key ends before the grace does.
    #[n(6)]
    InGrace,
    /// A key's label fits it, and another purchase as well.
    #[n(7)]
    SharedLabel,
    /// What was paid for is over, as its key is, and the next payment is still to come.
    #[n(8)]
    NotRenewed,
    /// Whether its key works is not known: no list shows it, and it was not read by itself.
    #[n(9)]
    NotShown,
}

impl Examined<'_> {
    pub(super) fn remark(&self, class: Class) -> Option<Remark> {
        if class == Class::Known && self.has_given_up() {
            return Some(Remark::EndGivenUp);
        }
        if class == Class::Known && self.unshown {
            return Some(Remark::NotShown);
        }
        let keyless = matches!(class, Class::PaidWithoutKey | Class::Suggested);
        let is_here = self.machine.adopted_at.is_some() || self.gets_key;
        if keyless && is_here && self.licenses.is_empty() {
            return Some(Remark::TakenIn);
        }
        if class == Class::Suggested
            && self
                .suggested
                .is_some_and(|(by, _)| by == Suggestion::Label)
        {
            return Some(Remark::SharedLabel);
        }
        if class != Class::LinkedEndsTooEarly {
            return None;
        }
        let mut used = self.licenses.iter().take(self.live_seats().count());
        if used.any(|l| l.status == Some(GrantStatus::Suspended)) {
            return Some(Remark::Suspended);
        }
        if self.live_seats().any(|s| s.why == Why::Grace) {
            return Some(Remark::InGrace);
        }
        let over = |s: &SeatDue| s.paid_until.is_some_and(|until| until <= self.now);
        self.live_seats().all(over).then_some(Remark::NotRenewed)
    }
}
