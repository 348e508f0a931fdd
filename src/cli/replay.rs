//! `keyward replay`: a recorded history through the same rules.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::fail::Failure;
use super::when::When;

/// `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Histories in delivery order: JSONL, a JSON array, or a list as Stripe gives it.
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
pub fn run(_config: Option<&Path>, _: &ReplayArgs) -> Result<(), Failure> {
    Err(Failure::ours("replay is not built yet"))
}
