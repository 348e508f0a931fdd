//! Licenses that exist although this store knows nothing of them: others made them before it began, or it made them itself
//! in a time of which it has no memory, because a copy of it was put back (rule 52).
//!
//! Here is decided which purchases look for such a license before one is made. `labels` says under which labels.

mod beginning;
mod class;
mod differences;
mod ends;
mod found;
mod given_up;
mod kept_back;
mod labels;
mod link;
mod makers;
mod margin;
mod meant;
mod noted;
mod noted_seat;
mod pairing;
mod remark;
mod repair;
#[cfg(test)]
pub(crate) mod samples;
mod unknown;
mod would;

pub use beginning::{
    began_before, begun_by, gets_key, is_served, is_unread, only_gives, was_heard_of,
};
pub use class::{Asking, Class, Examined, Judged, NEAR_RENEWAL, Suggestion, Waits};
pub use differences::{AuditNote, Differences, DifferingPurchase};
pub use ends::{Belongs, SeatEnds};
pub use found::FoundLicense;
pub(super) use kept_back::WaitingEnds;
pub use labels::{Metadata, Template, TemplateError, labels_of, labels_with};
pub use link::{ADOPTED_PREFIX, Linked, Linking, is_untouched, link_found};
pub use makers::{Made, MadeHere, made_by_another};
pub(super) use margin::gives_margin;
pub use margin::leave_margins;
pub use meant::{KeyEnd, Meant, may_have_key};
pub use noted::note_seats;
pub use noted_seat::NotedSeat;
pub use remark::Remark;
pub use repair::{Repair, Unrepaired};

use minicbor::{Decode, Encode};

use beginning::slept_through;
use pairing::SAME_PERIOD;
pub(super) use pairing::given_for_its_period;

use super::action::{Action, ActionOutcome, CreatePhase, SeatId};
use super::entitlement::{Entitlement, Want, Why};
use super::fact::{EndReason, Fact, Subscription, SubscriptionEvent};
use super::lifecycle::{Kind, State, subscription::SubscriptionState as Life};
use super::machine::{Grant, Machine};
use super::matching::match_seats;
use super::policy::OnCancel;
use super::terms::Terms;
use super::time::{Span, Timestamp};

/// So many gaps are kept apart. Beyond it the two that lie closest together count as one: that only looks more often.
pub const GAPS_MAX: usize = 200;

/// A time of which the store has no memory of its own: the process was down, a copy was put back, or the clock moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Gap {
    /// Its first instant: the last heartbeat before it.
    #[n(0)]
    pub from: Timestamp,
    /// Its last instant.
    #[n(1)]
    pub to: Timestamp,
    /// When it was noticed; later than `to` only where the clock went back.
    #[n(2)]
    pub noted: Timestamp,
}

impl Gap {
    /// The gap between the last heartbeat and the present, in whichever direction the clock went.
    #[must_use]
    pub fn between(heartbeat: Timestamp, now: Timestamp) -> Self {
        Self {
            from: heartbeat.min(now),
            to: heartbeat.max(now),
            noted: now,
        }
    }

    /// Whether a fact is of before the gap's end and was heard of only after it. Where it begins does not matter: Stripe
    /// delivers late, and what was delivered in the gap is what is missing.
    fn hides(&self, fact: &Fact) -> bool {
        fact.received >= self.noted && fact.at < self.to
    }
}

/// What was missed in a gap is fetched in this part of its length, or within [`MISSED_TOLD_MAX`].
const MISSED_TOLD_SHARE: i64 = 100;
const MISSED_TOLD_MAX: Span = Span::from_minutes(10);

/// From when on a license that somebody may have made is looked for: once what was missed in the latest gap had time to be
/// fetched. Of a purchase with several items, one may have ended in the gap with its license: a recovery that knows only the
/// beginning takes the working license of another item for it, and the end that is told next revokes that one. Of what was
/// sold after the gap nothing was missed in it.
#[must_use]
pub fn looks_from(machine: &Machine, gaps: &[Gap], now: Timestamp) -> Timestamp {
    let over = gaps.last().map(|gap| gap.to);
    if began_before(machine, over, &[]) {
        fetched_by(gaps, now)
    } else {
        now
    }
}

/// When what was missed in the latest gap is known.
fn fetched_by(gaps: &[Gap], now: Timestamp) -> Timestamp {
    let fetched = |gap: &Gap| {
        let share = Span::from_ms((gap.to - gap.from).ms() / MISSED_TOLD_SHARE);
        gap.noted + share.min(MISSED_TOLD_MAX)
    };
    // Over a clock that was set back nothing was missed, and one that was set back since has left instants that are no longer
    // to come.
    let slept = |gap: &&Gap| gap.noted <= now && gap.to <= gap.noted;
    let known = gaps.last().filter(slept);
    known.map_or(now, |gap| fetched(gap).max(now))
}

