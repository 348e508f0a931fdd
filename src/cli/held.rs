//! Orders for the whole shop (`observe`, `go-live`, `pause`, `resume`), and `held`: what they, the guard and adoption hold.

use std::path::Path;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::args::ListArgs;
use super::ask::ask;
use super::author::author;
use super::orders::{order, reason};
use super::page::{self, ActionRow};
use super::report;
use crate::admin::{Compared, Failure, Holding, Request, Response, Settlement};
use crate::domain::hold::HeldBy;
use crate::domain::id::{PlanName, SourceName};
use crate::domain::standing::Standing;
use crate::domain::words::counted;

/// `held`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HeldArgs {
    /// What to do; without one: list.
    #[command(subcommand)]
    pub command: Option<HeldCommand>,
    /// How many, and in which form.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What a person says of what is held.
#[derive(Debug, Subcommand)]
pub enum HeldCommand {
    /// Let it go ahead, whatever holds it.
    Approve(SettleArgs),
    /// Give it up.
    Drop(SettleArgs),
}

/// `held approve` and `held drop`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
pub struct SettleArgs {
    /// The action, like `stripe/sub_123#4`.
    #[arg(group = "which", value_name = "ID")]
    pub id: Option<String>,
    /// All that the guard holds, or what `--held-by` names. What is only observed goes ahead by `go-live`.
    #[arg(long, group = "which")]
    pub all: bool,
    /// With `--all`: what holds them.
    #[arg(long, value_name = "WHAT", requires = "all", conflicts_with = "id")]
    pub held_by: Option<SettledBy>,
    /// Why: kept with the action.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What holds that a person's word alone settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SettledBy {
    /// The guard: too many licenses would end in a short time.
    Guard,
    /// It was found when the purchase was adopted.
    Adoption,
    /// The purchase began before this store, and what was paid then was never told.
    Beginning,
    /// A person held it.
    Person,
}

impl From<SettledBy> for HeldBy {
    fn from(by: SettledBy) -> Self {
        match by {
            SettledBy::Guard => Self::Guard,
            SettledBy::Adoption => Self::Adoption,
            SettledBy::Beginning => Self::Beginning,
            SettledBy::Person => Self::Person,
        }
    }
}

