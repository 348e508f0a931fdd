//! What waits must cost nothing but room: a license service that is down, much that waits for it, and a slow one that
//! works it off while sales go on.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use keyward::clock::Stopwatch;

use crate::load::{Load, send_all};
use crate::measure::{memory_at_rest, wait_for_a_whole_second};
use crate::proc;
use crate::purchase;
use crate::report::{Limit, Report, figure, line, median};
use crate::server::{Kind, Server, free_port, nap};
use crate::service::Service;
use crate::settings::Settings;
use crate::sustained::{IN_FLIGHT, SLOW, wait_for};

/// Purchases of one stretch, of which there are [`STRETCHES`] on either side; the median counts.
const STRETCH: usize = 5_000;
const STRETCHES: usize = 5;
/// How long the idle server is watched, from the last sale on.
const IDLE: Duration = Duration::from_secs(60);
/// Sales that go on while the backlog is worked off.
const MEANWHILE: usize = 20_000;
/// How often the service is asked how far it is.
const SAMPLE: Duration = Duration::from_secs(1);

/// Measures.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let waiting = settings.waiting;
    line(&format!(
        "\nBacklog: {waiting} actions wait for a license service that is down"
    ));
    let (plain, mut sold_plain) = none_waiting(settings)?;
    let port = free_port()?;
    let mut server = Server::start(Kind::Keyward, settings, port)?;
    wait_for_a_whole_second()?;
    let mut sold = 0;
    sell(&server, &mut sold, STRETCH * STRETCHES)?;
    let memory_before = memory_at_rest(&server)?;
    let at_first = sold;
    sell(&server, &mut sold, waiting - at_first)?;
    let memory_after = memory_at_rest(&server)?;
    let (none, many) = in_turns((&plain, &mut sold_plain), (&server, &mut sold))?;
    drop(plain);
    ratios(report, &format!("{waiting} waiting"), &none, &many);
    let grown_kib = (memory_after.now_mib - memory_before.now_mib) * 1024.0;
    line(&format!(
        "  memory: {} MiB with {at_first} waiting, {} MiB with {waiting}: {} bytes each",
        figure(memory_before.now_mib),
        figure(memory_after.now_mib),
        figure(grown_kib * 1024.0 / (waiting - at_first) as f64)
    ));
    let idle_before = proc::cpu(server.pid())?;
    nap(IDLE);
    let idle = proc::cpu(server.pid())?.saturating_sub(idle_before);
    report.check(
        "CPU while the service is down, share of a core",
        idle.as_secs_f64() / IDLE.as_secs_f64(),
        Limit::AtMost(0.02),
    );
    let opened = server.kill_and_reopen(settings)?;
    report.check(
        format!("open after SIGKILL with {sold} waiting, s"),
        opened.as_secs_f64(),
        Limit::AtMost(10.0),
    );
    work_off(&server, port, &mut sold, report)
}

/// A store of as many purchases whose licenses are made, and how many those are: what more of them cost by themselves is the
/// part `growth`.
fn none_waiting(settings: &Settings) -> Result<(Server, usize)> {
    let service = Service::start_anywhere(Duration::ZERO)?;
    let server = Server::start(Kind::Keyward, settings, service.port())?;
    let mut sold = 0;
    sell(&server, &mut sold, settings.waiting)?;
    wait_for(&service, sold)?;
    // From here on the service is down, as it is where much waits.
    drop(service);
    Ok((server, sold))
}

/// Time and CPU of an acknowledgement, in ms, for each stretch.
type Stretches = Vec<[f64; 2]>;

/// Stretches of two servers, one after the other: what the machine does meanwhile concerns both.
fn in_turns(
    (one, sold_one): (&Server, &mut usize),
    (other, sold_other): (&Server, &mut usize),
) -> Result<(Stretches, Stretches)> {
    let mut seen = (Vec::new(), Vec::new());
    for _ in 0..STRETCHES {
        seen.0.push(stretch(one, sold_one)?);
        seen.1.push(stretch(other, sold_other)?);
    }
    Ok(seen)
}

/// The service comes back, slow; sales go on.
fn work_off(server: &Server, port: u16, sold: &mut usize, report: &mut Report) -> Result<()> {
    let service = Service::start(port, SLOW)?;
    let all = *sold + MEANWHILE;
    let (selling_port, from) = (server.port, *sold);
    let seller = std::thread::spawn(move || sell_to(selling_port, from, MEANWHILE).map(drop));
    let watch = Stopwatch::start();
    let (mut before, mut shares) = ((0, Duration::ZERO), Vec::new());
    while before.0 < all {
        nap(SAMPLE);
        let now = (service.made()?, watch.elapsed());
        let made = (now.0 - before.0) as f64;
        let possible = IN_FLIGHT * (now.1 - before.1).as_secs_f64() / SLOW.as_secs_f64();
        if now.0 < all && before.0 > 0 {
            shares.push(made / possible);
        }
        ensure!(
            watch.elapsed() < Duration::from_secs(60 + all as u64 / 500),
            "{} licenses of {all}",
            now.0
        );
        before = now;
    }
    seller
        .join()
        .map_err(|_| anyhow::anyhow!("the generator panicked"))??;
    *sold = all;
    let stats = service.counted()?;
    ensure!(
        stats.made == all && stats.labels == all,
        "{stats:?} for {all} purchases"
    );
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    line(&format!(
        "  worked off: {all} in {} s; the service was {} busy on average, {} in the worst second",
        figure(watch.elapsed().as_secs_f64()),
        figure(mean),
        figure(least)
    ));
    report.check(
        "50 ms: how busy the service is kept until the last license",
        mean,
        Limit::AtLeast(0.9),
    );
    Ok(())
}

/// What an acknowledgement costs in some state of things, beside what it cost with nothing waiting.
pub(crate) fn ratios(report: &mut Report, state: &str, none: &[[f64; 2]], many: &[[f64; 2]]) {
    for (what, of) in [
        ("time per acknowledgement", 0),
        ("CPU per acknowledgement", 1),
    ] {
        let value = |all: &[[f64; 2]]| median(all.iter().map(|one| one[of]).collect());
        report.check(
            format!("{what}, {state} / none"),
            value(many) / value(none),
            Limit::AtMost(1.1),
        );
    }
}

pub(crate) fn stretches(server: &Server, sold: &mut usize) -> Result<Stretches> {
    (0..STRETCHES).map(|_| stretch(server, sold)).collect()
}

fn stretch(server: &Server, sold: &mut usize) -> Result<[f64; 2]> {
    let before = proc::cpu(server.pid())?;
    let load = sell(server, sold, STRETCH)?;
    let cpu = proc::cpu(server.pid())?.saturating_sub(before);
    let ms = |time: Duration| time.as_secs_f64() * 1e3 / STRETCH as f64;
    Ok([ms(load.elapsed), ms(cpu)])
}

pub(crate) fn sell(server: &Server, sold: &mut usize, count: usize) -> Result<Load> {
    let load = sell_to(server.port, *sold, count)?;
    *sold += count;
    Ok(load)
}

fn sell_to(port: u16, from: usize, count: usize) -> Result<Load> {
    let (mut purchases, mut left) = (purchase::endless(from), count);
    let next = move || {
        if left == 0 {
            return Ok(None);
        }
        left -= 1;
        purchases().map(|request| Some(Rc::from(request)))
    };
    send_all(Box::new(next), port)
}
