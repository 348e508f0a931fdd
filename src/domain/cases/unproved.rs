//! What is not proved takes nothing: a purchase whose beginning nobody told is only given to, and a license that its service
//! calls revoked is read again.

use super::decisions::rekey;
use super::*;
use crate::domain::adoption::ADOPTED_PREFIX;
use crate::domain::hold::Hold;

impl Case {
    /// What is held, by kind, and by what.
    #[track_caller]
    pub(super) fn holds(&mut self, wanted: &[(&str, Hold)]) -> &mut Self {
        let held = self
            .machine
            .actions
            .iter()
            .filter(|a| a.outcome == ActionOutcome::Held);
        let held: Vec<(&str, Hold)> = held
            .map(|a| (a.act.as_str(), a.held.clone().unwrap()))
            .collect();
        assert_eq!(held, wanted, "on day {}", days(self.now));
        self
    }

    /// The instants at which the license was read, in hours since one.
    fn read_after(&self, since: f64) -> Vec<i64> {
        let read =
            |a: &&Action| matches!(a.act, Act::Read { .. }) && a.outcome == ActionOutcome::Done;
        let reads = self.machine.actions.iter().filter(read);
        reads
            .map(|a| (a.at - day(since)).ms() / 3_600_000)
            .collect()
    }
}

/// A subscription that is older than the store, and late for something that nobody told of. Its license, made by somebody
/// else, ends long after the grace.
fn late_for_unknown() -> Case {
    let mut case = Case::subscription(|_| {});
    case.since = Some(day(20.0));
    case.there = Some((GrantStatus::Live, Some(day(400.0)), Devices::Count(3)));
    case.shown(31.0, 30.0, 60.0, |s| {
        (s.status, s.created) = (SubscriptionStatus::PastDue, Some(day(-60.0)));
    });
    case
}

#[test]
fn a_purchase_of_unknown_beginning_loses_nothing_by_a_grace_that_is_guessed() {
    let mut case = late_for_unknown();
    let held = ("suspend_license", Hold::BeginningUnknown);
    case.on(50.0)
        .is("lapsed: live 400")
        .holds(std::slice::from_ref(&held))
        .on(90.0)
        .holds(&[held]);
    // Once it is told from its beginning, its grace is no guess any more.
    let began = snapshot(-60.0, -30.0, |s| {
        (s.event, s.created) = (SubscriptionEvent::Created, Some(day(-60.0)));
    });
    case.told_late(91.0, -60.0, "customer.subscription.created", began);
    case.holds(&[]).is("lapsed: suspended");
}

#[test]
fn a_fact_that_itself_ends_a_purchase_of_unknown_beginning_is_carried_out() {
    let mut failed = late_for_unknown();
    failed
        .failed(31.5, "in_2", 30.0, 60.0)
        .on(50.0)
        .holds(&[])
        .is("lapsed: suspended");
    let mut refunded = late_for_unknown();
    refunded
        .paid(32.0, "in_2", 30.0, 60.0)
        .told(33.0, "refund.created", refund("re_1", "in_2", 1))
        .holds(&[])
        .is("active: revoked");
    let mut told = late_for_unknown();
    told.decide(32.0, Verb::Revoke)
        .holds(&[])
        .is("grace: revoked");
}

/// A year was paid, a trial was added, and what the year that begins after it costs fails: the store began in between. The
/// license was given for that year, so its end waits for a person; a month's failed renewal meets a license that ends.
#[test]
fn what_others_gave_for_the_very_period_that_fails_waits_for_a_person() {
    let late = |ends: f64, to: f64| {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(20.0));
        case.there = Some((GrantStatus::Live, Some(day(ends)), Devices::Count(3)));
        case.failed(31.0, "in_2", 30.0, to)
            .shown(31.1, 30.0, to, |s| {
                (s.status, s.created) = (SubscriptionStatus::PastDue, Some(day(-60.0)));
            });
        case
    };
    let held = ("suspend_license", Hold::BeginningUnknown);
    late(368.0, 395.0)
        .on(50.0)
        .is("lapsed: live 368")
        .holds(std::slice::from_ref(&held));
    late(33.0, 60.0).on(50.0).is("lapsed: suspended").holds(&[]);
    // It was given for ever, whatever fails: what is told ends it.
    late(800.0, 395.0)
        .on(50.0)
        .is("lapsed: suspended")
        .holds(&[]);
}

