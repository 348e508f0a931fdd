//! Which of several licenses with one label a machine takes. Pure.

use std::cmp::Reverse;

use super::{Expiry, License, Status};
use crate::domain::adoption::SAME_PERIOD;
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
/// then one with bound devices; then, for a seat that is paid `until` an instant (the outer `None`: for none in particular, the
/// inner one: for life), one whose end is of that period, for a subscription's yearly item has another license than its
/// monthly one; then the older (rule 52).
#[must_use]
pub fn choose(
    mut licenses: Vec<License>,
    until: Option<Option<Timestamp>>,
    now: Timestamp,
) -> Option<Choice> {
    licenses.sort_by_cached_key(|license| {
        let rank = match (license.is_live(now), &license.status) {
            (Some(true), _) => 0,
            (Some(false) | None, Status::Active | Status::Suspended) => 1,
            (Some(false) | None, Status::Other(_)) => 2,
            (Some(false) | None, Status::Revoked) => 3,
        };
        let is_other = until.is_some_and(|until| is_of_another_period(license.expires_at, until));
        let has_devices = license.bound.is_some_and(|n| n > 0);
        let made = license.created_at.map_or(i64::MAX, Timestamp::ms);
        (
            rank,
            Reverse(has_devices),
            is_other,
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

fn is_of_another_period(ends: Expiry, until: Option<Timestamp>) -> bool {
    match (ends, until) {
        (Expiry::Untold, _) | (Expiry::Never, None) => false,
        (Expiry::Never, Some(_)) | (Expiry::At(_), None) => true,
        (Expiry::At(ends), Some(until)) => (ends - until).ms().abs() > SAME_PERIOD.ms(),
    }
}

#[cfg(test)]
mod tests {
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
        let until = Some(Timestamp::from_s(2000));
        for turned in 0..best_first.len() {
            let mut licenses = best_first.to_vec();
            licenses.rotate_left(turned);
            for until in [None, Some(until)] {
                let choice = choose(licenses.clone(), until, now).unwrap();
                assert_eq!(choice.adopt, best_first[0]);
                assert_eq!(choice.others, best_first[1..]);
            }
        }
        assert_eq!(choose(vec![], Some(until), now), None);
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
        let all = vec![
            one("month", Expiry::At(day(33)), 1),
            one("year", Expiry::At(day(365)), 2),
            one("for life", Expiry::Never, 0),
        ];
        for (until, key) in [
            (Some(day(30)), "month"),
            (Some(day(368)), "year"),
            (None, "for life"),
        ] {
            let choice = choose(all.clone(), Some(until), day(10)).unwrap();
            assert_eq!(choice.adopt.key.reveal(), key);
        }
        let any = choose(all.clone(), None, day(10)).unwrap();
        assert_eq!(any.adopt.key.reveal(), "for life", "the oldest");
        let mut in_use = all;
        in_use[0].bound = Some(1);
        let used = choose(in_use, Some(Some(day(368))), day(10)).unwrap();
        assert_eq!(used.adopt.key.reveal(), "month", "rule 52: the one in use");
    }
}
