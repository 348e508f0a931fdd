//! Takes licenses that somebody else made over as a purchase's own, when it is adopted: one for each seat that has none.

use super::found::FoundLicense;
use super::noted_seat::NotedSeat;
use super::pairing::pair;
use crate::domain::action::{Action, ActionOutcome, GrantStatus};
use crate::domain::entitlement::{Entitlement, SeatDue, Want};
use crate::domain::fact::Fact;
use crate::domain::finding::{Finding, Report};
use crate::domain::hold::{Cleared, Hold};
use crate::domain::machine::{ExternalChanges, Grant, Machine};
use crate::domain::matching::{is_for, match_seats};
use crate::domain::notice::{Notice, NoticeStatus};
use crate::domain::service_move::ServiceKind;
use crate::domain::time::Timestamp;

/// What a purchase is when licenses are found for it.
#[derive(Clone, Copy, Debug)]
pub struct Linking<'a> {
    /// What should be.
    pub due: &'a Entitlement,
    /// Whether `due` has every item: else a license that was noted for an item waits until that is heard of.
    pub whole: bool,
    /// Creates that were sent. Their seats get none: they may be making theirs.
    pub under_way: &'a [u32],
    /// The license service where they were found.
    pub service: Option<ServiceKind>,
    /// The instant.
    pub now: Timestamp,
}

/// What became of licenses that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// Whether a seat got one.
    pub any: bool,
    /// Those that are for seats which are not heard of yet.
    pub waiting: Vec<FoundLicense>,
}

/// Gives each seat without a license the one that was noted for it, else one of those that were found, of the best as many
/// as are wanted ([`pair`]). What is left over is told.
pub fn link_found(machine: &mut Machine, found: &[FoundLicense], of: Linking<'_>) -> Linked {
    let (due, now) = (of.due, of.now);
    if due.seats.is_empty() {
        // No plan names its price yet: what was noted for it waits.
        return Linked {
            any: false,
            waiting: found.to_vec(),
        };
    }
    let matched = match_seats(machine, due);
    let makes = |seat: &SeatDue| {
        let mut open = machine.open_actions();
        open.any(|a| of.under_way.contains(&a.id) && is_for(a, seat))
    };
    let mut seats: Vec<&SeatDue> = due
        .seats
        .iter()
        .zip(&matched)
        .filter(|(seat, grant)| grant.is_none() && !makes(seat))
        .map(|(seat, _)| seat)
        .collect();
    seats.sort_by_key(|seat| !seat.want.live_at(now));
    let is_known = |l: &&FoundLicense| machine.grants.iter().any(|g| g.key == l.key);
    let (mut usable, mut others): (Vec<&FoundLicense>, Vec<&FoundLicense>) = found
        .iter()
        .filter(|l| !is_known(l))
        .partition(|l| l.status.is_some());
    let mut pairs = noted_pairs(&mut seats, &mut usable);
    let (mut free, mut waiting) = (Vec::new(), Vec::new());
    for license in usable {
        let noted = license.seat.as_ref();
        match noted.map(|noted| due.seats.iter().find(|s| noted.is(s))) {
            None => free.push(license),
            Some(None) if of.whole => free.push(license),
            Some(None) => waiting.push(license.clone()),
            Some(Some(seat)) if makes(seat) => waiting.push(license.clone()),
            // Its seat has a license by now.
            Some(Some(_)) => others.push(license),
        }
    }
    let (own, left) = pair(&seats, &free, now);
    pairs.extend(own);
    others.extend(left);
    let linked = Linked {
        any: !pairs.is_empty(),
        waiting,
    };
    // One that was revoked is nobody's: there is nothing to be chosen.
    let usable = others
        .into_iter()
        .filter(|l| l.status != Some(GrantStatus::Revoked));
    let others: Vec<_> = usable.map(|l| l.key.clone()).collect();
    for (seat, license) in pairs {
        close_creates(machine, seat, now);
        let number = number_of(machine, license);
        machine.last_number = machine.last_number.max(number);
        machine.grants.push(Grant {
            service: of.service,
            ..grant(number, seat, license, now)
        });
    }
    let finding = Finding::OtherLicenses(others.clone());
    if !others.is_empty() && !machine.told.iter().any(|t| t.finding == finding) {
        machine.told.push(Report::new(now, finding));
    }
    linked
}

