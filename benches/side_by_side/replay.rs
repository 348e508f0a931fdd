//! What replay costs per event on one core, whether it grows with the events only, and how long a what-if takes on all cores.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use keyward::clock::Stopwatch;

use crate::history::Events;
use crate::proc::{self, Memory};
use crate::report::{Limit, Report, figure, line, median};
use crate::server::{keyward_config, nap};
use crate::settings::Settings;
use crate::whatif_store;

/// Subscriptions of the histories, each with ten events; the largest is what the what-if is about, too.
const MACHINES: [usize; 3] = [1_000, 10_000, 100_000];
/// CPU for an event on one core, in microseconds.
const EVENT_US: f64 = 20.0;
/// A what-if over the largest history, in seconds.
const WHATIF_S: f64 = 20.0;
/// What takes longer is ended.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Replays the histories, and asks what the last one's would have been.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("replay")
        .tempdir_in(&settings.scratch)?;
    let config = keyward_config(8080, "http://127.0.0.1:1");
    std::fs::write(folder.path().join("keyward.toml"), &config)?;
    line("\nReplay: keyward replay --format json --jobs 1, ten events a subscription");
    let mut costs = Vec::new();
    for machines in MACHINES {
        costs.push(replayed(settings, folder.path(), machines)?);
    }
    if let [small, .., large] = costs.as_slice() {
        report.check(
            "replay: CPU for an event of a hundred times the events",
            large / small,
            Limit::AtMost(1.2),
        );
        report.check(
            "replay: us CPU for an event on one core",
            *large,
            Limit::AtMost(EVENT_US),
        );
    }
    whatif(settings, report, folder.path(), &config)
}

/// Microseconds of CPU for an event.
fn replayed(settings: &Settings, folder: &Path, machines: usize) -> Result<f64> {
    let history = folder.join("history.jsonl");
    let events = Events::new(machines).write(&history)?;
    let rounds = if machines == MACHINES[2] {
        1
    } else {
        settings.rounds
    };
    let command = || {
        let mut command = Command::new(&settings.keyward);
        command
            .args(["replay", "--jobs", "1", "--format", "json", "--config"])
            .args([&folder.join("keyward.toml"), &history]);
        command
    };
    let runs: Vec<Run> = (0..rounds)
        .map(|_| measured(command()))
        .collect::<Result<_>>()?;
    std::fs::remove_file(&history)?;
    let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
    let cpu = of(|run| run.cpu.as_secs_f64());
    let us = cpu * 1e6 / events as f64;
    line(&format!(
        "  {events} events, {machines} machines: {} s, {} s CPU, {} us CPU an event, {} MiB at most",
        figure(of(|run| run.wall.as_secs_f64())),
        figure(cpu),
        figure(us),
        figure(of(|run| run.memory.peak_mib))
    ));
    Ok(us)
}

fn whatif(settings: &Settings, report: &mut Report, folder: &Path, config: &str) -> Result<()> {
    let machines = MACHINES[2];
    let events = whatif_store::fill(
        &folder.join("keyward-data"),
        &Events::new(machines),
        machines,
    )?;
    let other = config.replace("grace = \"16d\"", "grace = \"2d\"");
    ensure!(other != config, "the other config is the same");
    std::fs::write(
        folder.join("new.toml"),
        other.replace("\"7d\", \"14d\"", "\"1d\""),
    )?;
    let mut command = Command::new(&settings.keyward);
    command
        .args(["whatif", "--config", "new.toml", "--format", "json"])
        .env("KEYWARD_CONFIG", "keyward.toml")
        .current_dir(folder);
    let run = measured(command)?;
    line(&format!(
        "What-if over a store of {events} events, {machines} machines, all cores: {} s, {} s CPU, {} MiB at most",
        figure(run.wall.as_secs_f64()),
        figure(run.cpu.as_secs_f64()),
        figure(run.memory.peak_mib)
    ));
    report.check(
        format!("what-if over {events} events, s"),
        run.wall.as_secs_f64(),
        Limit::AtMost(WHATIF_S),
    );
    Ok(())
}

#[derive(Debug)]
struct Run {
    wall: Duration,
    cpu: Duration,
    memory: Memory,
}

fn measured(mut command: Command) -> Result<Run> {
    let before = proc::cpu_of_the_waited_for()?;
    let watch = Stopwatch::start();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting keyward")?;
    let mut memory = Memory::default();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if watch.elapsed() > GIVE_UP {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} took more than {GIVE_UP:?}");
        }
        if let Ok(now) = proc::memory(child.id()) {
            memory.peak_mib = memory.peak_mib.max(now.peak_mib);
        }
        nap(Duration::from_millis(5));
    };
    let (wall, cpu) = (
        watch.elapsed(),
        proc::cpu_of_the_waited_for()?.saturating_sub(before),
    );
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Run { wall, cpu, memory })
}