/// `observe` and `go-live`.
#[derive(Args, Clone, Debug)]
pub struct ModeArgs {
    /// Only this plan. Absent: the whole shop.
    #[arg(long, value_name = "NAME")]
    pub plan: Option<String>,
    /// Why: kept with the order.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `pause`.
#[derive(Args, Clone, Debug)]
pub struct PauseArgs {
    /// The license service: `authforge` or `embedded`.
    #[arg(long, value_name = "SERVICE")]
    pub service: String,
    /// Why: kept with the order.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `resume`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").required(true).multiple(false))]
pub struct ResumeArgs {
    /// The license service: `authforge` or `embedded`.
    #[arg(long, value_name = "SERVICE", group = "what")]
    pub service: Option<String>,
    /// The source for whose purchases another program made licenses and does so no more.
    #[arg(long, value_name = "NAME", group = "what")]
    pub source: Option<String>,
    /// Why: kept with the order.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `observe`.
///
/// # Errors
/// What went wrong.
pub(super) fn observe(config: &Path, args: &ModeArgs) -> Result<(), Failure> {
    let plan = args.plan.as_deref().map(PlanName::from);
    give(config, Standing::Observe { plan }, &args.reason, args.json)
}

/// `go-live`.
///
/// # Errors
/// What went wrong.
pub(super) fn go_live(config: &Path, args: &ModeArgs) -> Result<(), Failure> {
    let plan = args.plan.as_deref().map(PlanName::from);
    give(config, Standing::Live { plan }, &args.reason, args.json)
}

/// `pause`.
///
/// # Errors
/// What went wrong.
pub(super) fn pause(config: &Path, args: &PauseArgs) -> Result<(), Failure> {
    let service = args.service.clone();
    give(config, Standing::Pause { service }, &args.reason, args.json)
}

/// `resume`.
///
/// # Errors
/// What went wrong.
pub(super) fn resume(config: &Path, args: &ResumeArgs) -> Result<(), Failure> {
    let what = match &args.source {
        Some(source) => Standing::Alone {
            source: SourceName::from(source.as_str()),
        },
        None => Standing::Resume {
            service: args.service.clone().unwrap_or_default(),
        },
    };
    give(config, what, &args.reason, args.json)
}

fn give(config: &Path, what: Standing, why: &str, json: bool) -> Result<(), Failure> {
    let sentence = what.to_string();
    let alone = if let Standing::Alone { source } = &what {
        Some(source.clone())
    } else {
        None
    };
    let holds = matches!(what, Standing::Observe { .. } | Standing::Pause { .. });
    let request = Request::Order {
        what,
        author: author(),
        reason: reason(why)?,
    };
    order(config, request, json, |changed| {
        let count = changed.actions.unwrap_or_default();
        if let Some(source) = alone.as_ref().filter(|_| count == 0) {
            // Keys that were never held are not made again.
            return format!("{source}: no other program makes licenses; nothing was held by that");
        }
        let stays = changed.still_held.iter();
        let stays = stays.map(|(by, n)| format!("\n{}", stays_held(*by, *n, Settlement::Approve)));
        let done = match (count, holds) {
            (0, true) => format!("{sentence}; nothing waited that it holds"),
            (0, false) if changed.still_held.is_empty() => {
                format!("{sentence}; nothing was held by that")
            }
            (0, false) => sentence.clone(),
            (n, true) => format!(
                "{sentence}; {} held",
                counted(n, "action is", "actions are")
            ),
            (n, false) => format!(
                "{sentence}; {} if still needed",
                counted(n, "held action goes ahead", "held actions go ahead")
            ),
        };
        std::iter::once(done).chain(stays).collect()
    })
}

/// `held`, `held approve` and `held drop`.
///
/// # Errors
/// What went wrong.
pub(super) fn held(config: &Path, args: &HeldArgs) -> Result<(), Failure> {
    let (settle, settlement) = match &args.command {
        None => return list(config, args),
        Some(HeldCommand::Approve(settle)) => (settle, Settlement::Approve),
        Some(HeldCommand::Drop(settle)) => (settle, Settlement::Drop),
    };
    let request = Request::Settle {
        id: settle.id.clone(),
        held_by: settle.held_by.map(HeldBy::from),
        settlement,
        author: author(),
        reason: reason(&settle.reason)?,
    };
    order(config, request, settle.json, |changed| {
        let what = actions(changed.actions.unwrap_or_default());
        let done = match (changed.actions, settlement) {
            (Some(0), _) if !changed.suggested.is_empty() => {
                "nothing else is held by that".to_owned()
            }
            (Some(0) | None, _) => {
                let by = settle.held_by.map_or(HeldBy::Guard, HeldBy::from);
                format!("nothing is held by {}", by.as_str())
            }
            (Some(_), Settlement::Approve) => format!("{what} may go ahead, if still needed"),
            (Some(_), Settlement::Drop) => {
                format!("{what} given up; `keyward retry` takes one up again")
            }
        };
        let stays = changed.still_held.iter();
        let stays = stays.map(|(by, n)| format!("\n{}", stays_held(*by, *n, settlement)));
        let done = std::iter::once(done).chain(stays);
        done.chain(left_out(&changed.suggested)).collect()
    })
}

/// The creates that a yes to all leaves out.
fn left_out(suggested: &[String]) -> Option<String> {
    let first = suggested.first()?;
    let stay = counted(suggested.len(), "create stays", "creates stay");
    Some(format!(
        "\n{stay} held, for a key may be there already: name it in a table and `keyward adopt --csv` it, or approve each by its \
         ID, like `keyward held approve {first} --reason …`"
    ))
}

fn actions(count: u32) -> String {
    counted(count, "action", "actions")
}

/// What an order about something else leaves held, and the way out.
fn stays_held(by: HeldBy, count: u32, settlement: Settlement) -> String {
    let word = match settlement {
        Settlement::Approve => "approve",
        Settlement::Drop => "drop",
    };
    let way_out = match by {
        HeldBy::Guard | HeldBy::Adoption | HeldBy::Beginning | HeldBy::Person => {
            format!("`keyward held {word} --all --held-by {}`", by.as_str())
        }
        HeldBy::Observe => {
            "`keyward go-live`, without `--plan` for what belongs to no plan".to_owned()
        }
        HeldBy::Pause => "`keyward resume --service`".to_owned(),
        HeldBy::OtherHandler => "`keyward resume --source`".to_owned(),
        HeldBy::OtherService => "`keyward move-licenses`".to_owned(),
        HeldBy::Time => "it ends by itself".to_owned(),
    };
    let stays = if count == 1 { "stays" } else { "stay" };
    format!(
        "{} {stays} held by {}: {way_out}",
        actions(count),
        by.as_str()
    )
}

fn list(config: &Path, args: &HeldArgs) -> Result<(), Failure> {
    let request = Request::Held {
        limit: args.list.limit,
    };
    let Response::Held {
        rows,
        more,
        holding,
    } = ask(config, request)?
    else {
        return Err(Failure::ours("the server answered something else"));
    };
    if args.list.json {
        return report::json(
            &serde_json::json!({ "rows": rows, "more": more, "holding": holding }),
        );
    }
    say(&holding);
    if rows.is_empty() {
        report::say("nothing is held");
        return Ok(());
    }
    if more > 0 {
        report::say(&format!(
            "{} left out",
            counted(more, "older one is", "older ones are")
        ));
    }
    let rows = page::read::<ActionRow>(&rows)?.into_iter().map(|a| {
        let by = a.held_by.map_or("", HeldBy::as_str).to_owned();
        let since = a.held_at.unwrap_or_default();
        vec![
            a.id,
            a.service,
            a.kind,
            a.would.unwrap_or_default(),
            since,
            by,
            a.error.unwrap_or_default(),
        ]
    });
    report::data(&report::table(
        &[
            "id", "service", "what", "would be", "since", "held by", "because",
        ],
        rows.collect(),
    ));
    Ok(())
}

/// What holds, before the list of what is held.
fn say(holding: &Holding) {
    for order in &holding.orders {
        report::say(&format!(
            "{}  {}: {} ({})",
            order.at, order.by, order.what, order.reason
        ));
    }
    if let Some(since) = holding.guard_tripped {
        report::say(&format!(
            "the guard holds everything that would end a license since {since}"
        ));
    }
    let Compared {
        would_have_done,
        service_has,
        differ,
    } = holding.compared;
    if would_have_done > 0 {
        report::say(&format!(
            "observed: would have done {would_have_done}, the license service has {service_has} of it, {}",
            counted(differ, "differs", "differ")
        ));
    }
}
