//! What replay costs per event, and whether it grows with the events only.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use keyward::clock::Stopwatch;

use crate::history::{self, EVENTS};
use crate::proc::{self, Memory};
use crate::report::{Limit, Report, figure, line, median};
use crate::server::{keyward_config, nap};
use crate::settings::Settings;

/// Subscriptions of the large history; the small one has a tenth.
const MACHINES: usize = 10_000;
/// "In seconds".
const LIMIT_S: f64 = 30.0;
/// A replay that takes longer is ended.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Replays both histories.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("replay")
        .tempdir_in(&settings.scratch)?;
    std::fs::write(
        folder.path().join("keyward.toml"),
        keyward_config(8080, "http://127.0.0.1:1"),
    )?;
    line("\nReplay: keyward replay --format json, ten events a subscription");
    let mut medians = Vec::new();
    for machines in [MACHINES / 10, MACHINES] {
        let history = folder.path().join(format!("{machines}.jsonl"));
        history::write(&history, machines)?;
        let runs: Vec<Run> = (0..settings.rounds)
            .map(|_| replay(settings, &history))
            .collect::<Result<_>>()?;
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
        let (wall, cpu) = (
            of(|run| run.wall.as_secs_f64()),
            of(|run| run.cpu.as_secs_f64()),
        );
        let (events, peak) = (machines * EVENTS, of(|run| run.memory.peak_mib));
        line(&format!(
            "  {events} events, {machines} machines: {} s, {} s CPU, {} ns CPU an event, {} MiB at most",
            figure(wall),
            figure(cpu),
            figure(cpu * 1e9 / events as f64),
            figure(peak)
        ));
        medians.push((wall, cpu));
    }
    if let [(small, _), (large, cpu)] = medians.as_slice() {
        report.check(
            "replay: time for ten times the events",
            large / small,
            Limit::AtMost(11.0),
        );
        report.check(
            format!("replay of {} events, s CPU", MACHINES * EVENTS),
            *cpu,
            Limit::AtMost(LIMIT_S),
        );
    }
    Ok(())
}

#[derive(Debug)]
struct Run {
    wall: Duration,
    cpu: Duration,
    memory: Memory,
}

fn replay(settings: &Settings, history: &Path) -> Result<Run> {
    let mut command = Command::new(&settings.keyward);
    command
        .arg("replay")
        .arg("--config")
        .arg(history.with_file_name("keyward.toml"));
    command.arg("--format").arg("json").arg(history);
    let before = proc::cpu_of_the_waited_for()?;
    let watch = Stopwatch::start();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting keyward replay")?;
    let mut memory = Memory::default();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if watch.elapsed() > GIVE_UP {
            child.kill()?;
            child.wait()?;
            bail!(
                "keyward replay of {} took more than {GIVE_UP:?}",
                history.display()
            );
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
    ensure!(status.success(), "keyward replay ended with {status}");
    Ok(Run { wall, cpu, memory })
}
