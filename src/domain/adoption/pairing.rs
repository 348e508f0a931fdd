//! Which of the licenses that were found for a purchase each of its seats gets.

use std::ops::Range;

use super::found::FoundLicense;
use crate::domain::entitlement::{SeatDue, Want};
use crate::domain::machine::Grant;
use crate::domain::time::{Span, Timestamp};

/// Ends that lie further apart are of other periods.
pub(super) const SAME_PERIOD: Span = Span::from_days(20);

/// A seat with its license.
pub(super) type SeatPair<'s, 'l> = (&'s SeatDue, &'l FoundLicense);

/// Whether others gave a license for its item's running period: it reaches over most of it, and not far beyond.
pub(in crate::domain) fn given_for_its_period(seat: &SeatDue, grant: &Grant) -> bool {
    let Some((ends, (start, end))) = grant.expires_at.zip(seat.period) else {
        return false;
    };
    grant.adopted && ends - start > end - ends && ends - end <= SAME_PERIOD
}

/// Each seat with its license, in the seats' order, and the licenses that none got. What fits best is settled first: a
/// license that works with a seat that should work, then one with the seat's devices, then the one whose end is nearest to
/// the seat's own, then the better license. Where a subscription has items of several intervals, each keeps the license that
/// was made for it, also when there are fewer than seats; else a month's end would come to count for what a year was paid for.
///
/// Licenses come the best first. Of those that work a seat that should work gets one of the best, as many as there are
/// seats: the rest is spare. What was stopped is of no use as it is, so that it is the best tells nothing.
pub(super) fn pair<'s, 'l>(
    seats: &[&'s SeatDue],
    licenses: &[&'l FoundLicense],
    now: Timestamp,
) -> (Vec<SeatPair<'s, 'l>>, Vec<&'l FoundLicense>) {
    // Units of one item differ by their numbers alone; a thousand of them are compared as one.
    let alike =
        |a: &&SeatDue, b: &&SeatDue| (&a.item, a.devices, a.want) == (&b.item, b.devices, b.want);
    let mut ways = Vec::new();
    let mut units = Vec::new();
    for of_item in seats.chunk_by(alike) {
        let seat = of_item[0];
        let should_work = seat.want.live_at(now);
        for (n, license) in licenses.iter().enumerate() {
            let works = license.is_live(now);
            let is_spare = should_work && works && n >= seats.len();
            if !is_spare {
                let stopped = should_work && !works;
                let unlike = (!should_work, stopped, otherness(seat, license));
                ways.push((unlike, n, units.len()));
            }
        }
        let first = units.last().map_or(0, |u: &Range<usize>| u.end);
        units.push(first..first + of_item.len());
    }
    ways.sort_unstable();
    let (mut own, mut taken) = (vec![None; seats.len()], vec![false; licenses.len()]);
    for (_, license, item) in ways {
        if !taken[license]
            && let Some(seat) = units[item].next()
        {
            (own[seat], taken[license]) = (Some(licenses[license]), true);
        }
    }
    let pairs = seats
        .iter()
        .zip(own)
        .filter_map(|(seat, own)| Some((*seat, own?)));
    let left = licenses
        .iter()
        .zip(taken)
        .filter_map(|(l, taken)| (!taken).then_some(*l));
    (pairs.collect(), left.collect())
}

/// How little a license is like a seat: whether it has other devices, and how far apart their ends are.
fn otherness(seat: &SeatDue, license: &FoundLicense) -> (bool, u64) {
    let devices = license
        .devices
        .is_some_and(|devices| devices != seat.devices);
    (devices, apart(seat, license))
}

/// How far a license's end is from the one that it should have, in ms; what is not told is no reason against it.
fn apart(seat: &SeatDue, license: &FoundLicense) -> u64 {
    let (should, exact) = match seat.want {
        Want::Live { until } => (Some(until), true),
        // What is not paid or was given back has no end of its own: the item's period has.
        Want::Nothing | Want::Suspended | Want::Revoked => (
            seat.period
                .map(|(_, end)| end)
                .or(seat.paid_until)
                .map(Some),
            false,
        ),
    };
    match (should, license.expires_at) {
        (Some(Some(until)), Some(Some(ends))) => {
            let apart = (until - ends).ms().unsigned_abs();
            let same = !exact && apart <= SAME_PERIOD.ms().unsigned_abs();
            if same { 0 } else { apart }
        }
        (Some(None), Some(Some(_))) | (Some(Some(_)), Some(None)) => u64::MAX,
        (Some(None), Some(None)) | (None, _) | (_, None) => 0,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::action::GrantStatus;
    use crate::domain::entitlement::Why;
    use crate::domain::id::LicenseKey;
    use crate::domain::plan::Devices;

    pub const NOW: Timestamp = Timestamp::from_s(0);

    /// A seat that is paid for so many days.
    pub fn seat(item: &str, days: i64, devices: u32) -> SeatDue {
        let until = Some(Timestamp::from_s(days * 86_400));
        SeatDue {
            item: item.into(),
            aliases: BTreeSet::new(),
            unit: 1,
            plan: None,
            app_id: None,
            devices: Devices::Count(devices),
            want: Want::Live { until },
            why: Why::Due,
            since: Some(NOW),
            paid_until: until,
            period: until.map(|until| (NOW, until)),
            row: None,
            guessed: false,
        }
    }

    /// A license that works for so many days.
    pub fn license(key: &str, days: i64, devices: Option<u32>) -> FoundLicense {
        FoundLicense {
            key: LicenseKey::new(key),
            app_id: None,
            status: Some(GrantStatus::Live),
            expires_at: Some(Some(Timestamp::from_s(days * 86_400))),
            devices: devices.map(Devices::Count),
            label: None,
            made: None,
            seat: None,
        }
    }

    fn pairs(seats: &[SeatDue], licenses: &[FoundLicense]) -> Vec<String> {
        let (pairs, _) = pair(
            &seats.iter().collect::<Vec<_>>(),
            &licenses.iter().collect::<Vec<_>>(),
            NOW,
        );
        let name = |(s, l): (&SeatDue, &FoundLicense)| format!("{} {}", s.item, l.key.reveal());
        pairs.into_iter().map(name).collect()
    }

    #[test]
    fn each_item_keeps_the_license_that_was_made_for_it() {
        let (month, year) = (license("M", 30, None), license("Y", 365, None));
        let seats = [seat("monthly", 33, 1), seat("yearly", 368, 1)];
        for licenses in [[year.clone(), month.clone()], [month, year]] {
            assert_eq!(pairs(&seats, &licenses), ["monthly M", "yearly Y"]);
        }
        let licenses = [license("five", 30, Some(5)), license("one", 31, Some(1))];
        let seats = [seat("solo", 33, 1), seat("team", 33, 5)];
        assert_eq!(pairs(&seats, &licenses), ["solo one", "team five"]);
    }

    fn unpaid(item: &str, days: i64) -> SeatDue {
        SeatDue {
            want: Want::Nothing,
            paid_until: None,
            ..seat(item, days, 1)
        }
    }

    fn revoked(key: &str, days: i64) -> FoundLicense {
        FoundLicense {
            status: Some(GrantStatus::Revoked),
            ..license(key, days, None)
        }
    }

    #[test]
    fn an_item_that_should_not_work_now_keeps_the_license_of_its_period() {
        let (month, year) = (revoked("M", 30), revoked("Y", 365));
        let seats = [unpaid("yearly", 368), unpaid("monthly", 33)];
        for licenses in [[year.clone(), month.clone()], [month, year]] {
            assert_eq!(pairs(&seats, &licenses), ["yearly Y", "monthly M"]);
        }
    }

    #[test]
    fn one_that_was_given_up_takes_no_place_among_those_that_may_come_back() {
        let licenses = [
            license("M", 30, None),
            revoked("given up", 20),
            revoked("Y", 365),
        ];
        let seats = [seat("monthly", 33, 1), unpaid("yearly", 368)];
        assert_eq!(pairs(&seats, &licenses), ["monthly M", "yearly Y"]);
    }

    #[test]
    fn a_seat_without_a_license_of_its_own_takes_none_that_fits_another() {
        let grace = SeatDue {
            period: Some((NOW, Timestamp::from_s(31 * 86_400))),
            ..seat("monthly", 30, 5)
        };
        let year = license("Y", 365, Some(2));
        let with = |devices, license: FoundLicense| FoundLicense {
            devices: Some(Devices::Count(devices)),
            ..license
        };
        let licenses = [
            year,
            with(2, revoked("given up", 20)),
            with(5, revoked("M", 1)),
        ];
        let seats = [grace, seat("yearly", 365, 2)];
        assert_eq!(pairs(&seats, &licenses), ["monthly M", "yearly Y"]);
        assert_eq!(pairs(&seats, &licenses[..1]), ["yearly Y"]);
    }

    #[test]
    fn of_several_of_one_period_the_best_is_taken() {
        let licenses = [license("in use", 28, None), license("spare", 33, None)];
        assert_eq!(
            pairs(&[seat("monthly", 33, 1)], &licenses),
            ["monthly in use"]
        );
        assert_eq!(
            pairs(&[unpaid("monthly", 33)], &licenses),
            ["monthly in use"]
        );
    }
}
