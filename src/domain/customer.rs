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
    /// The name.
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

/// What becomes of a customer's record that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is kept in place of the one before.
    Kept,
    /// A newer one is kept already.
    Older,
    /// It is of test mode, and the customer is a live one.
    OtherMode,
}

impl Customer {
    /// Judges one that came, by the one that is kept and by the modes of the customer's purchases. The newest by the
    /// event's own time counts; what test mode says of a live customer is nothing (rule 4).
    #[must_use]
    pub fn arrives(
        &self,
        kept: Option<&Self>,
        purchases: impl IntoIterator<Item = Option<bool>>,
    ) -> Arrival {
        let live = Some(true);
        let is_live =
            kept.is_some_and(|k| k.livemode == live) || purchases.into_iter().any(|m| m == live);
        if is_live && self.livemode == Some(false) {
            return Arrival::OtherMode;
        }
        match kept {
            // A live record takes the place of a test one, whichever is newer.
            Some(kept) if kept.livemode == Some(false) && self.livemode == live => Arrival::Kept,
            Some(kept) if kept.at > self.at => Arrival::Older,
            Some(_) | None => Arrival::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);
    const LIVE: Option<bool> = Some(true);
    const TEST: Option<bool> = Some(false);

    fn customer(hours: i64, livemode: Option<bool>) -> Customer {
        Customer {
            id: CustomerId::from("cus_1"),
            at: NOW + Span::from_hours(hours),
            email: None,
            name: None,
            locale: None,
            deleted: false,
            livemode,
        }
    }

    #[test]
    fn the_newest_of_one_mode_is_kept() {
        for mode in [LIVE, TEST, None] {
            let kept = customer(1, mode);
            assert_eq!(customer(1, mode).arrives(None, []), Arrival::Kept);
            assert_eq!(customer(2, mode).arrives(Some(&kept), []), Arrival::Kept);
            assert_eq!(customer(1, mode).arrives(Some(&kept), []), Arrival::Kept);
            assert_eq!(customer(0, mode).arrives(Some(&kept), []), Arrival::Older);
        }
    }

    #[test]
    fn test_mode_says_nothing_of_a_live_customer() {
        let test = customer(2, TEST);
        assert_eq!(
            test.arrives(Some(&customer(1, LIVE)), []),
            Arrival::OtherMode
        );
        assert_eq!(test.arrives(None, [TEST, LIVE]), Arrival::OtherMode);
        assert_eq!(test.arrives(None, [TEST, None]), Arrival::Kept);
        let live = customer(0, LIVE);
        assert_eq!(
            live.arrives(Some(&test), [TEST]),
            Arrival::Kept,
            "though older"
        );
        let unsaid = customer(2, None);
        assert_eq!(
            unsaid.arrives(Some(&customer(1, LIVE)), [LIVE]),
            Arrival::Kept
        );
    }
}
