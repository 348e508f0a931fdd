//! The commands that change something: retry, abandon, and a person's decisions.

use std::path::Path;

use super::args::{AbandonArgs, DecisionArgs, ResendArgs, RetryArgs};
use super::ask::ask;
use super::desk::{Changed, Request, Response, What};
use super::fail::Failure;
use super::report;
use crate::domain::decision::{Decision, Verb};
use crate::effects::mail::Sender;

fn order(config: &Path, request: Request, json: bool, said: impl Fn(&Changed) -> String) -> Result<(), Failure> {
    match ask(config, request)? {
        Response::Changed(changed) if json => report::json(&changed),
        Response::Changed(changed) => {
            report::say(&said(&changed));
            Ok(())
        }
        Response::Found { .. }
        | Response::Machine { .. }
        | Response::List { .. }
        | Response::Page { .. }
        | Response::Failed(_) => Err(Failure::ours("the server answered something else")),
    }
}

/// `retry`.
///
/// # Errors
/// What went wrong.
pub(super) fn retry(config: &Path, args: &RetryArgs) -> Result<(), Failure> {
    let what = match (&args.id, &args.service) {
        (Some(id), _) => What::Id(id.clone()),
        (None, Some(service)) => What::Service(service.clone()),
        (None, None) => What::All,
    };
    order(config, Request::Retry(what), args.json, |changed| {
        let (actions, machines) = (changed.actions.unwrap_or_default(), changed.machines.len());
        match actions {
            0 => "nothing waits, is held or was refused".to_owned(),
            1 => format!("1 action of {} is due now", changed.machines.join(", ")),
            n => format!("{n} actions of {machines} purchases are due now"),
        }
    })
}

/// `abandon`.
///
/// # Errors
/// What went wrong.
pub(super) fn abandon(config: &Path, args: &AbandonArgs) -> Result<(), Failure> {
    order(config, Request::Abandon { id: args.id.clone() }, args.json, |_| {
        format!("{} is given up; `keyward retry {}` takes it up again", args.id, args.id)
    })
}

/// `resend`.
///
/// # Errors
/// What went wrong.
pub(super) fn resend(config: &Path, args: &ResendArgs) -> Result<(), Failure> {
    if let Some(to) = &args.to
        && (to.contains('<') || Sender::parse(to).is_err())
    {
        return Err(Failure::input(format!("`{to}` is not an address")).hint("one like ada@example.com"));
    }
    let (machine, reason, json) = (args.machine.clone(), args.reason.clone(), args.json);
    decide(config, &DecisionArgs { machine, reason, json }, Verb::Resend { to: args.to.clone() })
}

/// Hands a person's decision in.
///
/// # Errors
/// What went wrong.
pub(super) fn decide(config: &Path, args: &DecisionArgs, verb: Verb) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::input("a decision needs its reason").hint("`--reason \"…\"`, for whoever asks later"));
    }
    let author = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let what = match &verb {
        Verb::Grant { until: None } => "a license for life is granted".to_owned(),
        Verb::Grant { until: Some(until) } => format!("a license until {until} is granted"),
        Verb::Extend { until } => format!("the paid time counts until {until} at least"),
        Verb::Exempt { until } => format!("no grace ends before {until}"),
        Verb::Revoke => "the licenses end for good".to_owned(),
        Verb::Keep => "the customer keeps the license".to_owned(),
        Verb::Resend { to: None } => "the keys are mailed once more".to_owned(),
        Verb::Resend { to: Some(to) } => format!("the keys are mailed once more, to {to}"),
        Verb::Rekey | Verb::Address { .. } | Verb::ResetDevices | Verb::ApplyRevision => verb.as_str().to_owned(),
    };
    let decision = Decision { verb, author, reason: args.reason.trim().to_owned() };
    let request = Request::Decide { machine: args.machine.clone(), decision };
    order(config, request, args.json, |changed| format!("{}: {what}", changed.machines.join(", ")))
}
