//! `adopt` and `audit`: a look at a shop that sells already, and the report of it.

mod print;
mod repair;
mod second_pass;
mod shop;
mod taking_in;
mod trouble;

use std::path::{Path, PathBuf};

use clap::Args;

use super::apply::ApplyArgs;
use super::ask::ask;
use super::report;
use crate::admin::{AdoptionQuery, Failure, Request, Response};
use crate::adopt::table::{self, KeyTable};
use crate::adopt::{AdoptionReport, Found};
use crate::domain::adoption::{Asking, Class};
use crate::domain::words::counted;
use crate::secret::Secret;

/// Where Stripe's and AuthForge's APIs are, where no config says so.
const STRIPE_API: &str = "https://api.stripe.com";
const AUTHFORGE_API: &str = "https://api.authforge.cc";
/// Requests a second to the license service where no config says so.
const AUTHFORGE_REQUESTS_PER_S: u32 = 40;

/// How a shop is read.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// Your own table of purchases and keys: CSV with the columns `stripe_id`, `license_key` and, if you like, `email`.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Calls a second to Stripe at most; your other programs share its limits. 0: no limit.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub reads_per_s: u32,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `adopt`.
#[derive(Args, Clone, Debug)]
pub struct AdoptArgs {
    #[command(flatten)]
    pub read: ReadArgs,
    /// Only the customers of this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Take in what is to do: the purchases with their history, and their keys. Nothing is sent to anybody.
    #[arg(long, requires = "expect")]
    pub apply: bool,
    /// Forget what was adopted and is as it was then: nothing was heard of it and nothing was done since. The keys that were
    /// noted for the next run are forgotten, too.
    #[arg(long, conflicts_with_all = ["apply", "csv", "source"])]
    pub undo: bool,
    /// With --apply: how many purchases the dry run said are to do. Any other number changes nothing.
    #[arg(long, value_name = "N", requires = "apply")]
    pub expect: Option<usize>,
}

/// `audit`.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("apply", |arg| arg.requires("repair")))]
pub struct AuditArgs {
    #[command(flatten)]
    pub read: ReadArgs,
    /// Only the customers of this source.
    #[arg(long, value_name = "NAME", conflicts_with = "app")]
    pub source: Option<String>,
    /// Repair this class of differences: what a row's last column says, through the guard. Without --apply it only lists.
    #[arg(long, value_name = "CLASS", conflicts_with = "app", value_parser = class)]
    pub repair: Option<Class>,
    /// Whether it is repaired.
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// Audit a shop without Keyward: the application at AuthForge whose licenses it sells. No config and no store are read.
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// With --app: a restricted key of Stripe's that may read. Better in the environment, for command lines can be seen.
    #[arg(long, value_name = "KEY", env = "STRIPE_API_KEY", hide_env_values = true, value_parser = secret)]
    pub stripe_key: Option<Secret>,
    /// With --app: a key of AuthForge's Developer API. Better in the environment.
    #[arg(long, value_name = "KEY", env = "AUTHFORGE_API_KEY", hide_env_values = true, value_parser = secret)]
    pub authforge_key: Option<Secret>,
    /// Where Stripe's API is.
    #[arg(long, value_name = "URL", default_value = STRIPE_API, hide = true)]
    pub stripe_api: String,
    /// Where AuthForge's API is.
    #[arg(long, value_name = "URL", default_value = AUTHFORGE_API, hide = true)]
    pub authforge_api: String,
    /// Requests a second to AuthForge at most; 0: no limit.
    #[arg(long, value_name = "N", default_value_t = AUTHFORGE_REQUESTS_PER_S, hide = true)]
    pub authforge_reads_per_s: u32,
}