/// The same with a store that was there from the beginning: a guess is as good as its facts.
#[test]
fn a_purchase_of_our_own_time_lapses_as_ever() {
    let mut case = Case::subscription(|_| {});
    case.since = Some(day(-100.0));
    case.paid(0.0, "in_1", 0.0, 30.0)
        .changed_there(5.0, Some(400.0), 3);
    case.shown(31.0, 30.0, 60.0, |s| s.status = SubscriptionStatus::PastDue)
        .on(50.0)
        .holds(&[])
        .is("lapsed: suspended");
}

/// Rule 51: a license that its service calls revoked, and that nobody here ended, is left so and told. A service can be wrong
/// for an hour: it is read again, soon and then ever more rarely.
#[test]
fn a_license_that_its_service_calls_revoked_is_read_again_ever_more_rarely() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 365.0);
    case.on(1.0);
    case.machine.grants[0].status = GrantStatus::Revoked;
    case.reconcile();
    case.tells(1.0, "revoked").on(31.0);
    assert_eq!(
        case.read_after(1.0),
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 256 + 168, 256 + 2 * 168]
    );
    case.is("active: revoked");
    assert_eq!(case.machine.licenses_created(), 1, "no key is made for it");
    // The service has come to its senses: nothing is sent, and nothing is read any more.
    case.machine.grants[0].status = GrantStatus::Live;
    case.on(60.0).is("active: live 368");
    assert_eq!(case.read_after(1.0).len(), 11);
}

/// What we ended ourselves, or what should not work anyway, is not doubted.
#[test]
fn a_license_that_was_ended_here_is_not_read_again() {
    let mut refunded = Case::subscription(|_| {});
    refunded
        .paid(0.0, "in_1", 0.0, 30.0)
        .told(2.0, "refund.created", refund("re_1", "in_1", 1))
        .is("active: revoked")
        .on(29.0);
    assert_eq!(refunded.read_after(2.0), [0; 0]);
    let mut rekeyed = Case::subscription(|_| {});
    rekeyed
        .paid(0.0, "in_1", 0.0, 30.0)
        .decide(1.0, rekey())
        .on(29.0)
        .is("active: revoked, live 33");
    assert_eq!(rekeyed.read_after(1.0), [0; 0]);
}

/// A license that was brought back is read once more, two hours later: that it works was the word of a service that can be wrong
/// for an hour, and nothing else would ask for it until it renews.
#[test]
fn a_license_that_was_brought_back_is_read_once_more() {
    let brought_back = || {
        let mut case = Case::subscription(|_| {});
        case.paid(0.0, "in_1", 0.0, 365.0);
        for (at, status) in [(2.0, DisputeStatus::Open), (9.0, DisputeStatus::Won)] {
            let told = dispute("dp_1", "in_1", status);
            case.told(at, "charge.dispute.updated", told);
        }
        case.is("active: live 368");
        case
    };
    let mut works = brought_back();
    works.on(60.0).is("active: live 368");
    assert_eq!(works.read_after(9.0), [2]);
    let mut did_nothing = brought_back();
    did_nothing.garbles = Some(|license| license.status = GrantStatus::Suspended);
    did_nothing.on(9.1).is("active: suspended");
    did_nothing.garbles = None;
    did_nothing.on(12.0).is("active: live 368");
}

/// An event that asks for no end sets none free that waits for a yes, also where it moves it. One that asks for it does.
#[test]
fn an_end_that_waits_for_a_yes_waits_on_when_an_event_moves_it() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    let grant = &mut case.machine.grants[0];
    (grant.adopted, grant.expires_at) = (true, Some(day(90.0)));
    let ends = |s: &mut Subscription| s.cancel_at_period_end = true;
    case.now = day(5.0);
    case.machine.adopted_at = Some(day(5.0));
    let fact = Fact {
        id: format!("{ADOPTED_PREFIX}sub_1").as_str().into(),
        kind: "customer.subscription.updated".to_owned(),
        at: case.now,
        received: case.now,
        body: snapshot(0.0, 30.0, ends),
        chain: None,
    };
    add_fact(&mut case.machine, &fact);
    case.reconcile();
    let waits = [("extend_license", Hold::Adoption)];
    case.holds(&waits).acts("create");
    case.shown(12.0, 0.0, 32.0, ends)
        .holds(&waits)
        .acts("create");
    assert_eq!(case.machine.grants[0].expires_at, Some(day(90.0)));
    case.shown(13.0, 0.0, 20.0, ends)
        .holds(&[])
        .is("active: live 30");
}