/// Adds a gap to those known, in the order in which they were noticed.
pub fn add_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    gaps.push(gap);
    while gaps.len() > GAPS_MAX {
        let apart = |n: &usize| (gaps[n + 1].from - gaps[*n].to).ms();
        // The newest stays as it is: by it the creates that wait are judged.
        let Some(first) = (0..gaps.len() - 2).min_by_key(apart) else {
            return;
        };
        let later = gaps.remove(first + 1);
        let one = &mut gaps[first];
        (one.from, one.to) = (one.from.min(later.from), one.to.max(later.to));
    }
}

/// Whether the license for a seat is looked for before one is made. One that replaces a license which the machine
/// has, or had, is a new one, unless a gap may hide that it was made.
#[must_use]
pub fn recovers_first(
    machine: &Machine,
    seat: &SeatId,
    since: Option<Timestamp>,
    gaps: &[Gap],
) -> bool {
    if has_had(machine, seat) {
        return since.is_some() && slept_through(machine, gaps);
    }
    began_before(machine, since, gaps)
}

/// Whether a machine has or had a license for a seat.
#[must_use]
pub fn has_had(machine: &Machine, seat: &SeatId) -> bool {
    machine.grants.iter().any(|g| g.seat == *seat)
}

/// Whether a create that waits was decided before a gap that was noticed since: another copy of this store may have sent
/// it. A clock that went back leaves some in the future.
#[must_use]
pub fn is_doubtful(create: &Action, gaps: &[Gap], now: Timestamp) -> bool {
    let waits = create.act.creates()
        && create.outcome == ActionOutcome::Pending
        && create.phase == CreatePhase::Ready;
    let known_at = create.missed_at.unwrap_or(create.at);
    waits
        && gaps
            .last()
            .is_some_and(|gap| known_at < gap.noted || known_at > now)
}

/// Creates that wait and may have been sent by another copy of this store are looked for first. Those under way are looked
/// for anyway when nobody knows what came of them. The other copy is at work no more since the gap was noticed: one recovery after
/// that serves all that waited, whenever each of them comes up.
pub(super) fn doubt(machine: &mut Machine, gaps: &[Gap], under_way: &[u32], now: Timestamp) {
    let since = gaps.last().map_or(now, |gap| gap.noted.min(now));
    for action in machine
        .actions
        .iter_mut()
        .filter(|a| is_doubtful(a, gaps, now) && !under_way.contains(&a.id))
    {
        action.phase = CreatePhase::recover_any_age(since);
    }
}

/// Whether a purchase is over of which no payment was ever told: its license ends, and who knows it is the service alone.
#[must_use]
pub fn is_over_unpaid(machine: &Machine) -> bool {
    machine.kind == Kind::Subscription && machine.state() == Some(State::Subscription(Life::Ended))
}

/// What is due of licenses that others made for a subscription which is over, and of which no payment was ever told. What
/// was paid stands only in their own end: it counts, up to the end of the period in which the subscription ended. Where it
/// ended because a payment failed, that was for a period that no license reaches: one that lasts as long as its item's
/// period was paid for it, as a year is beside a month that is owed.
pub(super) fn bound_ends(machine: &Machine, due: &mut Entitlement, terms: Terms<'_>) {
    if !is_over_unpaid(machine) || due.seats.iter().all(|s| s.want != Want::Nothing) {
        return;
    }
    let Some((told, last, ended_at)) = last_period(machine) else {
        return;
    };
    let last_end = last.items.iter().filter_map(|i| i.period_end).max();
    let unpaid = last.end_reason == Some(EndReason::PaymentFailed);
    let matched = match_seats(machine, due);
    for (seat, grant) in due.seats.iter_mut().zip(matched) {
        let Some(grant) = grant.map(|g| &machine.grants[g]).filter(|g| g.adopted) else {
            continue;
        };
        if seat.want != Want::Nothing {
            continue;
        }
        let own = |until: Timestamp| grant.expires_at.map_or(until, |end| end.min(until));
        let period_end = if unpaid {
            let reached = |end: &Timestamp| grant.expires_at.is_some_and(|own| own >= *end);
            seat.period.map(|(_, end)| end).filter(reached)
        } else {
            last_end
        };
        let paid_until = period_end.unwrap_or(ended_at);
        let until = match terms.policy(seat.plan.as_ref(), told).on_cancel {
            OnCancel::PeriodEnd => Some(own(paid_until)),
            OnCancel::Now => Some(own(ended_at)),
            OnCancel::Keep => grant.expires_at,
        };
        (seat.want, seat.why) = (Want::Live { until }, Why::Ending);
    }
}

