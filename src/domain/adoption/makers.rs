//! Who made a license that carries the name of one of our purchases.

use super::Gap;
use super::found::FoundLicense;
use crate::domain::action::{Action, ActionOutcome, Answer, CreatePhase};
use crate::domain::id::LicenseKey;
use crate::domain::machine::Machine;
use crate::domain::time::{CLOCKS_AGREE, Span, Timestamp};

/// Two clocks, ours and the license service's, are no further apart than this.
const CLOCKS_APART: Span = Span::from_minutes(10);

/// Since when licenses are made here, and what is known of our clock.
#[derive(Clone, Copy, Debug)]
pub struct MadeHere<'a> {
    /// Since when; `None`: they are not.
    pub since: Option<Timestamp>,
    /// Times of which nothing is remembered.
    pub gaps: &'a [Gap],
    /// Whether our clock and Stripe's agree.
    pub clock_agrees: bool,
}

/// Whether a license of one of our purchases that is not ours was made by somebody else after licenses began to be made here.
/// `begun`: when the purchase had begun at Stripe, where known. No license is older than its purchase, and Stripe's clock is
/// nearer to ours than the license service's is known to be. In a gap it may have been this program itself.
#[must_use]
pub fn made_by_another(made: Timestamp, begun: Option<Timestamp>, here: &MadeHere<'_>) -> bool {
    let in_gap =
        |gap: &Gap| gap.from - CLOCKS_APART <= made && made <= gap.to.max(gap.noted) + CLOCKS_APART;
    let Some(since) = here.since else {
        return false;
    };
    let begun = begun.filter(|_| here.clock_agrees);
    // A label may name a customer, too, and an older license of theirs.
    let is_of_new =
        begun.is_some_and(|at| at > since + CLOCKS_AGREE) && made > since - CLOCKS_APART;
    (made > since + CLOCKS_APART || is_of_new) && !here.gaps.iter().any(in_gap)
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
        CreatePhase::Recover { any_age, .. } => !any_age,
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
                made_by_another(s(made), None, &here(Some(1_000), &[gap])),
                another,
                "{made}"
            );
        }
        assert!(
            !made_by_another(s(2_000), Some(s(2_000)), &here(None, &[])),
            "in replay there is nobody else"
        );
    }

    fn here(since: Option<i64>, gaps: &[Gap]) -> MadeHere<'_> {
        MadeHere {
            since: since.map(s),
            gaps,
            clock_agrees: true,
        }
    }

    /// Within the minutes by which the license service's clock may be off.
    #[test]
    fn a_license_of_a_purchase_that_began_since_then_was_made_since_then() {
        let gap = Gap::between(s(1_300), s(1_400));
        for (begun, made, gaps, another) in [
            (Some(1_121), 1_130, &[][..], true),
            (Some(1_121), 900, &[], true), // the service's clock is behind
            (Some(1_121), 400, &[], false), // a customer's older one, by a label that both have
            (Some(1_120), 1_130, &[], false), // Stripe's clock may be ahead
            (Some(900), 1_130, &[], false), // the old handler was told before
            (None, 1_130, &[], false),
            (Some(1_121), 1_130, &[gap][..], false),
        ] {
            let here = here(Some(1_000), gaps);
            let begun = begun.map(s);
            assert_eq!(
                made_by_another(s(made), begun, &here),
                another,
                "{begun:?} {made}"
            );
            let doubted = MadeHere {
                clock_agrees: false,
                ..here
            };
            assert!(
                !made_by_another(s(made), begun, &doubted),
                "our clock may be off"
            );
        }
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
        let look = |any_age| CreatePhase::Recover {
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
