//! Which of several licenses with one label a machine takes. Pure.

use std::cmp::Reverse;

use super::{License, Status};
use crate::domain::adoption::{Belongs, SeatEnds};
use crate::domain::time::Timestamp;

/// The one of several licenses with one label that a machine takes, and the others, of which the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// This one.
    pub adopt: License,
    /// The rest; not touched.
    pub others: Vec<License>,
}

/// Chooses among licenses of one purchase: a live one before one that is stopped or expired, that before a revoked one;
/// then, for a seat of which is known where its license may end, one that is not another item's; then one with bound devices;
/// then one whose end is of that seat's period; then the older (rule 52).
#[must_use]
pub fn choose(
    mut licenses: Vec<License>,
    seat: Option<&SeatEnds>,
    now: Timestamp,
) -> Option<Choice> {
    licenses.sort_by_cached_key(|license| {
        let rank = match (license.is_live(now), &license.status) {
            (Some(true), _) => 0,
            (Some(false) | None, Status::Active | Status::Suspended) => 1,
            (Some(false) | None, Status::Other(_)) => 2,
            (Some(false) | None, Status::Revoked) => 3,
        };
        let belongs = seat.map_or(Belongs::Unsaid, |s| s.belongs(license.expires_at.known()));
        let has_devices = license.bound.is_some_and(|n| n > 0);
        let made = license.created_at.map_or(i64::MAX, Timestamp::ms);
        (
            rank,
            belongs == Belongs::Elsewhere,
            Reverse(has_devices),
            belongs,
            made,
            license.key.reveal().to_owned(),
        )
    });
    let mut licenses = licenses.into_iter();
    let adopt = licenses.next()?;
    Some(Choice {
        adopt,
        others: licenses.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Expiry;
    use super::*;
    use crate::domain::id::LicenseKey;

    #[test]
    fn the_choice_among_several_is_live_then_in_use_then_older() {
        let now = Timestamp::from_s(1000);
        let one = |key: &str, status: &str, end_s: i64, bound: u32, made_s: i64| License {
            key: LicenseKey::new(key),
            app_id: None,
            status: if status == "active" {
                Status::Active
            } else {
                Status::Revoked
            },
            expires_at: Expiry::At(Timestamp::from_s(end_s)),
            devices: None,
            bound: Some(bound),
            label: None,
            created_at: Some(Timestamp::from_s(made_s)),
        };
        let best_first = [
            one("in use", "active", 2000, 2, 50),
            one("older", "active", 2000, 0, 10),
            one("newer", "active", 2000, 0, 20),
            one("expired", "active", 900, 1, 1),
            one("revoked", "revoked", 2000, 9, 0),
        ];
        let seat = SeatEnds::told(Some(Timestamp::from_s(2000)), None, vec![]);
        for turned in 0..best_first.len() {
            let mut licenses = best_first.to_vec();
            licenses.rotate_left(turned);
            for seat in [None, Some(&seat)] {
                let choice = choose(licenses.clone(), seat, now).unwrap();
                assert_eq!(choice.adopt, best_first[0]);
                assert_eq!(choice.others, best_first[1..]);
            }
        }
        assert_eq!(choose(vec![], Some(&seat), now), None);
    }

    #[test]
    fn a_seat_that_is_paid_for_a_year_takes_the_license_of_the_year() {
        let day = |n: i64| Timestamp::from_s(n * 86_400);
        let one = |key: &str, ends: Expiry, made_s: i64| License {
            key: LicenseKey::new(key),
            app_id: None,
            status: Status::Active,
            expires_at: ends,
            devices: None,
            bound: Some(0),
            label: None,
            created_at: Some(Timestamp::from_s(made_s)),
        };
        let month = (day(0), day(30));
        let year = (day(0), day(365));
        let all = vec![
            one("month", Expiry::At(day(33)), 1),
            one("year", Expiry::At(day(365)), 2),
            one("for life", Expiry::Never, 0),
        ];
        let of_year = SeatEnds::told(Some(day(368)), Some(year), vec![month]);
        let of_month = |until, from, to| {
            SeatEnds::told(Some(day(until)), Some((day(from), day(to))), vec![year])
        };
        for (seat, key) in [
            (of_month(30, 0, 30), "month"),
            // A renewal that whoever made the license has not heard of yet.
            (of_month(63, 30, 60), "month"),
            // It was not paid, and has a long grace.
            (of_month(70, 30, 60), "month"),
            (of_year.clone(), "year"),
            (SeatEnds::told(None, None, vec![]), "for life"),
        ] {
            let choice = choose(all.clone(), Some(&seat), day(10)).unwrap();
            assert_eq!(choice.adopt.key.reveal(), key);
        }
        let any = choose(all.clone(), None, day(10)).unwrap();
        assert_eq!(any.adopt.key.reveal(), "for life", "the oldest");
        let mut in_use = all;
        for license in &mut in_use {
            license.bound = Some(u32::from(license.key.reveal() != "year"));
        }
        let taken = |seat: &SeatEnds| choose(in_use.clone(), Some(seat), day(10)).unwrap().adopt;
        let used = taken(&of_year);
        assert_eq!(
            used.key.reveal(),
            "for life",
            "rule 52: of its own, the one in use"
        );
        in_use.pop();
        let own = choose(in_use, Some(&of_year), day(10)).unwrap().adopt;
        assert_eq!(
            own.key.reveal(),
            "year",
            "not another item's, though in use"
        );
    }
}
