//! The guard: how many licenses may be taken from customers in a while before a person must say yes.
//!
//! A mistake in a config, in another program or in this one looks like many stops in a short time. Beyond the limit every
//! further one is held, until a person has looked at them (rule 53).

use minicbor::{Decode, Encode};

use super::action::{Act, Action, ActionOutcome};
use super::machine::Machine;
use super::time::{Span, Timestamp};

/// How much may be taken in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// So many at least, however small the shop.
    pub max_hurtful: u32,
    /// So many of a hundred live licenses, where that is more.
    pub max_share_percent: u32,
    /// In such a while.
    pub window: Span,
}

impl GuardLimits {
    /// How many, for a shop with so many live licenses.
    #[must_use]
    pub fn max(&self, live: u64) -> usize {
        let share = live.saturating_mul(u64::from(self.max_share_percent)) / 100;
        usize::try_from(share.max(u64::from(self.max_hurtful))).unwrap_or(usize::MAX)
    }
}

/// What the guard remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct GuardRecord {
    /// When licenses were taken lately, oldest first.
    #[n(0)]
    pub taken: Vec<Timestamp>,
    /// Since when everything hurtful is held.
    #[n(1)]
    pub tripped: Option<Timestamp>,
}

/// Whether something hurtful may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, and was counted.
    Counted,
    /// It is held; the first one in a row trips the guard.
    Held {
        /// Whether this one did.
        trips: bool,
    },
}

impl GuardRecord {
    /// The clock was set forward: what was taken a moment ago was not taken so much longer ago.
    pub fn clock_set_forward(&mut self, by: Span) {
        self.taken.iter_mut().for_each(|at| *at = *at + by);
    }

    /// Counts one that is about to be taken, or says that it must not be.
    pub fn admit(&mut self, limits: &GuardLimits, live: u64, now: Timestamp) -> Admission {
        // By a clock that went back since, some were taken in the future.
        self.taken.iter_mut().for_each(|at| *at = now.min(*at));
        self.taken.retain(|at| *at > now - limits.window);
        if self.tripped.is_some() {
            return Admission::Held { trips: false };
        }
        if self.taken.len() >= limits.max(live) {
            self.tripped = Some(now);
            return Admission::Held { trips: true };
        }
        self.taken.push(now);
        Admission::Counted
    }
}

/// Whether an action takes a license, or time of it, from a customer who has it now.
#[must_use]
pub fn is_hurtful(machine: &Machine, action: &Action, now: Timestamp) -> bool {
    let grant = machine.grants.iter().find(|g| g.number == action.license);
    let Some(grant) = grant.filter(|g| g.live_at(now)) else {
        return false;
    };
    match &action.act {
        Act::Suspend { .. } | Act::Revoke { .. } => true,
        Act::SetExpiry {
            until: Some(until), ..
        } => grant.expires_at.is_none_or(|is| *until < is),
        Act::SetExpiry { until: None, .. }
        | Act::Create(_)
        | Act::Reinstate { .. }
        | Act::SetDevices { .. }
        | Act::ResetDevices { .. }
        | Act::Read { .. }
        | Act::Recover(_)
        | Act::Query(_) => false,
    }
}

/// What an action is called: a new end is named by what it does to the license, or did when it was carried out.
#[must_use]
pub fn name_of(machine: &Machine, action: &Action, now: Timestamp) -> &'static str {
    let over = matches!(
        action.outcome,
        ActionOutcome::Done | ActionOutcome::Superseded
    );
    let (shortens, at) = if over {
        (action.shortens == Some(true), action.at)
    } else {
        (is_hurtful(machine, action, now), now)
    };
    let end = if let Act::SetExpiry { until, .. } = &action.act {
        until.filter(|_| shortens)
    } else {
        None
    };
    end.map_or(action.act.as_str(), |until| {
        if until <= at {
            "end_license"
        } else {
            "shorten_license"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::adoption::samples::licensed;

    const LIMITS: GuardLimits = GuardLimits {
        max_hurtful: 3,
        max_share_percent: 2,
        window: Span::from_hours(1),
    };

    fn at(s: i64) -> Timestamp {
        Timestamp::from_s(s)
    }

    #[test]
    fn so_many_go_ahead_and_the_next_one_trips_it() {
        let mut record = GuardRecord::default();
        for s in 1..=3 {
            assert_eq!(record.admit(&LIMITS, 10, at(s)), Admission::Counted);
        }
        assert_eq!(
            record.admit(&LIMITS, 10, at(4)),
            Admission::Held { trips: true }
        );
        assert_eq!(
            record.admit(&LIMITS, 10, at(5)),
            Admission::Held { trips: false }
        );
        assert_eq!(
            record.admit(&LIMITS, 10, at(90_000)),
            Admission::Held { trips: false },
            "time alone does not open it"
        );
        // A person has looked at what is held.
        record = GuardRecord::default();
        assert_eq!(record.admit(&LIMITS, 10, at(90_001)), Admission::Counted);
    }

    #[test]
    fn what_was_taken_a_window_ago_counts_no_more() {
        let mut record = GuardRecord::default();
        for hour in 0..50 {
            assert_eq!(
                record.admit(&LIMITS, 0, at(hour * 1_801)),
                Admission::Counted
            );
        }
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let mut record = GuardRecord::default();
        for s in 0..3 {
            let counted = record.admit(&LIMITS, 0, at(90_000 - s * 7_200));
            assert_eq!(counted, Admission::Counted);
        }
        let tripped = record.admit(&LIMITS, 0, at(60_000));
        assert_eq!(tripped, Admission::Held { trips: true });
        // What was taken by the wrong clock is an hour old in an hour, not when that clock would say so.
        let mut record = GuardRecord::default();
        for _ in 0..3 {
            record.admit(&LIMITS, 0, at(9_000_000));
        }
        record.admit(&LIMITS, 0, at(10_000));
        record.tripped = None;
        assert_eq!(record.admit(&LIMITS, 0, at(13_601)), Admission::Counted);
    }

    #[test]
    fn a_clock_that_goes_forward_makes_nothing_older() {
        let mut record = GuardRecord::default();
        for s in 0..3 {
            record.admit(&LIMITS, 0, at(s));
        }
        record.clock_set_forward(Span::from_days(1));
        let trips = record.admit(&LIMITS, 0, at(86_410));
        assert_eq!(trips, Admission::Held { trips: true });
    }

    #[test]
    fn a_large_shop_may_take_its_share() {
        assert_eq!(LIMITS.max(100), 3);
        assert_eq!(LIMITS.max(10_000), 200);
    }

    #[test]
    fn a_new_end_is_named_by_what_it_does() {
        let machine = licensed("AAAA", Some(at(1_000)));
        for (until, name) in [
            (Some(2_000), "extend_license"),
            (None, "extend_license"),
            (Some(500), "shorten_license"),
            (Some(100), "end_license"),
            (Some(50), "end_license"),
        ] {
            let act = Act::SetExpiry {
                key: machine.grants[0].key.clone(),
                until: until.map(at),
            };
            let mut action = Action::new(1, act, 1, at(0));
            assert_eq!(name_of(&machine, &action, at(100)), name, "{until:?}");
            // The license has the new end by then, and does not say what it was.
            (action.outcome, action.at) = (ActionOutcome::Done, at(100));
            assert_eq!(name_of(&machine, &action, at(900)), "extend_license");
            action.shortens = Some(true).filter(|_| name != "extend_license");
            assert_eq!(name_of(&machine, &action, at(900)), name, "{until:?}");
        }
    }
}
