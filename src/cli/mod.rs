//! The command line: every command in a file of its own, one printer, and the exit codes: 0 done, 1 your
//! input, 2 ours, 3 an answer that is no.
//!
//! In: arguments. `args` has them all on one page. Questions and orders about a store go to `admin`:
//! over the socket of the server that runs, else in the command's own process.

mod adopt;
mod apply;
pub mod args;
mod ask;
mod attention;
mod author;
mod backfill;
mod backup;
mod buy_link;
mod check;
mod demo;
mod docs;
mod erase;
mod export;
mod fail;
mod held;
mod history_pages;
mod init;
mod lists;
mod logging;
mod move_licenses;
mod online;
mod orders;
mod overrides;
mod page;
mod policy;
mod policy_diff;
mod preview;
mod probe;
mod rehearse;
mod reload;
mod replay;
mod report;
mod reread;
mod revision_keys;
mod serve;
mod show;
mod source_names;
pub mod store;
mod stripe_events;
mod verify;
mod whatif;
mod when;
mod why;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, parser::ValueSource};

use crate::admin::Failure;
use crate::clock::Clock;
use crate::domain::decision::Verb;
use args::{Cli, Command};

/// Runs the command that the process was started with: 0 done, 1 your input, 2 ours.
#[must_use]
pub fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let named = matches
        .value_source("config")
        .is_some_and(|s| s != ValueSource::DefaultValue);
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    logging::start(cli.log_format, &cli.command);
    crate::effects::tls::install();
    let on_line = matches.value_source("config") == Some(ValueSource::CommandLine);
    match run(
        &cli,
        named.then_some(&cli.config),
        on_line.then_some(&cli.config),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Help and version are what was asked for; anything else is the input's fault.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody reads what cannot be printed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// `named` is a config that somebody named, on the command line or in the environment; `on_line` one of the former.
fn run(cli: &Cli, named: Option<&PathBuf>, on_line: Option<&PathBuf>) -> Result<(), Failure> {
    let config = &cli.config;
    let now = || Clock::Wall.now();
    match &cli.command {
        Command::Init => init::run(config),
        Command::Check(args) => check::run(config, args),
        Command::Probe(args) => probe::run(config, args),
        Command::BuyLink(args) => buy_link::run(config, args),
        Command::Preview(args) => preview::run(config, args),
        Command::Serve(args) => serve::run(config, args),
        Command::Reload(args) => reload::run(config, *args),
        Command::Demo(args) => demo::run(args),
        Command::Replay(args) => replay::run(named.map(PathBuf::as_path), args),
        Command::Export(args) => export::run(config, args),
        Command::Backup(args) => backup::backup(config, args),
        Command::Restore(args) => backup::restore(config, args),
        Command::Verify(args) => verify::run(config, args),
        Command::Whatif(args) => whatif::run(on_line.map(PathBuf::as_path), args),
        Command::Rehearse(args) => rehearse::run(config, on_line.map(PathBuf::as_path), args),
        Command::Policy(args) => policy::run(config, args),
        Command::Find(args) => lists::find(config, args),
        Command::Show(args) => lists::show(config, args),
        Command::Why(args) => why::run(config, args),
        Command::Events(args) => lists::events(config, args),
        Command::Refused(args) => lists::refused(config, *args),
        Command::StripeEvents(args) => stripe_events::run(*args),
        Command::Actions(args) => lists::actions(config, *args),
        Command::Backfill(args) => backfill::run(config, args),
        Command::Attention(args) => attention::run(config, *args),
        Command::Reread(args) => reread::run(config, args),
        Command::Retry(args) => orders::retry(config, args),
        Command::Abandon(args) => orders::abandon(config, args),
        Command::Hold(args) => orders::hold(config, args),
        Command::Held(args) => held::held(config, args),
        Command::Observe(args) => held::observe(config, args),
        Command::GoLive(args) => held::go_live(config, args),
        Command::Pause(args) => held::pause(config, args),
        Command::Resume(args) => held::resume(config, args),
        Command::Grant(args) => orders::grant(config, args, now()),
        Command::Issue(args) => orders::issue(config, args, now()),
        Command::Extend(args) => {
            let until = args.until.from(now());
            orders::decide(config, &args.decision, Verb::Extend { until })
        }
        Command::Exempt(args) => {
            let until = args.until.from(now());
            orders::decide(config, &args.decision, Verb::Exempt { until })
        }
        Command::Override(args) => overrides::run(config, args, now()),
        Command::Revoke(args) => orders::decide(config, args, Verb::Revoke),
        Command::Keep(args) => orders::decide(config, args, Verb::Keep),
        Command::Note(args) => orders::decide(config, args, Verb::Note),
        Command::Rekey(args) => orders::rekey(config, args),
        Command::Address(args) => orders::address(config, args),
        Command::ResetDevices(args) => orders::reset_devices(config, args),
        Command::Resend(args) => orders::resend(config, args),
        Command::Adopt(args) => adopt::adopt(config, args),
        Command::Audit(args) => adopt::audit(config, args),
        Command::Erase(args) => erase::run(config, args),
        Command::MoveLicenses(args) => move_licenses::run(config, args),
        Command::Completions(args) => {
            docs::completions(args.shell);
            Ok(())
        }
        Command::Man => docs::man(),
        Command::MarkdownHelp => {
            report::data(&docs::markdown());
            Ok(())
        }
    }
}
