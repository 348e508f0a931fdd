//! `override`: what one customer has of their own, in place of the plan's policy.

use std::path::Path;

use clap::{ArgGroup, Args};

use super::author::author;
use super::orders::{order, reason};
use super::when::When;
use crate::admin::{Failure, OverrideOrder, Request};
use crate::domain::policy_override::PolicyOverride;
use crate::domain::time::Timestamp;

/// `override`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").required(true))]
pub struct OverrideArgs {
    /// The customer, like `cus_123`, or anything by which `find` finds a purchase of theirs.
    pub customer: String,
    /// Values of the policy that judge what happens from now on, as in `grace=30d on_refund=keep`.
    #[arg(value_name = "KEY=VALUE", group = "what")]
    pub values: Vec<String>,
    /// Until when: `2026-03-01`, `2026-03-01T00:00:00Z`, or from now, like `30d`. Absent: until it is ended.
    #[arg(long, value_name = "WHEN", conflicts_with = "end")]
    pub until: Option<When>,
    /// End what the customer has of their own: the plan's policy judges what happens from now on.
    #[arg(long, group = "what")]
    pub end: bool,
    /// Why: kept with the order, for whoever asks later.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Gives the order.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &OverrideArgs, now: Timestamp) -> Result<(), Failure> {
    let what = what(args, now)?;
    let said = match &what {
        OverrideOrder::End => "the plan's policy judges what happens from now on".to_owned(),
        OverrideOrder::Give { values, until } => {
            let until = until.map_or(String::new(), |at| format!(" until {at}"));
            format!(
                "{values} for what happens from now on{until}; what happened stays as it was judged, a running grace too: \
                 `keyward exempt` moves its end"
            )
        }
    };
    let request = Request::Override {
        whom: args.customer.clone(),
        what,
        author: author(),
        reason: reason(&args.reason)?,
    };
    order(config, request, args.json, |changed| {
        format!("{}: {said}", changed.machines.join(", "))
    })
}

fn what(args: &OverrideArgs, now: Timestamp) -> Result<OverrideOrder, Failure> {
    if args.end {
        return Ok(OverrideOrder::End);
    }
    let mut values = PolicyOverride::default();
    let mut given = std::collections::BTreeMap::new();
    for text in &args.values {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            Failure::input(format!("`{text}` sets nothing"))
                .hint("a key and its value, like grace=30d")
        })?;
        if let Some(earlier) = given.insert(key.trim(), text) {
            return Err(Failure::input(format!(
                "`{}` is set twice: `{earlier}` and `{text}`; nothing was changed",
                key.trim()
            ))
            .hint("name each key once"));
        }
        let set = values.set(key.trim(), value.trim());
        set.map_err(|e| {
            Failure::input(e.to_string()).hint("docs/config.md lists each key's values")
        })?;
    }
    let until = args.until.map(|when| when.from(now));
    Ok(OverrideOrder::Give { values, until })
}
