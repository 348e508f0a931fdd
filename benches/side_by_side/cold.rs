//! Renewals in a large store that nobody has touched for a while: each reads and writes a machine that lies anywhere in it.

use anyhow::Result;
use keyward::clock::{Clock, Stopwatch};

use crate::history::Events;
use crate::load::send_all;
use crate::proc;
use crate::purchase;
use crate::report::{Limit, Report, figure, line};
use crate::server::{Kind, Server, free_port, new_folder};
use crate::settings::Settings;
use crate::whatif_store;

/// Subscriptions of the small store, all of which lie in the cache.
const FEW: usize = 5_000;
/// Renewals that are delivered, at most.
const RENEWALS: usize = 20_000;
/// Has no divisor in common with a round number of subscriptions: the renewals come from all over the store.
const STRIDE: usize = 7_919;

/// Measures a small store, then a large one. The license service is down: what is measured is the way to the
/// acknowledgement.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let many = settings.many;
    line("\nCold: renewals in a filled store, just opened, the license service down");
    let small = renewed(settings, FEW)?;
    let large = renewed(settings, many)?;
    for (what, of) in [("time", 0), ("CPU", 1)] {
        report.check(
            format!("{what} of a renewal, {many} machines / {FEW}"),
            large[of] / small[of],
            Limit::AtMost(2.0),
        );
    }
    Ok(())
}

/// Time and CPU of a renewal, in ms.
fn renewed(settings: &Settings, machines: usize) -> Result<[f64; 2]> {
    let folder = new_folder(Kind::Keyward, settings)?;
    let now_s = Clock::Wall.now().s();
    let events = Events::in_their_fourth_month(machines, now_s);
    let stored = whatif_store::fill(&folder.path().join("keyward-data"), &events, machines)?;
    let watch = Stopwatch::start();
    let server = Server::start_in(folder, Kind::Keyward, settings, free_port()?)?;
    let opened = watch.elapsed();
    let before = proc::cpu(server.pid())?;
    let mut all = (0..machines)
        .map(move |n| n * STRIDE % machines)
        .filter_map(move |machine| events.renewal(machine, now_s))
        .take(RENEWALS);
    let next = move || {
        let Some(body) = all.next() else {
            return Ok(None);
        };
        purchase::request(&body, Clock::Wall.now().s()).map(|request| Some(request.into()))
    };
    let load = send_all(Box::new(next), server.port)?;
    let cpu = proc::cpu(server.pid())?.saturating_sub(before);
    let count = load.latencies_us.len() as f64;
    let (time_ms, cpu_ms) = (
        load.elapsed.as_secs_f64() * 1e3 / count,
        cpu.as_secs_f64() * 1e3 / count,
    );
    line(&format!(
        "  {machines} machines of {stored} events, {} MiB on disk, open in {} s: {} renewals, {} a second, p99 {} ms, {} ms CPU each, {} MiB",
        figure(server.disk_mib()),
        figure(opened.as_secs_f64()),
        figure(count),
        figure(load.acks_per_s()),
        figure(load.percentile_ms(99)),
        figure(cpu_ms),
        figure(proc::memory(server.pid())?.now_mib),
    ));
    Ok([time_ms, cpu_ms])
}