fn class(text: &str) -> Result<Class, String> {
    let named = Class::ALL.into_iter().find(|c| c.as_str() == text);
    let all: Vec<&str> = Class::ALL.iter().map(|c| c.as_str()).collect();
    named.ok_or_else(|| format!("a class is one of {}", all.join(", ")))
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// `adopt`.
///
/// # Errors
/// What went wrong.
pub(super) fn adopt(config: &Path, args: &AdoptArgs) -> Result<(), Failure> {
    if args.undo {
        return undo(config, args.read.json);
    }
    let mut table = read_table(args.read.csv.as_deref())?;
    let source = args.source.as_deref();
    let mut found = shop::installed(config, source, &args.read, Asking::Adoption, &mut table)?;
    print::bad_lines(&mut table, &args.read);
    print::aside(&found);
    if args.apply {
        let to_do: usize = found.iter().map(|f| f.judged.moves.len()).sum();
        let expected = args.expect.unwrap_or_default();
        if expected != to_do {
            return Err(Failure::input(format!(
                "{}, not {expected}: nothing was changed",
                counted(to_do, "purchase is to do", "purchases are to do")
            ))
            .hint("look at `keyward adopt` again, and give its number"));
        }
        taking_in::apply(config, &args.read, &mut found)?;
    } else {
        taking_in::left_over(config, &found)?;
    }
    let mut report = joined(found);
    report.applied = args.apply;
    print::report(&report, &args.read, Asking::Adoption)
}

fn undo(config: &Path, json: bool) -> Result<(), Failure> {
    let Response::Changed(changed) = ask(config, Request::Adoption(AdoptionQuery::Undo))? else {
        return Err(Failure::ours("the server answered something else"));
    };
    if json {
        return report::json(&changed);
    }
    let (forgotten, stay) = (changed.machines.len(), &changed.stay);
    let others = counted(changed.noted.unwrap_or_default(), "other", "others");
    let what = format!(" forgotten, and the keys that were noted for {others}");
    print::say_of(
        forgotten,
        "adopted purchase is",
        "adopted purchases are",
        &what,
    );
    if !stay.is_empty() {
        let what = format!(
            ", for something was heard of them or done since: {}",
            some_of(stay)
        );
        print::say_of(
            stay.len(),
            "adopted purchase stays",
            "adopted purchases stay",
            &what,
        );
    }
    if !changed.machines.is_empty() {
        report::say(
            "whoever renews before `keyward adopt` takes the purchase in again is found by the label alone: where only your table names \
             the key, another one is made. `keyward observe` first, if the shop is live",
        );
    }
    Ok(())
}

/// The first names, and how many more there are.
fn some_of(names: &[String]) -> String {
    const NAMED: usize = 5;
    let first = names.iter().take(NAMED).map(String::as_str);
    let first = first.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more; --json lists all"),
    }
}

/// `audit`.
///
/// # Errors
/// What went wrong.
pub(super) fn audit(config: &Path, args: &AuditArgs) -> Result<(), Failure> {
    let mut table = read_table(args.read.csv.as_deref())?;
    let found = match &args.app {
        Some(app) => vec![shop::alone(app, args, &mut table)?],
        None => {
            let source = args.source.as_deref();
            shop::installed(config, source, &args.read, Asking::Audit, &mut table)?
        }
    };
    print::bad_lines(&mut table, &args.read);
    print::aside(&found);
    match args.repair {
        Some(class) => repair::repair(config, class, args, found),
        None => print::report(&joined(found), &args.read, Asking::Audit),
    }
}

fn joined(found: Vec<Found>) -> AdoptionReport {
    let mut all = AdoptionReport::default();
    found
        .into_iter()
        .for_each(|found| all.join(found.judged.report));
    all.sort();
    all
}

/// Reads the vendor's table.
fn read_table(path: Option<&Path>) -> Result<KeyTable, Failure> {
    let Some(path) = path else {
        return Ok(KeyTable::default());
    };
    let wrong = |why: String| Failure::input(format!("{}: {why}", path.display()));
    let len = std::fs::metadata(path)
        .map_err(|e| wrong(e.to_string()))?
        .len();
    if len > table::TABLE_BYTES_MAX {
        return Err(wrong(format!(
            "it is longer than {} bytes",
            table::TABLE_BYTES_MAX
        ))
        .hint("split it, and adopt part by part"));
    }
    let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    table::read(&bytes).map_err(|e| {
        wrong(e.to_string()).hint(
            "the first line names the columns, with commas, semicolons or tabs between them: stripe_id,license_key,email",
        )
    })
}
