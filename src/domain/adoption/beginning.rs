//! Where a purchase began, as far as this store was told: before it, here, or in a time that it has no memory of.

use super::{ADOPTED_PREFIX, Gap};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::fact::{BillingReason, Fact, FactBody, SessionEvent, SubscriptionEvent};
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::notice::{Notice, NoticeStatus};
use crate::domain::time::Timestamp;

/// When a purchase began, as far as its facts tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    At(Timestamp),
    /// Some time before its first fact.
    Earlier,
}

/// Whether a fact is of a purchase's very beginning.
fn is_start(f: &Fact) -> bool {
    match &f.body {
        FactBody::Session(_) => true,
        FactBody::Subscription(s) => s.event == SubscriptionEvent::Created,
        FactBody::Invoice(i) => i.reason == BillingReason::Create,
        FactBody::Payment(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_)
        | FactBody::Decision(_) => false,
    }
}

fn began(machine: &Machine) -> Option<Began> {
    let first = machine.first_told()?;
    // One that was backdated began before it was made, and one whose start was moved was made before it begins.
    let snapshots = machine.facts.iter().filter_map(Fact::subscription);
    let told = snapshots.filter_map(|s| s.began.into_iter().chain(s.created).min());
    if let Some(told) = told.min() {
        return Some(Began::At(told.min(first)));
    }
    let goes_on = |f: &Fact| {
        f.invoice()
            .is_some_and(|i| matches!(i.reason, BillingReason::Cycle | BillingReason::Update))
    };
    let unknown = !machine.facts.iter().any(is_start) && machine.facts.iter().any(goes_on);
    Some(if unknown {
        Began::Earlier
    } else {
        Began::At(first)
    })
}

/// When a purchase had begun, by Stripe's clock; `None`: nothing is known of its beginning, and it may have been long ago. No
/// license of it is older.
#[must_use]
pub fn begun_by(machine: &Machine) -> Option<Timestamp> {
    // A payment that was delayed tells of a checkout that was completed days before.
    let delayed =
        |f: &Fact| matches!(&f.body, FactBody::Session(s) if s.event != SessionEvent::Completed);
    let mut facts = machine.facts.iter();
    let is_known = facts.any(|f| f.subscription().is_some() || is_start(f) && !delayed(f));
    match began(machine) {
        Some(Began::At(at)) if is_known => Some(at),
        Some(Began::At(_) | Began::Earlier) | None => None,
    }
}

/// Whether a purchase began before the store's first start, or was told of only after a gap in which it may have been told
/// of before: then somebody may have made its license. `since: None`: nothing is older (replay).
#[must_use]
pub fn began_before(machine: &Machine, since: Option<Timestamp>, gaps: &[Gap]) -> bool {
    let (Some(since), Some(began)) = (since, began(machine)) else {
        return false;
    };
    let before = |instant: Timestamp| match began {
        Began::At(at) => at < instant,
        Began::Earlier => true,
    };
    before(since) || slept_through(machine, gaps) || {
        let heard = machine.facts.iter().map(|f| f.received).min();
        gaps.iter()
            .any(|gap| heard.is_some_and(|at| at >= gap.noted) && before(gap.to))
    }
}

/// Whether a purchase is only given to: it began before this store, and what happened until then was neither told from its
/// beginning nor read when it was adopted.
#[must_use]
pub fn only_gives(machine: &Machine, since: Option<Timestamp>) -> bool {
    began_before(machine, since, &[]) && !machine.facts.iter().any(completes)
}

/// Whether a fact is of a purchase's beginning, or was read with it when the purchase was taken in.
fn completes(fact: &Fact) -> bool {
    is_start(fact) || fact.id.as_str().starts_with(ADOPTED_PREFIX)
}

/// Whether a subscription came here by an event in the midst of its life and goes on with a key that others made: what it
/// paid before is not known until `keyward adopt` reads it. What is on its way for it goes first, for what is read then
/// would hold it.
#[must_use]
pub fn is_unread(machine: &Machine) -> bool {
    let acts = |a: &Action| a.outcome == ActionOutcome::Pending;
    let mails = |n: &Notice| n.status == NoticeStatus::Pending;
    machine.kind == Kind::Subscription
        && machine.grants.iter().any(|g| g.adopted)
        && !machine.facts.iter().any(completes)
        && !machine.actions.iter().any(acts)
        && !machine.notices.iter().any(mails)
}

/// Whether a purchase has a license from here, or is getting one: it was heard of before it is taken in, so what waits for it
/// goes on as it was decided.
#[must_use]
pub fn is_served(machine: &Machine) -> bool {
    let makes = |a: &Action| a.act.creates() && a.is_open();
    !machine.grants.is_empty() || machine.actions.iter().any(makes)
}

/// Whether a purchase that has no key yet is getting one from here, and nothing of it is left to be read at Stripe.
#[must_use]
pub fn gets_key(machine: &Machine) -> bool {
    machine.grants.is_empty() && is_served(machine) && machine.facts.iter().any(completes)
}

/// Whether an event of a purchase was delivered here, not only read when it was taken in.
#[must_use]
pub fn was_heard_of(machine: &Machine) -> bool {
    let heard = |f: &Fact| !f.id.as_str().starts_with(ADOPTED_PREFIX) && f.decision().is_none();
    machine.facts.iter().any(heard)
}

/// Whether something that concerns a purchase happened before the end of a gap and was told only after it.
pub(super) fn slept_through(machine: &Machine, gaps: &[Gap]) -> bool {
    let of_others = |f: &&Fact| f.decision().is_none();
    machine
        .facts
        .iter()
        .filter(of_others)
        .any(|fact| gaps.iter().any(|gap| gap.hides(fact)))
}

#[cfg(test)]
mod tests {
    use super::super::pairing::tests::{NOW, license, seat};
    use super::super::{Linking, link_found};
    use super::*;
    use crate::domain::action::Act;
    use crate::domain::entitlement::Entitlement;
    use crate::domain::id::LicenseKey;
    use crate::domain::notice::{About, NoticeKind, Part};

    /// A subscription that came in by an event and goes on with a key that others made.
    fn heard_of() -> Machine {
        let id = "stripe/sub_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Subscription, "stripe".into(), None);
        let due = Entitlement {
            seats: vec![seat("monthly", 30, 1)],
            ..Entitlement::default()
        };
        let of = Linking {
            due: &due,
            whole: true,
            under_way: &[],
            service: None,
            now: NOW,
        };
        link_found(&mut machine, &[license("K", 30, None)], of);
        machine
    }

    #[test]
    fn what_is_on_its_way_goes_before_a_purchase_s_past_is_read() {
        let mut machine = heard_of();
        assert!(is_unread(&machine));
        let key = LicenseKey::new("K");
        machine
            .actions
            .push(Action::new(1, Act::Suspend { key }, 1, NOW));
        assert!(!is_unread(&machine), "an action waits");
        machine.actions[0].outcome = ActionOutcome::Done;
        assert!(is_unread(&machine));
        machine.notices.push(Notice {
            id: 1,
            kind: NoticeKind::PaymentFailed,
            about: About::FirstKey,
            part: Part::Whole,
            status: NoticeStatus::Pending,
            at: NOW,
            to: None,
            seats: Vec::new(),
            attempts: 0,
            due: NOW,
            error: None,
            skipped: None,
            refusals: 0,
        });
        assert!(!is_unread(&machine), "a mail waits");
        machine.notices[0].status = NoticeStatus::Sent;
        assert!(is_unread(&machine));
        machine.grants[0].adopted = false;
        assert!(!is_unread(&machine), "its key was made here");
    }
}
