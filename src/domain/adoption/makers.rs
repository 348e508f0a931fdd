//! Who made a license that carries the name of one of our purchases.

use super::Gap;
use super::found::FoundLicense;
use crate::domain::action::{Action, ActionOutcome, Answer, CreatePhase};
use crate::domain::id::LicenseKey;
use crate::domain::machine::Machine;
use crate::domain::time::{Span, Timestamp};

/// Two clocks, ours and the license service's, are no further apart than this.
const CLOCKS_APART: Span = Span::from_minutes(10);

/// Whether a license of one of our purchases that is not ours was made by somebody else after licenses began to be made here.
/// In a gap it may have been this program itself.
#[must_use]
pub fn made_by_another(made: Timestamp, since: Option<Timestamp>, gaps: &[Gap]) -> bool {
    let in_gap =
        |gap: &Gap| gap.from - CLOCKS_APART <= made && made <= gap.to.max(gap.noted) + CLOCKS_APART;
    since.is_some_and(|since| made > since + CLOCKS_APART) && !gaps.iter().any(in_gap)
}

/// A license that carries a purchase's name, by what tells who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The key.
    pub key: LicenseKey,
    /// The label, where it was read.
    pub label: Option<String>,
    /// When it was made, where told.
    pub at: Option<Timestamp>,
}

impl Made {
    /// Of a license as it was found.
    #[must_use]
    pub fn of(license: &FoundLicense) -> Self {
        Self {
            key: license.key.clone(),
            label: license.label.clone(),
            at: license.made,
        }
    }

    /// Whether it is its purchase's own, or may be: a create of ours that is under way, or of which nobody knows what came, may
    /// have made it. A list shows it before its answer is heard, so this is asked of the machine as it is after the list was
    /// read.
    #[must_use]
    pub fn may_be_ours(&self, machine: &Machine) -> bool {
        let held = machine.grants.iter().any(|g| g.key == self.key);
        held || machine.actions.iter().any(|a| self.may_be_of(machine, a))
    }

    fn may_be_of(&self, machine: &Machine, create: &Action) -> bool {
        if !create.act.creates() {
            return false;
        }
        let own = machine.label(create.license);
        let is = |label: &str| self.label.as_deref().is_none_or(|l| l == label);
        if !is(own.as_str()) && create.label.as_ref().is_none_or(|l| !is(l.as_str())) {
            return false;
        }
        let after = |sent: Timestamp| self.at.is_none_or(|at| at >= sent - CLOCKS_APART);
        let before = |heard: Timestamp| self.at.is_none_or(|at| at <= heard + CLOCKS_APART);
        let tried = create.tried.iter().flatten();
        let mut unknown = tried.filter(|a| a.answer == Answer::Unknown);
        is_under_way(create) && after(create.at)
            || unknown.any(|a| after(a.sent) && before(a.answered))
    }
}

/// Whether a create may just be acting, or has acted and is looked for. One that only looks for what others made has not.
fn is_under_way(create: &Action) -> bool {
    let sends = match create.phase {
        CreatePhase::Ready => true,
        CreatePhase::Look { any_age, .. } => !any_age,
    };
    create.outcome == ActionOutcome::Pending && sends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Attempt;
    use crate::domain::action::samples::create;
    use crate::domain::lifecycle::Kind;

    const fn s(s: i64) -> Timestamp {
        Timestamp::from_s(s)
    }

    #[test]
    fn what_was_made_before_we_began_or_in_a_gap_shows_no_other_program() {
        let gap = Gap::between(s(50_000), s(60_000));
        for (made, another) in [
            (900, false),   // before the store
            (1_500, false), // the clocks may be apart
            (2_000, true),
            (49_500, false), // the gap's last heartbeat
            (55_000, false),
            (60_500, false),
            (61_000, true),
        ] {
            assert_eq!(
                made_by_another(s(made), Some(s(1_000)), &[gap]),
                another,
                "{made}"
            );
        }
        assert!(
            !made_by_another(s(2_000), None, &[]),
            "in replay there is nobody else"
        );
    }

    /// A subscription whose second license is being made since an instant.
    fn creating(change: impl FnOnce(&mut Action)) -> Machine {
        let id = "stripe/sub_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Subscription, "stripe".into(), None);
        let mut create = create("si_1", 2, s(10_000));
        change(&mut create);
        machine.actions.push(create);
        machine
    }

    fn made(label: &str, at: i64) -> Made {
        Made {
            key: LicenseKey::new("KEY-2"),
            label: Some(label.to_owned()),
            at: Some(s(at)),
        }
    }

    #[test]
    fn what_a_create_of_ours_may_have_made_is_not_another_s() {
        let unknown = |sent: i64| Attempt {
            sent: s(sent),
            answered: s(sent + 35),
            answer: Answer::Unknown,
            said: None,
        };
        let look = |any_age| CreatePhase::Look {
            since: s(10_000),
            absent: 0,
            any_age,
        };
        let own = "Stripe sub sub_1 #2";
        let under_way = creating(|_| {});
        assert!(made(own, 10_001).may_be_ours(&under_way));
        assert!(!made(own, 5_000).may_be_ours(&under_way), "made before it");
        assert!(!made("Stripe sub sub_1", 10_001).may_be_ours(&under_way));
        let unread = Made {
            label: None,
            ..made(own, 10_001)
        };
        assert!(unread.may_be_ours(&under_way));
        let looked_for = creating(|a| a.phase = look(false));
        assert!(made(own, 10_001).may_be_ours(&looked_for));
        let others = creating(|a| a.phase = look(true));
        assert!(!made(own, 10_001).may_be_ours(&others));
        // A request that timed out may land late, beside the license that was made since.
        let lost = creating(|a| {
            (a.outcome, a.tried) = (ActionOutcome::Done, Some(vec![unknown(10_000)]));
        });
        assert!(made(own, 10_040).may_be_ours(&lost));
        assert!(!made(own, 20_000).may_be_ours(&lost));
        let done = creating(|a| a.outcome = ActionOutcome::Done);
        assert!(!made(own, 10_040).may_be_ours(&done));
        let held = creating(|a| a.outcome = ActionOutcome::Held);
        assert!(!made(own, 10_040).may_be_ours(&held), "it was never sent");
    }
}