/// When the end was told, the snapshot that told it, and the end itself.
fn last_period(machine: &Machine) -> Option<(Timestamp, &Subscription, Timestamp)> {
    let ends = machine.facts.iter().filter_map(|f| {
        let s = f.subscription()?;
        (s.event == SubscriptionEvent::Deleted || s.ended_at.is_some()).then_some((f.at, s))
    });
    let (told, snapshot) = ends.min_by_key(|(at, _)| *at)?;
    Some((told, snapshot, snapshot.ended_at.unwrap_or(told)))
}

/// Whether time that another hand gave a license is left to it though it should not work any more. What stood in a license
/// when it was taken over was given for as long as the purchase lasts.
#[must_use]
pub fn outlives_purchase(grant: &Grant, wants_live: bool) -> bool {
    wants_live || !grant.adopted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{FactBody, Payment};
    use crate::domain::id::{MachineId, SourceName};

    const fn s(s: i64) -> Timestamp {
        Timestamp::from_s(s)
    }

    /// A purchase with one fact, of one instant and heard at another.
    fn told(at: i64, received: i64) -> Machine {
        let source = SourceName::from("stripe");
        let mut machine = Machine::new(
            "stripe/cs_1".parse::<MachineId>().unwrap(),
            Kind::Payment,
            source,
            None,
        );
        machine.facts.push(Fact {
            id: "evt_1".into(),
            kind: "test".to_owned(),
            at: s(at),
            received: s(received),
            body: FactBody::Payment(Payment::default()),
            chain: None,
        });
        machine
    }

    #[test]
    fn what_is_older_or_was_told_in_a_gap_looks_first() {
        let gaps = [Gap::between(s(200), s(260)), Gap::between(s(500), s(510))];
        for (at, received, looks) in [
            (90, 95, true),    // before the store
            (110, 115, false), // it was told of at once
            (110, 265, true),  // told of late: in the gap it may have been told of before
            (190, 199, false),
            (210, 261, true),
            (262, 300, false), // told of before the second gap
            (499, 511, true),
            (511, 512, false),
        ] {
            assert_eq!(
                began_before(&told(at, received), Some(s(100)), &gaps),
                looks,
                "{at} {received}"
            );
        }
        assert!(
            !began_before(&told(90, 95), None, &[]),
            "in replay nothing is older"
        );
    }

    #[test]
    fn a_clock_that_went_back_leaves_a_gap_ahead_of_it() {
        let gap = Gap::between(s(1000), s(400));
        assert_eq!((gap.from, gap.to, gap.noted), (s(400), s(1000), s(400)));
        assert!(began_before(&told(900, 401), Some(s(0)), &[gap]));
        assert!(!began_before(&told(1001, 1002), Some(s(0)), &[gap]));
    }

    #[test]
    fn a_look_waits_until_what_a_gap_hid_could_be_fetched() {
        let started = s(1_000_000);
        let gap = |length: Span| [Gap::between(started - length, started)];
        let month = Span::from_hours(24 * 30);
        for (length, after, wait_s) in [
            (Span::from_s(100), Span::ZERO, 1), // a start for an upgrade
            (Span::from_hours(1), Span::ZERO, 36),
            (month, Span::ZERO, 600),
            (month, Span::from_s(599), 1), // until the same instant for everybody
            (month, Span::from_s(601), 0),
            (month, Span::from_s(-9), 0), // the clock was set back since
        ] {
            let now = started + after;
            assert_eq!(
                fetched_by(&gap(length), now),
                now + Span::from_s(wait_s),
                "{length} {after}"
            );
        }
        assert_eq!(fetched_by(&[], s(7)), s(7));
        let set_back = Gap::between(started + month, started);
        assert_eq!(fetched_by(&[set_back], started), started);
        // What was sold since was not missed.
        let at = |began: Timestamp| looks_from(&told(began.s(), 1_000_001), &gap(month), started);
        assert_eq!(at(started), started);
        assert_eq!(at(started - Span::from_s(1)), started + Span::from_s(600));
    }

    #[test]
    fn of_too_many_gaps_neighbours_count_as_one() {
        let mut gaps = Vec::new();
        for n in 0..i64::try_from(GAPS_MAX).unwrap() {
            add_gap(&mut gaps, Gap::between(s(n * 100), s(n * 100 + 10)));
        }
        let newest = Gap::between(s(1_000_000), s(1_000_001));
        add_gap(&mut gaps, newest);
        assert_eq!(
            (gaps.len(), gaps[0], gaps.last()),
            (
                GAPS_MAX,
                Gap {
                    from: s(0),
                    to: s(110),
                    noted: s(10)
                },
                Some(&newest)
            )
        );
    }
}
