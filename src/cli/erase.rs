//! `erase`: who a customer is goes from the store; what was bought and paid stays.

use std::path::Path;

use clap::Args;

use super::apply::ApplyArgs;
use super::ask::{ask, only_row};
use super::report;
use crate::admin::{EraseOrder, ErasePlan, EraseQuery, Failure, Request};
use crate::domain::words::counted;

/// `erase`.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("reason", |arg| arg.help("With --apply: why, kept with each purchase. Write no name into it: it stays")))]
pub struct EraseArgs {
    /// Whose: an e-mail address, a customer's id at Stripe, or anything by which `find` finds the purchases.
    pub who: String,
    /// Whether it is erased.
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `erase`.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &EraseArgs) -> Result<(), Failure> {
    let order = args.apply.order()?.map(|order| EraseOrder {
        expect: order.expect,
        author: order.author,
        reason: order.reason,
    });
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
            "{} and {} name nobody any more. Older backups and the commit log still do: docs/operating.md says until when",
            counted(plan.purchases.len(), "purchase", "purchases"),
            counted(events, "event", "events")
        ));
    } else {
        report::say(&format!(
            "nothing was changed; {} the customer. `keyward erase … --apply --expect {} --reason …` erases it",
            counted(events, "event names", "events name"),
            plan.purchases.len()
        ));
    }
    Ok(())
}
