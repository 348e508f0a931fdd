//! What a purchase comes to of which this store holds no license: by what Stripe says was paid, and what the license service has.

use super::class::{Asking, Class, Examined};
use super::found::FoundLicense;
use super::pairing::pair;
use crate::domain::action::GrantStatus;

impl Examined<'_> {
    /// A purchase of which this store holds no license.
    pub(super) fn unknown(&self, asking: Asking) -> Option<Class> {
        let live = self.live_seats().count();
        if live == 0 {
            return match self.licenses {
                [] => None,
                found if found.iter().any(|l| l.is_live(self.now)) => Some(self.unpaid()),
                _ => Some(Class::Linked),
            };
        }
        let revoked = |l: &FoundLicense| l.status == Some(GrantStatus::Revoked);
        Some(match self.licenses {
            [] if self.suggested => Class::Suggested,
            [] => Class::PaidWithoutKey,
            found if found.len() > self.due.seats.len() => Class::TwoKeys,
            found if found.len() < live => Class::PaidWithoutKey,
            found if asking == Asking::Audit && found.iter().take(live).any(revoked) => {
                Class::RevokedElsewhere
            }
            found if !self.lasting(found) => Class::LinkedEndsTooEarly,
            _ => Class::Linked,
        })
    }

    /// Whether the licenses that its seats would get last as long as what was paid for.
    fn lasting(&self, found: &[FoundLicense]) -> bool {
        let (seats, found): (Vec<_>, Vec<_>) =
            (self.live_seats().collect(), found.iter().collect());
        let (pairs, _) = pair(&seats, &found, self.now);
        let mut pairs = pairs.into_iter();
        pairs.all(|(seat, license)| license.lasts(seat.paid_until, self.now))
    }
}
