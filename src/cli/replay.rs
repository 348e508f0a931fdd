//! `keyward replay`: a recorded history through the same rules, with a virtual clock and simulated services.

use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::report;
use super::when::When;
use crate::admin::Failure;
use crate::clock::Clock;
use crate::config::{Config, Env};
use crate::domain::action::Abilities;
use crate::domain::id::PolicyName;
use crate::domain::revision::Revisions;
use crate::engine::input::Rules;
use crate::server::source_rules;
use crate::sim::history::{BadHistory, History};
use crate::sim::replay::{PlayOptions, Replay};
use crate::sim::streamed::StreamedReport;
use crate::sim::world::SimulationError;
use crate::sim::{parallel, timeline};

/// `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Histories in delivery order: JSONL, a JSON array, or a list as Stripe gives it. `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The policy for every purchase, instead of its plan's.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Where the virtual clock stops; absent: 60 days after the last delivery.
    #[arg(long, value_name = "INSTANT")]
    pub until: Option<When>,
    /// How the timeline is printed.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Let the simulated services err, differently for each seed.
    #[arg(long, value_name = "SEED")]
    pub faults: Option<u64>,
    /// How many cores to use; absent: all. What comes out is the same.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// How a timeline is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// A diagram.
    Mermaid,
}

/// Runs the replay. Without a config file that somebody named, the defaults of a replay count.
///
/// # Errors
/// What went wrong.
pub fn run(config: Option<&Path>, args: &ReplayArgs) -> Result<(), Failure> {
    let config = match config {
        Some(path) => {
            let loaded = Config::load(path, &Env::process().lenient());
            loaded.inspect_err(report::mistakes)?.0
        }
        None => Config::for_replay(),
    };
    let rules = rules(&config, args.policy.as_deref())?;
    let histories: Result<Vec<_>, _> = args.files.iter().map(|file| open(file)).collect();
    let options = PlayOptions {
        until: args.until.map(|when| when.from(Clock::Wall.now())),
        seed: args.faults,
        threads: args.jobs.unwrap_or_else(parallel::cores),
    };
    let replay = Replay::read(histories?, rules, options).map_err(bad)?;
    match args.format {
        Format::Text => text(&replay),
        Format::Json => return report::json(&StreamedReport(&replay)),
        Format::Mermaid => mermaid(&replay),
    }
    .map_err(|stuck| Failure::ours(stuck.to_string()))
}

fn text(replay: &Replay) -> Result<(), SimulationError> {
    let events = replay.play(&mut |machine| report::piece(&timeline::machine(&machine)))?;
    for line in events.iter().filter_map(timeline::event) {
        if !report::piece(&line) {
            return Ok(());
        }
    }
    report::data(&timeline::as_of(replay.until()));
    Ok(())
}

fn mermaid(replay: &Replay) -> Result<(), SimulationError> {
    report::data(timeline::MERMAID);
    let mut n = 0;
    let diagrams = replay.play(&mut |machine| {
        n += 1;
        report::piece(&timeline::mermaid(n - 1, &machine))
    });
    diagrams.map(|_| ())
}

fn open(file: &Path) -> Result<History<'static>, Failure> {
    let read: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = std::fs::File::open(file);
        let opened = opened
            .map_err(|e| Failure::input(format!("{} cannot be read: {e}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    History::new(&file.display().to_string(), read).map_err(bad)
}

fn bad(history: BadHistory) -> Failure {
    Failure::input(history.to_string())
}

/// Replay's rules: the config as if it had always been in force, and services that can do everything.
fn rules(config: &Config, policy: Option<&str>) -> Result<Rules, Failure> {
    let mut revisions =
        Revisions::always(config.plans.clone(), config.policies.clone()).deaf(config.deaf());
    if let Some(name) = policy.map(PolicyName::from) {
        if !revisions.has_policy(&name) {
            let known: Vec<&str> = config.policies.iter().map(|p| p.name.as_str()).collect();
            let hint = format!(
                "the config has: {}",
                if known.is_empty() {
                    "none but `standard`".to_owned()
                } else {
                    known.join(", ")
                }
            );
            return Err(Failure::input(format!("no policy is named `{name}`")).hint(hint));
        }
        // rule 48.
        revisions = revisions.force_policy(name);
    }
    Ok(simulated(config, revisions))
}

/// A config's rules over services that can do everything.
pub(super) fn simulated(config: &Config, revisions: Revisions) -> Rules {
    let mut sources = source_rules(config);
    for source in sources.values_mut() {
        source.abilities = Abilities::simulated();
    }
    Rules {
        revisions,
        sources,
        store_since: None,
        guard: None,
    }
}