/// A create for a seat that has its license now is for nothing, and nobody is asked about it. One that was sent once is looked
/// for first, as always.
fn close_creates(machine: &mut Machine, seat: &SeatDue, now: Timestamp) {
    let unsent = |a: &&mut Action| a.is_open() && a.act.creates() && a.attempts == 0;
    let creates = machine.actions.iter_mut().filter(unsent);
    for action in creates.filter(|a| is_for(a, seat)) {
        (action.outcome, action.at) = (ActionOutcome::Superseded, now);
    }
}

/// Takes out each seat with the license that was noted for it: by the item's own name first, then by others.
fn noted_pairs<'s, 'l>(
    seats: &mut Vec<&'s SeatDue>,
    licenses: &mut Vec<&'l FoundLicense>,
) -> Vec<(&'s SeatDue, &'l FoundLicense)> {
    let mut pairs = Vec::new();
    for is in [NotedSeat::is_exactly, NotedSeat::is] {
        seats.retain(|seat| {
            let noted = |l: &&FoundLicense| l.seat.as_ref().is_some_and(|noted| is(noted, seat));
            let own = licenses.iter().position(noted);
            pairs.extend(own.map(|n| (*seat, licenses.remove(n))));
            own.is_none()
        });
    }
    pairs
}

/// The beginning of the ids of what was read at Stripe when a purchase was adopted.
pub const ADOPTED_PREFIX: &str = "adopt_";

/// Whether a purchase is as it was when it was adopted: nothing was heard of it since or before, nothing was done, and nobody
/// said anything of what it holds.
#[must_use]
pub fn is_untouched(machine: &Machine) -> bool {
    let Some(at) = machine.adopted_at else {
        return false;
    };
    let read_then = |f: &Fact| f.received <= at && f.id.as_str().starts_with(ADOPTED_PREFIX);
    let sent = |a: &Action| a.attempts > 0 || a.outcome == ActionOutcome::Done;
    let by_person = |a: &Action| {
        let said = matches!(
            a.cleared,
            Some(Cleared::Person { .. } | Cleared::Repair { .. })
        );
        // Nobody else gives one up.
        let given_up = a.outcome == ActionOutcome::Abandoned;
        said || given_up || matches!(a.held, Some(Hold::Person { .. }))
    };
    let mailed = |n: &Notice| n.attempts > 0 || n.status == NoticeStatus::Sent;
    // rule 35: a license comes over by a person's yes to a create, which is gone then.
    let moved = !machine.moved_out.is_empty() || machine.grants.iter().any(|g| g.moved_in);
    machine.extensions.is_empty()
        && !moved
        && machine
            .facts
            .iter()
            .all(|f| read_then(f) || f.is_override())
        && !machine.actions.iter().any(|a| sent(a) || by_person(a))
        && !machine.notices.iter().any(mailed)
}

/// The number in its label, where that is ours and free; else the next.
fn number_of(machine: &Machine, license: &FoundLicense) -> u32 {
    let label = license.label.as_deref();
    let told = label.and_then(|l| l.rsplit_once(" #")?.1.parse().ok());
    let is_free = |n: &u32| !machine.grants.iter().any(|g| g.number == *n);
    // A label's number is a customer's text until it is a small one.
    told.filter(|n| (1..=NUMBER_MAX).contains(n) && is_free(n))
        .unwrap_or(machine.last_number + 1)
}

/// The highest number that is believed of a label.
const NUMBER_MAX: u32 = 1_000;

