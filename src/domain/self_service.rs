//! What customers may do to their licenses by themselves, and how often. Each time is a decision of theirs, so it is counted
//! from the purchase's own facts: no restart, copy or new config forgets one.

use std::str::FromStr;

use super::decision::{Decision, Verb};
use super::machine::Machine;
use super::time::{Span, Timestamp};

/// Who decides, where customers do.
pub const CUSTOMER: &str = "customer";
/// How often keys are mailed again at a customer's wish: each purchase so many times a day.
pub const RESEND: Allowance = Allowance {
    count: 3,
    per: Span::from_days(1),
};
/// The largest number of times.
pub const COUNT_MAX: u32 = 1000;
/// The longest period.
pub const PER_MAX: Span = Span::from_days(3660);

/// So many times in any period of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many times.
    pub count: u32,
    /// The period.
    pub per: Span,
}

/// Why a text is no allowance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAllowance {
    /// It has not the form.
    #[error("`{0}` is not a number of times and a period")]
    Form(String),
    /// The number.
    #[error("`{0}` is not a number of times from 1 to {COUNT_MAX}")]
    Count(String),
    /// The period.
    #[error("`{0}` is not a period from 1s to {PER_MAX}")]
    Period(String),
}

impl FromStr for Allowance {
    type Err = NotAnAllowance;

    fn from_str(text: &str) -> Result<Self, NotAnAllowance> {
        let (count, per) = text
            .split_once('/')
            .ok_or_else(|| NotAnAllowance::Form(text.to_owned()))?;
        let (count, per) = (count.trim(), per.trim());
        let times = count.parse().ok();
        let span: Option<Span> = per.parse().ok();
        Ok(Self {
            count: times
                .filter(|n| (1..=COUNT_MAX).contains(n))
                .ok_or_else(|| NotAnAllowance::Count(count.to_owned()))?,
            per: span
                .filter(|p| *p >= Span::from_s(1) && *p <= PER_MAX)
                .ok_or_else(|| NotAnAllowance::Period(per.to_owned()))?,
        })
    }
}

/// What a plan lets its customers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfService {
    /// Have devices forgotten.
    pub reset_devices: Option<Allowance>,
    /// Get new keys in place of the old ones.
    pub rekey: Option<Allowance>,
}

impl SelfService {
    /// What all of several plans allow: of each kind the rarest. Without a plan nothing is allowed.
    #[must_use]
    pub fn common(plans: impl IntoIterator<Item = Self>) -> Self {
        let both = |one: Self, other: Self| Self {
            reset_devices: rarest(one.reset_devices, other.reset_devices),
            rekey: rarest(one.rekey, other.rekey),
        };
        plans.into_iter().reduce(both).unwrap_or_default()
    }
}

fn rarest(one: Option<Allowance>, other: Option<Allowance>) -> Option<Allowance> {
    let (one, other) = (one?, other?);
    // By times in a given time, without fractions.
    let rate = |a: Allowance, b: Allowance| i128::from(a.count) * i128::from(b.per.ms());
    Some(if rate(one, other) <= rate(other, one) {
        one
    } else {
        other
    })
}

/// What a customer wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Their devices forgotten.
    ResetDevices,
    /// New keys.
    Rekey,
    /// The keys mailed once more, to where they go anyway.
    Resend,
}

/// Whether a customer's turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// So many times are left at present.
    Now {
        /// How many, this time among them.
        left: u32,
    },
    /// Not before this.
    At(Timestamp),
    /// The plan does not allow it.
    Never,
}

impl Wish {
    /// The decision that it becomes; of devices, `device` names one alone.
    #[must_use]
    pub fn decision(self, device: Option<String>) -> Decision {
        let verb = match self {
            Self::ResetDevices => Verb::ResetDevices { device },
            Self::Rekey => Verb::Rekey {
                license: None,
                at_once: false,
                if_revoked: false,
            },
            Self::Resend => Verb::Resend { to: None },
        };
        Decision {
            verb,
            author: CUSTOMER.to_owned(),
            reason: "in the customer portal".to_owned(),
        }
    }

    /// How often a plan allows it; `None`: never.
    #[must_use]
    pub fn allowance(self, plan: &SelfService) -> Option<Allowance> {
        match self {
            Self::ResetDevices => plan.reset_devices,
            Self::Rekey => plan.rekey,
            Self::Resend => Some(RESEND),
        }
    }

    fn is(self, verb: &Verb) -> bool {
        match verb {
            Verb::ResetDevices { .. } => self == Self::ResetDevices,
            Verb::Rekey { .. } => self == Self::Rekey,
            Verb::Resend { .. } => self == Self::Resend,
            Verb::Grant { .. }
            | Verb::Extend { .. }
            | Verb::Exempt { .. }
            | Verb::Revoke
            | Verb::Keep
            | Verb::Address { .. }
            | Verb::ApplyRevision
            | Verb::Issue { .. }
            | Verb::Move { .. }
            | Verb::Erase
            | Verb::Override { .. }
            | Verb::EndOverride
            | Verb::Note => false,
        }
    }
}

