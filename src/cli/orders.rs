//! The commands that change something: retry, abandon, and a person's decisions.

use std::path::Path;

use clap::Args;

use super::args::{
    AbandonArgs, AddressArgs, DecisionArgs, HoldArgs, IssueArgs, ResendArgs, RetryArgs,
};
use super::ask::ask;
use super::author::author;
use super::report;
use super::when::When;
use crate::admin::{ActionFilter, Changed, Failure, HeldWork, OutOfReach, Request, Response};
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::PlanName;
use crate::domain::time::Timestamp;
use crate::domain::words::counted;
use crate::effects::mail::Sender;

/// Sends an order, and says what it changed.
///
/// # Errors
/// What went wrong.
pub(super) fn order(
    config: &Path,
    request: Request,
    json: bool,
    said: impl Fn(&Changed) -> String,
) -> Result<(), Failure> {
    let Response::Changed(changed) = ask(config, request)? else {
        return Err(Failure::ours("the server answered something else"));
    };
    if json {
        return report::json(&changed);
    }
    report::say(&said(&changed));
    Ok(())
}

/// `retry`.
///
/// # Errors
/// What went wrong.
pub(super) fn retry(config: &Path, args: &RetryArgs) -> Result<(), Failure> {
    let what = match (&args.id, &args.service) {
        (Some(id), _) => ActionFilter::Id(id.clone()),
        (None, Some(service)) => ActionFilter::Service(service.clone()),
        (None, None) => ActionFilter::All,
    };
    order(config, Request::Retry(what), args.json, |changed| {
        let counts = [
            (changed.actions.unwrap_or_default(), "action"),
            (changed.mails.unwrap_or_default(), "mail"),
        ];
        let total: u32 = counts.iter().map(|(n, _)| n).sum();
        let counted = |(n, what): (u32, &str)| match n {
            0 => None,
            1 => Some(format!("1 {what}")),
            n => Some(format!("{n} {what}s")),
        };
        let parts: Vec<String> = counts.into_iter().filter_map(counted).collect();
        let parts = parts.join(" and ");
        match (total, changed.machines.as_slice()) {
            (0, _) => {
                "nothing waits for a try; `keyward held` lists what waits for a yes".to_owned()
            }
            (1, machines) => format!("{parts} of {} is due now", machines.join(", ")),
            (_, [machine]) => format!("{parts} of {machine} are due now"),
            (_, machines) => format!("{parts} of {} purchases are due now", machines.len()),
        }
    })
}

/// `abandon`.
///
/// # Errors
/// What went wrong.
pub(super) fn abandon(config: &Path, args: &AbandonArgs) -> Result<(), Failure> {
    order(
        config,
        Request::Abandon {
            id: args.id.clone(),
        },
        args.json,
        |_| {
            format!(
                "{} is given up; `keyward retry {}` takes it up again",
                args.id, args.id
            )
        },
    )
}

/// `hold`.
///
/// # Errors
/// What went wrong.
pub(super) fn hold(config: &Path, args: &HoldArgs) -> Result<(), Failure> {
    let reason = reason(&args.reason)?;
    order(
        config,
        Request::Hold {
            id: args.id.clone(),
            reason,
        },
        args.json,
        |_| {
            format!(
                "{} is held; `keyward retry {}` lets it go, if it is still needed then",
                args.id, args.id
            )
        },
    )
}

/// `reset-devices`.
///
/// # Errors
/// What went wrong.
pub(super) fn reset_devices(config: &Path, args: &DecisionArgs) -> Result<(), Failure> {
    decide(config, args, Verb::ResetDevices { device: None })
}

/// `address`.
///
/// # Errors
/// What went wrong.
pub(super) fn address(config: &Path, args: &AddressArgs) -> Result<(), Failure> {
    decide(
        config,
        &args.decision,
        Verb::Address {
            email: one_address(&args.email)?,
        },
    )
}

fn one_address(text: &str) -> Result<String, Failure> {
    if text.contains('<') || Sender::parse(text).is_err() {
        return Err(
            Failure::input(format!("`{text}` is not an address")).hint("one like ada@example.com")
        );
    }
    Ok(text.to_owned())
}

/// The reason that an order needs.
///
/// # Errors
/// That there is none.
pub(super) fn reason(text: &str) -> Result<String, Failure> {
    match text.trim() {
        "" => Err(Failure::input("this needs its reason")
            .hint("`--reason \"…\"`, for whoever asks later")),
        reason => Ok(reason.to_owned()),
    }
}

/// `issue`.
///
/// # Errors
/// What went wrong.
pub(super) fn issue(config: &Path, args: &IssueArgs, now: Timestamp) -> Result<(), Failure> {
    let verb = Verb::Issue {
        plan: PlanName::from(args.plan.as_str()),
        email: one_address(&args.email)?,
        until: args.until.map(|when| when.from(now)),
    };
    let decision = Decision {
        verb,
        author: author(),
        reason: reason(&args.reason)?,
    };
    let source = args.source.clone();
    order(
        config,
        Request::Issue { source, decision },
        args.json,
        |changed| {
            format!(
                "{}: a license is issued; its key goes to {}{}",
                changed.machines.join(", "),
                args.email,
                not_yet(&changed.held)
            )
        },
    )
}

/// `resend`.
///
/// # Errors
/// What went wrong.
pub(super) fn resend(config: &Path, args: &ResendArgs) -> Result<(), Failure> {
    let to = args.to.as_deref().map(one_address).transpose()?;
    let (machine, reason, json) = (args.machine.clone(), args.reason.clone(), args.json);
    decide(
        config,
        &DecisionArgs {
            machine,
            reason,
            json,
        },
        Verb::Resend { to },
    )
}

