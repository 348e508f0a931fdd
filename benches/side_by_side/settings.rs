//! What to measure, from the command line and the environment.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

/// One run's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Purchases of each measured run; the first twentieth warms up and is not timed.
    pub(crate) purchases: usize,
    /// Rounds of each server in turn; medians are shown.
    pub(crate) rounds: usize,
    /// Whether the long parts run too: memory at `many` events, growth to `most`.
    pub(crate) full: bool,
    /// Stored events of the second comparison of memory.
    pub(crate) many: usize,
    /// Stored events of the growth part.
    pub(crate) most: usize,
    /// How long the sustained part sells, in seconds.
    pub(crate) seconds: u64,
    /// Actions that wait in the backlog part.
    pub(crate) waiting: usize,
    /// Whether a missed target is only told.
    pub(crate) no_fail: bool,
    /// Whether the guide stays away: to compare two builds of ours.
    pub(crate) alone: bool,
    /// Parts to run; all when empty.
    pub(crate) parts: Vec<String>,
    /// The program.
    pub(crate) keyward: PathBuf,
    /// The guide's handler.
    pub(crate) guide: PathBuf,
    /// Where stores are made: on a real disk, since syncs are part of what is measured.
    pub(crate) scratch: PathBuf,
}

impl Settings {
    /// Reads them.
    pub(crate) fn read() -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut settings = Self {
            purchases: number("BENCH_PURCHASES", 20_000)?,
            rounds: number("BENCH_ROUNDS", 3)?,
            full: number("BENCH_FULL", 0)? == 1,
            many: number("BENCH_MANY", 200_000)?,
            most: number("BENCH_MOST", 1_000_000)?,
            seconds: number("BENCH_SECONDS", 60)?,
            waiting: number("BENCH_WAITING", 100_000)?,
            no_fail: false,
            alone: false,
            parts: Vec::new(),
            keyward: path("KEYWARD_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_keyward").into()),
            guide: root.join("benches/guide/server.mjs"),
            scratch: path("BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()),
        };
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--no-fail" => settings.no_fail = true,
                "--full" => settings.full = true,
                "--alone" => settings.alone = true,
                // Cargo's own, for harnesses that know it.
                "--bench" => {}
                "load" | "memory" | "growth" | "replay" | "sustained" | "mixed" | "backlog"
                | "mails" | "disk" | "cold" | "validate" => settings.parts.push(argument),
                _ => bail!("unknown argument {argument}; see benches/README.md"),
            }
        }
        ensure!(
            settings.purchases >= 100 && settings.rounds >= 1,
            "too little to measure"
        );
        std::fs::create_dir_all(&settings.scratch).context("the folder for the stores")?;
        Ok(settings)
    }

    /// Whether a part was asked for: by name, or as one of the usual.
    pub(crate) fn wants(&self, part: &str, usual: bool) -> bool {
        if self.parts.is_empty() {
            usual
        } else {
            self.parts.iter().any(|wanted| wanted == part)
        }
    }
}

fn number<T: FromStr>(name: &str, default: T) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}
