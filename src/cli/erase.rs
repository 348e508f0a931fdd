//! `erase`: who a customer is goes from the store; what was bought and paid stays.

use std::path::Path;

use clap::Args;

use super::ask::{ask, only_row};
use super::orders::{author, reason};
use super::report;
use crate::admin::{EraseOrder, ErasePlan, EraseQuery, Failure, Request};

/// `erase`.
#[derive(Args, Clone, Debug)]
pub struct EraseArgs {
    /// Whose: an e-mail address, a customer's id at Stripe, or anything by which `find` finds the purchases.
    pub who: String,
    /// Erase it. Without it nothing is changed.
    #[arg(long, requires_all = ["expect", "reason"])]
    pub apply: bool,
    /// With --apply: how many purchases the dry run listed. Any other number changes nothing.
    #[arg(long, value_name = "N", requires = "apply")]
    pub expect: Option<usize>,
    /// With --apply: why, kept with each purchase. Write no name into it: it stays.
    #[arg(long, value_name = "TEXT", requires = "apply")]
    pub reason: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `erase`.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &EraseArgs) -> Result<(), Failure> {
    let order = if args.apply {
        Some(EraseOrder {
            expect: args.expect.unwrap_or_default(),
            author: author(),
            reason: reason(args.reason.as_deref().unwrap_or_default())?,
        })
    } else {
        None
    };
    let who = args.who.clone();
    let plan: ErasePlan = only_row(ask(config, Request::Erase(EraseQuery { who, order }))?)?;
    if args.json {
        return report::json(&plan);
    }
    let rows = plan.purchases.iter().map(|row| {
        let says = match (row.runs, plan.applied) {
            (true, _) => "stays: cancel the subscription first",
            (false, true) => "erased",
            (false, false) => "would be erased",
        };
        vec![row.machine.to_string(), row.status.clone(), says.to_owned()]
    });
    report::data(&report::table(
        &["purchase", "status", "addresses and names"],
        rows.collect(),
    ));
    let events = plan.events;
    if plan.applied {
        report::say(&format!(
            "{} purchases and {events} events name nobody any more. Older backups and the commit log still do: docs/operating.md says until when",
            plan.purchases.len()
        ));
    } else {
        report::say(&format!(
            "nothing was changed; {events} events name the customer. `keyward erase … --apply --expect {} --reason …` erases it",
            plan.purchases.len()
        ));
    }
    Ok(())
}
