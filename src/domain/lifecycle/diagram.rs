//! The transition tables as Mermaid diagrams, for `docs/states/`. The tables are the truth; these pages are printed from
//! them, and a test compares.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{payment, subscription};
use crate::domain::step::Step;

/// The page about payments.
#[must_use]
pub fn payment() -> String {
    use payment::{PaymentState as State, PaymentTrigger as Trigger, begin, step};
    let begins = Trigger::ALL.map(|t| (t.as_str(), begin(t).as_str()));
    let steps = State::ALL.map(|s| {
        (
            s.as_str(),
            Trigger::ALL.map(|t| (t.as_str(), named(step(s, t), State::as_str))),
        )
    });
    page("A payment", &begins, &steps)
}

/// The page about subscriptions.
#[must_use]
pub fn subscription() -> String {
    use subscription::{SubscriptionState as State, SubscriptionTrigger as Trigger, begin, step};
    let begins = Trigger::ALL.map(|t| (t.as_str(), begin(t).as_str()));
    let steps = State::ALL.map(|s| {
        (
            s.as_str(),
            Trigger::ALL.map(|t| (t.as_str(), named(step(s, t), State::as_str))),
        )
    });
    page("A subscription", &begins, &steps)
}

/// A step with its state's name.
fn named<S>(step: Step<S>, name: impl Fn(S) -> &'static str) -> Step<&'static str> {
    match step {
        Step::To(next) => Step::To(name(next)),
        Step::Stay(why) => Step::Stay(why),
    }
}

type Row<const N: usize> = (&'static str, [(&'static str, Step<&'static str>); N]);

fn page<const N: usize>(title: &str, begins: &[(&str, &str)], rows: &[Row<N>]) -> String {
    let mut out = format!(
        "# {title}\n\nPrinted from the transition table (`src/domain/`); do not edit. To renew it after"
    );
    out.push_str(" the table changed:\n`KEYWARD_BLESS=1 cargo test --test it docs`.\n\n```mermaid\nstateDiagram-v2\n");
    for (to, triggers) in gathered(begins.iter().map(|(t, to)| (*to, *t))) {
        let _ = writeln!(out, "    [*] --> {to}: {triggers}");
    }
    for (state, steps) in rows {
        let moves = steps.iter().filter_map(|(t, step)| match step {
            Step::To(to) => Some((*to, *t)),
            Step::Stay(_) => None,
        });
        for (to, triggers) in gathered(moves) {
            let _ = writeln!(out, "    {state} --> {to}: {triggers}");
        }
    }
    out.push_str("```\n\n## What changes nothing, and why\n\n| state | what happens | because |\n|---|---|---|\n");
    for (state, steps) in rows {
        for (trigger, step) in steps {
            if let Step::Stay(why) = step {
                let _ = writeln!(out, "| {state} | {trigger} | {why} |");
            }
        }
    }
    out
}

/// Triggers that lead to the same state share an arrow.
fn gathered<'a>(moves: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<&'a str, String> {
    let mut out: BTreeMap<&str, String> = BTreeMap::new();
    for (to, trigger) in moves {
        let label = out.entry(to).or_default();
        if !label.is_empty() {
            label.push_str(" / ");
        }
        label.push_str(trigger);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// From the beginnings, every state can be reached, and every trigger changes something somewhere.
    #[test]
    fn every_state_is_reached_and_every_trigger_is_heeded() {
        use payment as p;
        let mut reached: BTreeSet<&str> =
            p::PaymentTrigger::ALL.map(|t| p::begin(t).as_str()).into();
        let mut heeded = BTreeSet::new();
        for (s, t) in p::PaymentState::ALL
            .into_iter()
            .flat_map(|s| p::PaymentTrigger::ALL.map(|t| (s, t)))
        {
            if let Step::To(to) = p::step(s, t) {
                assert_ne!(
                    to, s,
                    "a step from {s:?} to itself by {t:?}: say why nothing changes"
                );
                reached.insert(to.as_str());
                heeded.insert(t.as_str());
            }
        }
        assert_eq!(reached.len(), p::PaymentState::ALL.len(), "{reached:?}");
        let begins =
            |t: p::PaymentTrigger| p::begin(t) != p::begin(p::PaymentTrigger::RefundUndone);
        let unheeded: Vec<_> = p::PaymentTrigger::ALL
            .into_iter()
            .filter(|t| !heeded.contains(t.as_str()) && !begins(*t))
            .collect();
        // `completed, unpaid` only ever begins a payment.
        assert_eq!(unheeded, [p::PaymentTrigger::Unpaid]);
        use subscription as s;
        let mut reached: BTreeSet<&str> = s::SubscriptionTrigger::ALL
            .map(|t| s::begin(t).as_str())
            .into();
        let mut heeded = BTreeSet::new();
        for (state, t) in s::SubscriptionState::ALL
            .into_iter()
            .flat_map(|state| s::SubscriptionTrigger::ALL.map(|t| (state, t)))
        {
            if let Step::To(to) = s::step(state, t) {
                assert_ne!(
                    to, state,
                    "a step from {state:?} to itself by {t:?}: say why nothing changes"
                );
                reached.insert(to.as_str());
                heeded.insert(t.as_str());
            }
        }
        assert_eq!(
            reached.len(),
            s::SubscriptionState::ALL.len(),
            "{reached:?}"
        );
        let unheeded: Vec<_> = s::SubscriptionTrigger::ALL
            .into_iter()
            .filter(|t| !heeded.contains(t.as_str()))
            .collect();
        // It begins a life, and never moves one.
        assert_eq!(unheeded, [s::SubscriptionTrigger::FirstPaymentOpen]);
    }
}