fn grant(number: u32, seat: &SeatDue, license: &FoundLicense, now: Timestamp) -> Grant {
    let status = license.status.unwrap_or(GrantStatus::Live);
    let expires_at = license.expires_at.flatten();
    let devices = license.devices.unwrap_or(seat.devices);
    let time = match (seat.want, expires_at) {
        (Want::Live { until: Some(_) }, None) => true,
        (Want::Live { until: Some(until) }, Some(ends)) => ends.whole_s() > until.whole_s(),
        (Want::Live { until: None } | Want::Nothing | Want::Suspended | Want::Revoked, _) => false,
    };
    let given = ExternalChanges {
        time,
        devices: devices > seat.devices,
    };
    Grant {
        number,
        seat: crate::domain::action::SeatId {
            item: seat.item.clone(),
            unit: seat.unit,
        },
        key: license.key.clone(),
        app_id: seat.app_id.clone(),
        plan: seat.plan.clone(),
        status,
        expires_at,
        devices,
        since: now,
        adopted: true,
        ever_revoked: status == GrantStatus::Revoked,
        replaced: false,
        unsettled_until: None,
        moved_in: false,
        given: Some(given).filter(|g| *g != ExternalChanges::default()),
        service: None,
        service_move: None,
        revocation_due: None,
        replace_if_revoked: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::pairing::tests::{NOW, license, seat};
    use super::*;
    use crate::domain::action::samples::create;
    use crate::domain::adoption::note_seats;
    use crate::domain::lifecycle::Kind;

    /// A purchase after licenses were found for it: which item has which, and which wait.
    fn linked(
        machine: &mut Machine,
        seats: &[SeatDue],
        whole: bool,
        found: &[FoundLicense],
    ) -> (Vec<String>, Vec<FoundLicense>) {
        let due = Entitlement {
            seats: seats.to_vec(),
            complete: true,
            ..Entitlement::default()
        };
        let of = Linking {
            due: &due,
            whole,
            under_way: &[],
            service: None,
            now: NOW,
        };
        let linked = link_found(machine, found, of);
        let held = machine.grants.iter();
        let held = held.map(|g| format!("{} {}", g.seat.item, g.key.reveal()));
        (held.collect(), linked.waiting)
    }

    fn purchase() -> Machine {
        let id = "stripe/sub_1".parse().unwrap();
        Machine::new(id, Kind::Subscription, "stripe".into(), None)
    }

    /// The licenses of a monthly and a yearly item, the yearly first, as they were noted.
    fn noted(seats: &[SeatDue]) -> Vec<FoundLicense> {
        let due = Entitlement {
            seats: seats.to_vec(),
            ..Entitlement::default()
        };
        let found = vec![license("Y", 365, None), license("M", 30, None)];
        note_seats(&due, found, NOW)
    }

    #[test]
    fn an_event_of_one_item_takes_no_license_that_was_noted_for_another() {
        let both = [seat("monthly", 33, 1), seat("yearly", 368, 1)];
        let (mut machine, noted) = (purchase(), noted(&both));
        let (held, waiting) = linked(&mut machine, &both[..1], false, &noted);
        assert_eq!(held, ["monthly M"]);
        assert_eq!(waiting, noted[..1], "the other one waits for its item");
        assert!(machine.told.is_empty(), "{:?}", machine.told);
        let (held, waiting) = linked(&mut machine, &both, true, &waiting);
        assert_eq!((held.len(), waiting.len()), (2, 0));
        assert_eq!(held[1], "yearly Y");
    }

    #[test]
    fn a_license_that_was_noted_for_an_item_that_is_gone_goes_to_its_successor() {
        let noted = noted(&[seat("monthly", 33, 1), seat("yearly", 368, 1)]);
        let after = [seat("yearly", 368, 1), seat("other", 33, 1)];
        let (held, waiting) = linked(&mut purchase(), &after, false, &noted);
        assert_eq!((held.join(", "), waiting.len()), ("yearly Y".to_owned(), 1));
        let (held, waiting) = linked(&mut purchase(), &after, true, &noted);
        assert_eq!(held, ["yearly Y", "other M"]);
        assert_eq!(waiting, []);
    }

    #[test]
    fn a_create_that_nobody_sent_is_for_nothing_once_its_seat_has_a_license() {
        for (attempts, outcome) in [(0, ActionOutcome::Superseded), (1, ActionOutcome::Held)] {
            let mut machine = purchase();
            let mut create = create("monthly", 1, NOW);
            (create.outcome, create.held) = (ActionOutcome::Held, Some(Hold::Adoption));
            create.attempts = attempts;
            machine.actions.push(create);
            let seats = [seat("monthly", 33, 1)];
            let found = [license("M", 30, None)];
            let (held, _) = linked(&mut machine, &seats, true, &found);
            assert_eq!(held, ["monthly M"]);
            assert_eq!(machine.actions[0].outcome, outcome, "{attempts}");
        }
    }

    #[test]
    fn a_license_is_found_by_other_names_of_its_item() {
        let by_id = SeatDue {
            aliases: BTreeSet::from(["price_month".into()]),
            ..seat("monthly", 33, 1)
        };
        let noted = noted(&[by_id, seat("yearly", 368, 1)]);
        let old_event = [seat("price_month", 33, 1)];
        let (held, waiting) = linked(&mut purchase(), &old_event, false, &noted);
        assert_eq!(
            (held.join(", "), waiting.len()),
            ("price_month M".to_owned(), 1)
        );
    }
}
