//! What a full store costs: time and CPU of an acknowledgement, memory, and opening after SIGKILL.

use anyhow::Result;

use crate::measure::{Bench, Stretch};
use crate::proc;
use crate::report::{Limit, Report, figure, line, median};
use crate::server::Kind;
use crate::settings::Settings;

/// Each end is measured in so many stretches, and the median counts.
const STRETCHES: usize = 3;
/// Opening after SIGKILL is promised "in seconds"; past a minute nobody would call it so.
const OPEN_LIMIT_S: f64 = 60.0;

/// Fills Keyward's store through its own door and measures at both ends.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let (many, most) = (settings.many, settings.most);
    line(&format!(
        "\nGrowth: keyward, from an empty store to {most} purchases"
    ));
    let mut bench = Bench::start(Kind::Keyward, settings)?;
    let stretch = settings.purchases;
    let empty = stretches(&mut bench, stretch)?;
    bench.buy(many.saturating_sub(STRETCHES * stretch))?;
    let at_many = proc::memory(bench.server.pid())?;
    progress(&bench, "filled", many)?;
    let mut stored = many.max(STRETCHES * stretch);
    while stored < most {
        let next = (most - stored).min(100_000);
        bench.buy(next)?;
        stored += next;
        progress(&bench, "filled", stored)?;
    }
    let at_most = proc::memory(bench.server.pid())?;
    let full = stretches(&mut bench, stretch)?;
    bench.check_licenses()?;

    let of = |stretches: &[Stretch], value: fn(&Stretch) -> f64| {
        median(stretches.iter().map(value).collect())
    };
    for (what, value) in [
        (
            "time per acknowledgement",
            (|s| 1.0 / s.load.acks_per_s()) as fn(&Stretch) -> f64,
        ),
        ("CPU per fulfilled purchase", Stretch::cpu_ms),
    ] {
        let ratio = of(&full, value) / of(&empty, value);
        report.check(
            format!("{what}, {most} stored / empty store"),
            ratio,
            Limit::AtMost(1.3),
        );
    }
    let millions = most.saturating_sub(many) as f64 / 1e6;
    let per_million = (at_most.now_mib - at_many.now_mib) / millions;
    report.check(
        format!("memory per million beyond {many}, MiB"),
        per_million,
        Limit::AtMost(150.0),
    );

    let opened = bench.server.kill_and_reopen(settings)?;
    report.check(
        format!(
            "open after SIGKILL with {} purchases, s",
            stored + STRETCHES * stretch
        ),
        opened.as_secs_f64(),
        Limit::AtMost(OPEN_LIMIT_S),
    );
    bench.buy(stretch / 20)?;
    bench.check_licenses()
}

fn stretches(bench: &mut Bench, purchases: usize) -> Result<Vec<Stretch>> {
    (0..STRETCHES).map(|_| bench.buy(purchases)).collect()
}

fn progress(bench: &Bench, what: &str, stored: usize) -> Result<()> {
    let (memory, disk) = (proc::memory(bench.server.pid())?, bench.server.disk_mib());
    line(&format!(
        "  {what}: {stored} purchases, {} MiB resident, {} MiB on disk",
        figure(memory.now_mib),
        figure(disk)
    ));
    Ok(())
}
