//! What repairs a difference that an audit found, of a purchase that this store knows.
//!
//! Everything goes the usual way, through the guard. What only a person can know is left to a person, and said.

use minicbor::{Decode, Encode};

use super::class::Class;

/// What is done about a difference.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// What waits for a person and gives a license what it lacks is tried, and the purchase's licenses are read again: what
    /// another hand took is given back by that (rule 51).
    #[n(0)]
    Read,
    /// What waits for a person, was refused or was given up is tried, the guard counting it.
    #[n(1)]
    Retry,
    /// What Stripe tells and was never delivered is taken in.
    #[n(2)]
    Hear,
    /// A new key is made, and the old one ends.
    #[n(3)]
    Rekey,
}

/// Who must do something where nothing here can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Unrepaired {
    /// Nothing differs.
    #[n(0)]
    Nothing,
    /// The purchase is not known here: it is taken in first.
    #[n(1)]
    Adopt,
    /// The customer has a newer purchase that is live: an old one's license is not touched beside it.
    #[n(2)]
    Newer,
    /// Only a person can know.
    #[n(3)]
    Person,
}

impl Class {
    /// What repairs it. `is_known`: whether this store knows the purchase, and no license of its is still to be taken in. `has_newer`: whether its customer
    /// has a newer live subscription.
    ///
    /// # Errors
    /// Why nothing does.
    pub const fn repair(self, is_known: bool, has_newer: bool) -> Result<Repair, Unrepaired> {
        let repair = match self.own_repair() {
            Ok(_) if !is_known => return Err(Unrepaired::Adopt),
            own => own,
        };
        match repair {
            // What was missed is heard of, whatever was bought since.
            Ok(Repair::Hear) | Err(_) => repair,
            Ok(_) if has_newer => Err(Unrepaired::Newer),
            Ok(_) => repair,
        }
    }

    /// Whether its repair ends a key.
    #[must_use]
    pub const fn takes(self) -> bool {
        matches!(self, Self::KeyWithoutPayment | Self::AliveAfterRefund)
    }

    /// What repairs it where nothing speaks against it.
    const fn own_repair(self) -> Result<Repair, Unrepaired> {
        match self {
            Self::Linked | Self::Foreign | Self::Known => Err(Unrepaired::Nothing),
            Self::TwoKeys | Self::Suggested => Err(Unrepaired::Person),
            Self::PaidWithoutKey | Self::KeyWithoutPayment | Self::AliveAfterRefund => {
                Ok(Repair::Retry)
            }
            Self::RevokedElsewhere => Ok(Repair::Rekey),
            // Where nothing waits for a yes, another hand let it work again: what it lacks is known once it was read.
            Self::LinkedEndsTooEarly | Self::ShortenedElsewhere | Self::DevicesDiffer => {
                Ok(Repair::Read)
            }
            Self::MissedEvents => Ok(Repair::Hear),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_purchase_is_not_touched_beside_a_newer_one_but_what_was_missed_is_heard() {
        for class in Class::ALL {
            let repair = class.repair(true, true);
            let heard = class == Class::MissedEvents;
            assert_eq!(repair.is_ok(), heard, "{class}: {repair:?}");
        }
    }

    #[test]
    fn every_difference_of_a_known_purchase_has_a_repair_or_a_person() {
        for class in Class::ALL {
            let answer = class.repair(true, false);
            let nothing = answer == Err(Unrepaired::Nothing);
            assert_eq!(nothing, !class.is_difference(), "{class}: {answer:?}");
            assert!(class.repair(false, false).is_err(), "{class}");
        }
    }
}
