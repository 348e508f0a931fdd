//! What a process and all its children used, as Linux tells it in `/proc`.

use std::ops::Range;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

/// Resident memory, now and at its highest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) now_mib: f64,
    pub(crate) peak_mib: f64,
}

/// User and system time of a process, of its children that live, and of those that it has waited for.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let ticks: u64 = family(pid)?.iter().map(|one| one.ticks).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_s()?))
}

/// Time that this process used itself: the load generator and the license service.
pub(crate) fn own_cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let ticks = ticks(&stat, 11..13).context("/proc/self/stat")?;
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_s()?))
}

/// Time that children of this process used which have ended.
pub(crate) fn cpu_of_the_waited_for() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let ticks = ticks(&stat, 13..15).context("/proc/self/stat")?;
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_s()?))
}

/// Memory of a process and of its children.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let mut sum = Memory::default();
    for one in family(pid)? {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", one.pid)) else {
            continue;
        };
        sum.now_mib += field_mib(&status, "VmRSS:");
        sum.peak_mib += field_mib(&status, "VmHWM:");
    }
    Ok(sum)
}

fn field_mib(status: &str, name: &str) -> f64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or("0 kB");
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

#[derive(Debug)]
struct One {
    pid: u32,
    parent: u32,
    ticks: u64,
}

fn family(pid: u32) -> Result<Vec<One>> {
    let mut members = vec![one(pid).with_context(|| format!("process {pid} is gone"))?];
    let others = std::fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut others: Vec<One> = others.filter_map(one).collect();
    let mut at = 0;
    while let Some(parent) = members.get(at).map(|member| member.pid) {
        members.extend(others.extract_if(.., |other| other.parent == parent && other.pid != pid));
        at += 1;
    }
    Ok(members)
}

/// `None`: no such process (any more).
fn one(pid: u32) -> Option<One> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(One {
        pid,
        parent: fields(&stat)?.get(1)?.parse().ok()?,
        ticks: ticks(&stat, 11..15)?,
    })
}

/// The fields after the name, which may hold blanks and brackets: state (the third of all), parent, …; from the twelfth
/// on utime, stime, cutime, cstime.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace().collect())
}

fn ticks(stat: &str, which: Range<usize>) -> Option<u64> {
    fields(stat)?
        .get(which)?
        .iter()
        .map(|ticks| ticks.parse::<u64>())
        .sum::<Result<u64, _>>()
        .ok()
}

fn ticks_per_s() -> Result<f64> {
    let output = Command::new("getconf")
        .arg("CLK_TCK")
        .output()
        .context("getconf CLK_TCK")?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("getconf CLK_TCK gives no number")
}
