//! Which of several licenses with one label a machine takes. Pure.

use std::cmp::Reverse;

use super::{License, Status};
use crate::domain::time::Timestamp;

/// The one of several licenses with one label that a machine takes, and the others, of which the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// This one.
    pub adopt: License,
    /// The rest; not touched.
    pub others: Vec<License>,
}

/// Chooses among licenses with one label: a live one before one that is stopped or expired, that before a revoked one;
/// then one with bound devices; then the older (rule 52).
#[must_use]
pub fn choose(mut licenses: Vec<License>, now: Timestamp) -> Option<Choice> {
    licenses.sort_by_cached_key(|license| {
        let rank = match (license.is_live(now), &license.status) {
            (Some(true), _) => 0,
            (Some(false) | None, Status::Active | Status::Suspended) => 1,
            (Some(false) | None, Status::Other(_)) => 2,
            (Some(false) | None, Status::Revoked) => 3,
        };
        let has_devices = license.bound.is_some_and(|n| n > 0);
        let made = license.created_at.map_or(i64::MAX, Timestamp::ms);
        (
            rank,
            Reverse(has_devices),
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
        for turned in 0..best_first.len() {
            let mut licenses = best_first.to_vec();
            licenses.rotate_left(turned);
            let choice = choose(licenses, now).unwrap();
            assert_eq!(choice.adopt, best_first[0]);
            assert_eq!(choice.others, best_first[1..]);
        }
        assert_eq!(choose(vec![], now), None);
    }
}
