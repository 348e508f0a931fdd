//! What a purchase comes to of which this store holds no license: by what Stripe says was paid, and what the license service has.

use super::class::{Class, Examined};
use super::found::FoundLicense;
use super::pairing::pair;
use crate::domain::action::GrantStatus;
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::time::Timestamp;

impl Examined<'_> {
    /// A purchase of which this store holds no license.
    pub(super) fn unknown(&self) -> Option<Class> {
        let live = self.live_seats().count();
        if live == 0 {
            return match self.licenses {
                [] => None,
                found if found.iter().any(|l| l.is_live(self.now)) => Some(self.unpaid()),
                _ => Some(Class::Linked),
            };
        }
        let seats = self.due.seats.len();
        let count =
            |is: &dyn Fn(&FoundLicense) -> bool| self.licenses.iter().filter(|l| is(l)).count();
        let works = count(&|l| l.is_live(self.now));
        // Whoever made a new key in a revoked one's place left no doubt which one is meant. Of several that do not work any more
        // nobody can tell, where one should.
        let doubled = works > seats || (works < live && count(&|l| !is_revoked(l)) > seats);
        Some(match self.licenses {
            [] if self.suggested.is_some() => Class::Suggested,
            [] => Class::PaidWithoutKey,
            _ if doubled => Class::TwoKeys,
            found if found.len() < live => Class::PaidWithoutKey,
            found if found.iter().take(live).any(is_revoked) => Class::RevokedElsewhere,
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
        pairs.all(|(seat, license)| license.lasts(owed_until(seat), self.now))
    }
}

/// Until when its license is to work at least: a margin is left to the next renewal, a grace is owed.
pub(super) fn owed_until(seat: &SeatDue) -> Option<Timestamp> {
    match (seat.why, seat.want) {
        (Why::Grace, Want::Live { until }) => until,
        _ => seat.paid_until,
    }
}

/// Whether nobody can use it any more.
fn is_revoked(license: &FoundLicense) -> bool {
    license.status == Some(GrantStatus::Revoked)
}