/// `grant`.
///
/// # Errors
/// What went wrong.
pub(super) fn grant(config: &Path, args: &GrantArgs, now: Timestamp) -> Result<(), Failure> {
    let until = args.until.map(|when| when.from(now));
    decide(config, &args.decision, Verb::Grant { until })
}

/// Arguments of `grant`.
#[derive(Args, Clone, Debug)]
pub struct GrantArgs {
    /// Until when: `2026-03-01`, `2026-03-01T00:00:00Z`, or from now, like `30d`. Absent: for life.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// For which purchase, and why.
    #[command(flatten)]
    pub decision: DecisionArgs,
}

/// Arguments of `rekey`.
#[derive(Args, Clone, Debug)]
pub struct RekeyArgs {
    /// The number of the license, as `show` names it. Absent: each that the purchase has.
    #[arg(long, value_name = "N")]
    pub license: Option<u32>,
    /// End the old key now, also where the new one has to wait, for credits at the license service for example: for a key that
    /// leaked. Until then the customer has none.
    #[arg(long)]
    pub at_once: bool,
    /// For which purchase, and why.
    #[command(flatten)]
    pub decision: DecisionArgs,
}

/// `rekey`.
///
/// # Errors
/// What went wrong.
pub(super) fn rekey(config: &Path, args: &RekeyArgs) -> Result<(), Failure> {
    let (license, at_once) = (args.license, args.at_once);
    let verb = Verb::Rekey {
        license,
        at_once,
        if_revoked: false,
    };
    decide(config, &args.decision, verb)
}

/// What holds an order, and what lets it go.
pub(super) fn not_yet(held: &[HeldWork]) -> String {
    let held = held.iter().map(|work| {
        format!(
            "{} held by {}: `{}`",
            counted(work.actions, "action for it is", "actions for it are"),
            work.by.as_str(),
            work.released_by
        )
    });
    let held: Vec<String> = held.collect();
    if held.is_empty() {
        return String::new();
    }
    format!("; but not yet: {}", held.join("; "))
}

/// What an order did not reach, and what to do about it.
fn not_there(left: &[OutOfReach]) -> String {
    let left = left.iter().map(|license| {
        format!(
            "; but license {} (key {}) works at `{at}`, which the config names no more: revoke it there, or name `{at}` again",
            license.number,
            license.key,
            at = license.at.as_str(),
        )
    });
    left.collect()
}

fn new_keys(license: Option<u32>, at_once: bool) -> String {
    match (license, at_once) {
        (None, false) => {
            "new keys take the place of the old ones, which work until these are there".to_owned()
        }
        (None, true) => "the old keys end, and new ones take their place".to_owned(),
        (Some(number), false) => format!(
            "a new key takes the place of that of license {number}, which works until it is there"
        ),
        (Some(number), true) => {
            format!("the key of license {number} ends, and a new one takes its place")
        }
    }
}

/// Hands a person's decision in.
///
/// # Errors
/// What went wrong.
pub(super) fn decide(config: &Path, args: &DecisionArgs, verb: Verb) -> Result<(), Failure> {
    let reason = reason(&args.reason)?;
    let what = match &verb {
        Verb::Grant { until: None } => "a license for life is granted".to_owned(),
        Verb::Grant { until: Some(until) } => format!("a license until {until} is granted"),
        Verb::Extend { until } => format!("the paid time counts until {until} at least"),
        Verb::Exempt { until } => format!("no grace ends before {until}"),
        Verb::Revoke => "the licenses end for good".to_owned(),
        Verb::Keep => "the customer keeps the license".to_owned(),
        Verb::Resend { to: None } => "the keys are mailed once more".to_owned(),
        Verb::Resend { to: Some(to) } => format!("the keys are mailed once more, to {to}"),
        Verb::Rekey {
            license, at_once, ..
        } => new_keys(*license, *at_once),
        Verb::Address { email } => format!("mail goes to {email} from now on"),
        Verb::ResetDevices { .. } => {
            "the devices bound to its keys are forgotten as soon as the service confirms it"
                .to_owned()
        }
        Verb::Note => "what was reported of it until now counts as looked at".to_owned(),
        Verb::Issue { email, .. } => format!("a license is issued; its key goes to {email}"),
        Verb::ApplyRevision
        | Verb::Move { .. }
        | Verb::Erase
        | Verb::Override { .. }
        | Verb::EndOverride => verb.as_str().to_owned(),
    };
    let decision = Decision {
        verb,
        author: author(),
        reason,
    };
    let request = Request::Decide {
        machine: args.machine.clone(),
        decision,
    };
    order(config, request, args.json, |changed| {
        if let Some(source) = &changed.audit {
            return format!(
                "{source}: what the nightly audit found counts as looked at, until one finds something else"
            );
        }
        match changed.events.as_slice() {
            [] => format!(
                "{}: {what}{}{}",
                changed.machines.join(", "),
                not_yet(&changed.held),
                not_there(&changed.out_of_reach)
            ),
            events => format!("{}: nothing comes of it", events.join(", ")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_held_says_so_with_the_way_out() {
        let changed = |held: serde_json::Value| -> Changed {
            let answer = serde_json::json!({ "machines": ["stripe/cs_1"], "held": held });
            serde_json::from_value(answer).unwrap()
        };
        assert_eq!(not_yet(&changed(serde_json::json!([])).held), "");
        let held = serde_json::json!([
            { "by": "observe", "actions": 1, "released_by": "keyward go-live --reason …" },
            { "by": "person", "actions": 2, "released_by": "keyward retry stripe/cs_1#2" },
        ]);
        assert_eq!(
            not_yet(&changed(held).held),
            "; but not yet: 1 action for it is held by observe: `keyward go-live --reason …`; \
             2 actions for it are held by person: `keyward retry stripe/cs_1#2`"
        );
    }
}
