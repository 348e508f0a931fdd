//! `keyward policy`: what a changed file would change, and the only way by which it reaches what already is.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::ask::{Conversation, ask};
use super::author::author;
use super::history_pages;
use super::policy_diff::{Changes, text};
use super::{page, report};
use crate::admin::{
    AffectedPurchase, Changed, Failure, PolicyCounts, PolicyQuery, Request, Response,
};
use crate::config::{Config, Env};
use crate::domain::decision::{Decision, Verb};
use crate::domain::revision::Revision;
use crate::domain::words::counted;

/// `policy`.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: PolicyCommand,
}

/// The commands about policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Tell what a changed config file would change, key by key, before it is loaded.
    Diff(DiffArgs),
    /// Judge what already is by the newest revision: list what that changes, and with --yes do it.
    Apply(ApplyArgs),
}

/// `policy diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The changed config file.
    #[arg(value_name = "NEW.toml")]
    pub file: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `policy apply`.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// To say that purchases, failures, refunds and disputes which already are should be judged anew.
    #[arg(long, required = true)]
    pub existing: bool,
    /// Only purchases of this plan.
    #[arg(long, value_name = "NAME")]
    pub plan: Option<String>,
    /// Why: kept with the decision, for whoever asks later.
    #[arg(long)]
    pub reason: String,
    /// Do it. Without this what would change is listed and nothing is done.
    #[arg(long)]
    pub yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Runs one of them.
///
/// # Errors
/// What went wrong.
pub fn run(config: &Path, args: &PolicyArgs) -> Result<(), Failure> {
    match &args.what {
        PolicyCommand::Diff(args) => diff(config, args),
        PolicyCommand::Apply(args) => apply(config, args),
    }
}

fn diff(config: &Path, args: &DiffArgs) -> Result<(), Failure> {
    let loaded = Config::load(&args.file, &Env::process().lenient());
    let (new, warnings) = loaded.inspect_err(report::mistakes)?;
    let (old, counts) =
        history_pages::converse(config, |asked| Ok((newest(asked)?, counts(asked)?)))?;
    let changes = Changes::of(&old, &new.plans, &new.policies, &counts);
    if args.json {
        return report::json(&changes);
    }
    report::findings(&warnings);
    report::data(&text(&changes));
    Ok(())
}

/// The revision in force; a store that no server has served yet goes by its config.
fn newest(asked: &mut Conversation) -> Result<Revision, Failure> {
    let kept = history_pages::revisions(asked)?.pop();
    Ok(kept.unwrap_or_else(|| Revision {
        from: crate::domain::time::Timestamp::from_ms(0),
        plans: asked.config.plans.clone(),
        policies: asked.config.policies.clone(),
    }))
}

fn counts(asked: &mut Conversation) -> Result<PolicyCounts, Failure> {
    let Response::Page { rows, .. } = asked.ask(Request::Policy(PolicyQuery::Counts))? else {
        return Err(other());
    };
    page::read::<PolicyCounts>(&rows)?.pop().ok_or_else(other)
}

fn other() -> Failure {
    Failure::ours("the server answered something else")
        .hint("is the server of the same version as this command?")
}

fn apply(config: &Path, args: &ApplyArgs) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::input("a decision needs its reason")
            .hint("`--reason \"…\"`, for whoever asks later"));
    }
    let preview = Request::Policy(PolicyQuery::Preview {
        plan: args.plan.clone(),
    });
    let rows = history_pages::converse(config, |asked| {
        let newest = newest(asked)?;
        if newest.plans != asked.config.plans || newest.policies != asked.config.policies {
            report::warning(
                "the config file says something else than the newest revision; only what is loaded is applied",
            );
        }
        let Response::List { rows, .. } = asked.ask(preview)? else {
            return Err(other());
        };
        Ok(rows)
    })?;
    let concerned = page::read::<AffectedPurchase>(&rows)?;
    if args.yes && args.json && concerned.is_empty() {
        return report::json(&Changed::default());
    }
    if !args.yes || concerned.is_empty() {
        return previewed(&concerned, &rows, args);
    }
    report::say(&listed(&concerned));
    let decision = Decision {
        verb: Verb::ApplyRevision,
        author: author(),
        reason: args.reason.trim().to_owned(),
    };
    let plan = args.plan.clone();
    let request = Request::Policy(PolicyQuery::Apply { plan, decision });
    let Response::Changed(changed) = ask(config, request)? else {
        return Err(other());
    };
    if args.json {
        return report::json(&changed);
    }
    report::say(&format!(
        "{} judged by the newest revision from now on",
        counted(changed.machines.len(), "purchase is", "purchases are")
    ));
    Ok(())
}

fn previewed(
    concerned: &[AffectedPurchase],
    rows: &[Box<serde_json::value::RawValue>],
    args: &ApplyArgs,
) -> Result<(), Failure> {
    if args.json {
        return report::json(&rows);
    }
    if concerned.is_empty() {
        report::say("nothing would change: all that already is agrees with the newest revision");
        return Ok(());
    }
    report::data(&listed(concerned));
    report::say(&format!(
        "{} would change; nothing was done. --yes does it",
        counted(concerned.len(), "purchase", "purchases")
    ));
    Ok(())
}

fn listed(concerned: &[AffectedPurchase]) -> String {
    let row = |c: &AffectedPurchase| {
        vec![
            c.machine.to_string(),
            c.plans.join(", "),
            c.changes.join("; "),
        ]
    };
    report::table(
        &["purchase", "plan", "what changes"],
        concerned.iter().map(row).collect(),
    )
}
