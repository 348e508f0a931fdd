//! What comes next for a purchase, and when, in words for a support person.

use super::desk::Coming;
use crate::domain::action::{Act, ActionOutcome, GrantStatus, Phase};
use crate::domain::decision::Verb;
use crate::domain::entitlement::entitlement;
use crate::domain::fact::Says;
use crate::domain::lifecycle::{Folded, Life};
use crate::domain::machine::Machine;
use crate::domain::notice::{NoticeStatus, due_notices};
use crate::domain::policy::AtGraceEnd;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;

/// What will happen if nothing else does, earliest first.
#[must_use]
pub(super) fn coming(machine: &Machine, folded: &Folded, rules: &Rules, now: Timestamp) -> Vec<Coming> {
    if machine.held.is_some() {
        return Vec::new();
    }
    let mut out = work(machine);
    mails(machine, folded, rules, now, &mut out);
    if let Life::Subscription(s) = &folded.life {
        for episode in s.episodes.iter().filter(|e| e.is_open() && e.lapsed.is_none()) {
            let what = match episode.policy.at_grace_end {
                AtGraceEnd::Suspend => "the license is suspended",
                AtGraceEnd::Revoke => "the license is revoked",
                AtGraceEnd::Keep => "the license stays, as the policy says",
            };
            let what = format!("the grace for {} ends unless it is paid: {what}", episode.cause);
            out.push(Coming { at: episode.ends, what });
        }
    }
    for grant in &machine.grants {
        if let Some(at) = grant.expires_at.filter(|at| grant.status == GrantStatus::Live && *at > now) {
            out.push(Coming { at, what: format!("license {} expires, if nothing extends it", grant.number) });
        }
    }
    if let Some(at) = machine.wake_at.filter(|at| out.iter().all(|c| c.at != *at)) {
        out.push(Coming { at, what: "Keyward looks at it again".to_owned() });
    }
    for due in out.iter_mut().filter(|c| c.at <= now) {
        due.what.push_str(" (due now)");
    }
    out.sort();
    out
}

/// What people decided about it.
#[must_use]
pub(super) fn decided(machine: &Machine) -> Vec<Coming> {
    let decisions = machine.facts.iter().filter_map(|fact| match &fact.says {
        Says::Decision(decision) => Some((fact.at, decision)),
        Says::Session(_)
        | Says::Subscription(_)
        | Says::Invoice(_)
        | Says::Payment(_)
        | Says::Charge(_)
        | Says::Refund(_)
        | Says::Dispute(_)
        | Says::FraudWarning(_)
        | Says::LineItems(_)
        | Says::Items(_) => None,
    });
    decisions
        .map(|(at, decision)| {
            let end = match &decision.verb {
                Verb::Grant { until: Some(until) } | Verb::Extend { until } | Verb::Exempt { until } => {
                    format!(" until {until}")
                }
                Verb::Grant { until: None } => " for life".to_owned(),
                Verb::Address { email } => format!(" {email}"),
                Verb::Resend { to } => to.as_ref().map_or_else(String::new, |to| format!(" to {to}")),
                Verb::Revoke | Verb::Keep | Verb::Rekey | Verb::ResetDevices | Verb::ApplyRevision => String::new(),
            };
            let author = if decision.author.is_empty() { "somebody" } else { &decision.author };
            let what = format!("{author} decided: {}{end} ({})", decision.verb.as_str(), decision.reason);
            Coming { at, what }
        })
        .collect()
}

fn work(machine: &Machine) -> Vec<Coming> {
    let pending = machine.actions.iter().filter(|a| a.outcome == ActionOutcome::Pending);
    pending
        .map(|a| {
            let what = match (&a.act, a.phase) {
                (Act::Read { .. }, _) => format!("license {} is read once more", a.license),
                (Act::Query(question), _) => {
                    format!("Stripe is asked about {}, try {}", question.about(), a.attempts + 1)
                }
                (_, Phase::Look { .. }) => format!("license {} is looked for before it is made", a.license),
                (act, Phase::Ready) => format!("{} for license {}, try {}", act.as_str(), a.license, a.attempts + 1),
            };
            Coming { at: a.due, what }
        })
        .collect()
}

fn mails(machine: &Machine, folded: &Folded, rules: &Rules, now: Timestamp, out: &mut Vec<Coming>) {
    for notice in machine.notices.iter().filter(|n| n.status == NoticeStatus::Pending) {
        let tried = if notice.attempts == 0 { String::new() } else { format!(", try {}", notice.attempts + 1) };
        out.push(Coming { at: notice.due, what: format!("mail {}{tried}", notice.kind.as_str()) });
    }
    let due = entitlement(folded, &rules.revisions, now, rules.devices_max(&machine.source));
    for call in due_notices(machine, folded, &due, &rules.revisions, now) {
        if call.skip.is_none() && call.due > now && !machine.notices.iter().any(|n| call.is(n)) {
            out.push(Coming { at: call.due, what: format!("mail {}, if it is still true", call.kind.as_str()) });
        }
    }
}