/// Whether a customer may have a wish granted now: fewer than `count` of theirs lie within the period before.
#[must_use]
pub fn turn(machine: &Machine, wish: Wish, plan: &SelfService, now: Timestamp) -> Turn {
    let Some(allowance) = wish.allowance(plan) else {
        return Turn::Never;
    };
    let theirs = machine.facts.iter().filter(|fact| {
        let decided = fact.decision();
        decided.is_some_and(|d| d.author == CUSTOMER && wish.is(&d.verb))
    });
    let mut granted: Vec<Timestamp> = theirs
        .map(|fact| fact.at)
        .filter(|at| *at > now - allowance.per)
        .collect();
    granted.sort();
    let used = u32::try_from(granted.len()).unwrap_or(u32::MAX);
    match allowance.count.checked_sub(used) {
        Some(left) if left > 0 => Turn::Now { left },
        _ => {
            // The one that has to grow old before there is room.
            let oldest = granted.len().saturating_sub(allowance.count as usize);
            granted
                .get(oldest)
                .map_or(Turn::Never, |at| Turn::At(*at + allowance.per))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::Fact;
    use crate::domain::id::{EventId, SourceName};
    use crate::domain::lifecycle::Kind;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn machine(wishes: &[(Wish, i64)]) -> Machine {
        let id = "stripe/cs_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Payment, SourceName::from("stripe"), None);
        for (n, (wish, days_ago)) in wishes.iter().enumerate() {
            let at = NOW - Span::from_days(*days_ago);
            let id = EventId::new(format!("dec_{n}"));
            machine
                .facts
                .push(Fact::decided(id, &wish.decision(None), at, at));
        }
        machine
    }

    fn plan(text: &str) -> SelfService {
        SelfService {
            reset_devices: Some(text.parse().unwrap()),
            rekey: None,
        }
    }

    #[test]
    fn a_period_slides() {
        use Wish::{Rekey, ResetDevices};
        let plan = plan("3/30d");
        let turn = |machine: &Machine, wish| turn(machine, wish, &plan, NOW);
        assert_eq!(turn(&machine(&[]), ResetDevices), Turn::Now { left: 3 });
        assert_eq!(turn(&machine(&[]), Rekey), Turn::Never);
        let twice = machine(&[(ResetDevices, 29), (ResetDevices, 1), (Rekey, 1)]);
        assert_eq!(turn(&twice, ResetDevices), Turn::Now { left: 1 });
        let full = machine(&[
            (ResetDevices, 29),
            (ResetDevices, 1),
            (ResetDevices, 5),
            (ResetDevices, 31),
        ]);
        let room = Turn::At(NOW + Span::from_days(1));
        assert_eq!(turn(&full, ResetDevices), room);
    }

    #[test]
    fn what_others_decided_does_not_count() {
        let mut machine = machine(&[(Wish::ResetDevices, 1)]);
        let decision = Decision {
            author: "ops".to_owned(),
            ..Wish::ResetDevices.decision(None)
        };
        let id = EventId::new("dec_ops");
        machine.facts.push(Fact::decided(id, &decision, NOW, NOW));
        let turn = turn(&machine, Wish::ResetDevices, &plan("1/1d"), NOW);
        assert_eq!(turn, Turn::Now { left: 1 }, "the day is over");
    }

    #[test]
    fn a_smaller_allowance_counts_at_once() {
        let many = machine(&[(Wish::ResetDevices, 1), (Wish::ResetDevices, 2)]);
        let turn = turn(&many, Wish::ResetDevices, &plan("1/10d"), NOW);
        assert_eq!(turn, Turn::At(NOW + Span::from_days(9)));
    }

    #[test]
    fn of_several_plans_the_rarest_counts() {
        let common = SelfService::common([plan("3/30d"), plan("1/20d")]);
        assert_eq!(common, plan("1/20d"));
        let none = SelfService::default();
        assert_eq!(SelfService::common([plan("3/30d"), none]), none);
        assert_eq!(SelfService::common([]), none);
    }

    #[test]
    fn allowances_are_read() {
        let read = "3/30d".parse();
        let per = Span::from_days(30);
        assert_eq!(read, Ok(Allowance { count: 3, per }));
        for wrong in ["3", "0/30d", "x/30d", "3/", "3/30", "1001/1d", "3/0d"] {
            assert!(wrong.parse::<Allowance>().is_err(), "{wrong}");
        }
    }
}
