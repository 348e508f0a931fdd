//! Load that lasts: purchases for a minute, with the license service as a process of its own, instant and slow, and the
//! guide's handler beside it.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use keyward::clock::Stopwatch;

use crate::load::{Load, send_all};
use crate::measure::wait_for_a_whole_second;
use crate::proc;
use crate::purchase;
use crate::report::{Limit, Report, figure, line};
use crate::server::{Kind, Server, nap};
use crate::service::Service;
use crate::settings::Settings;

/// A service like a real one.
pub(crate) const SLOW: Duration = Duration::from_millis(50);
/// Actions that Keyward may have in flight (`in_flight` of the config).
pub(crate) const IN_FLIGHT: f64 = 64.0;
/// The ends of a run that are compared.
const END: usize = 10;
/// With a slow service the last license of a minute's sales would be made minutes later: it is not waited for.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);

/// One server's minute.
#[derive(Debug)]
struct Minute {
    load: Load,
    /// CPU a purchase whose license is made, ms.
    cpu_ms: f64,
    licenses_per_s: f64,
    memory_mib: f64,
    disk_kib: f64,
}

impl Minute {
    fn rate(&self, seconds: &[usize]) -> f64 {
        seconds.iter().sum::<usize>() as f64 / seconds.len().max(1) as f64
    }

    fn first(&self) -> f64 {
        self.rate(&self.load.per_second[..END.min(self.load.per_second.len())])
    }

    /// The last whole seconds: the one in which the run ended is none.
    fn last(&self) -> f64 {
        self.rate(&self.load.per_second[ends_at(self.load.per_second.len().saturating_sub(1))])
    }

    /// How much slower the machine itself was at the end: what the load generator needed for the same work.
    fn machine(&self) -> Option<f64> {
        let noted = self.load.own_cpu.len();
        Some(self.load.own_ms(ends_at(noted))? / self.load.own_ms(0..END)?)
    }
}

/// The last ten of so many seconds.
fn ends_at(seconds: usize) -> Range<usize> {
    seconds.saturating_sub(END)..seconds
}

/// Measures purchases.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let lasting = Duration::from_secs(settings.seconds);
    let beside = |delay| match settings.alone {
        true => Ok(None),
        false => minute(Kind::Guide, settings, lasting, delay).map(Some),
    };
    let guide = beside(Duration::ZERO)?;
    let ours = minute(Kind::Keyward, settings, lasting, Duration::ZERO)?;
    let slow = minute(Kind::Keyward, settings, lasting, SLOW)?;
    let slow_guide = beside(SLOW)?;
    let runs = [
        ("guide, instant", guide.as_ref()),
        ("keyward, instant", Some(&ours)),
        ("keyward, 50 ms", Some(&slow)),
        ("guide, 50 ms", slow_guide.as_ref()),
    ];
    table(settings.seconds, "purchases", &runs);
    lasts("instant", &ours, report);
    lasts("50 ms", &slow, report);
    if let Some(guide) = guide {
        compare(&guide, &ours, report);
    }
    report.check(
        "50 ms: how busy the service is kept while sales go on",
        slow.licenses_per_s * SLOW.as_secs_f64() / IN_FLIGHT,
        Limit::AtLeast(0.9),
    );
    Ok(())
}

/// Measures subscriptions that begin, renew and change.
pub(crate) fn mixed(settings: &Settings, report: &mut Report) -> Result<()> {
    let mixed = mixed_minute(settings, Duration::from_secs(settings.seconds))?;
    table(
        settings.seconds,
        "subscriptions that begin, renew and change",
        &[("keyward, mixed", Some(&mixed))],
    );
    lasts("mixed", &mixed, report);
    Ok(())
}

fn lasts(name: &str, run: &Minute, report: &mut Report) {
    let whole = run.load.per_second.len().saturating_sub(1);
    let tens = run.load.per_second[..whole].chunks_exact(END);
    let tens: Vec<String> = tens.map(|ten| figure(run.rate(ten))).collect();
    line(&format!(
        "  {name}, acknowledgements a second in each ten: {}",
        tens.join(", ")
    ));
    if let Some(slower) = run.machine() {
        line(&format!(
            "  {name}, the load generator's own CPU for an acknowledgement, last 10 s / first 10 s: {}",
            figure(slower)
        ));
    }
    report.check(
        format!("{name}: acks in the last 10 s / in the first 10 s"),
        run.last() / run.first(),
        Limit::AtLeast(0.95),
    );
}

fn compare(guide: &Minute, ours: &Minute, report: &mut Report) {
    report.check(
        "instant: acknowledgements a second, keyward / guide",
        ours.load.acks_per_s() / guide.load.acks_per_s(),
        Limit::AtLeast(10.0),
    );
    report.check(
        "instant: p99 latency, keyward / guide",
        ours.load.percentile_ms(99) / guide.load.percentile_ms(99),
        Limit::AtMost(0.25),
    );
    report.check(
        "instant: CPU per fulfilled purchase, keyward / guide",
        ours.cpu_ms / guide.cpu_ms,
        Limit::AtMost(1.0 / 6.0),
    );
}

fn minute(kind: Kind, settings: &Settings, lasting: Duration, delay: Duration) -> Result<Minute> {
    let service = Service::start_anywhere(delay)?;
    let server = Server::start(kind, settings, service.port())?;
    wait_for_a_whole_second()?;
    let before = proc::cpu(server.pid())?;
    let load = sell_for(&server, 0, lasting)?;
    let while_selling = service.made()? as f64 / load.elapsed.as_secs_f64();
    let sold = load.latencies_us.len();
    let is_slow = !delay.is_zero();
    if !is_slow {
        wait_for(&service, sold)?;
    }
    let cpu = proc::cpu(server.pid())?.saturating_sub(before);
    let stats = service.counted()?;
    ensure!(
        stats.made == stats.labels && (is_slow || stats.made == sold),
        "{}: {sold} purchases, {} licenses, {} labels",
        kind.name(),
        stats.made,
        stats.labels
    );
    Ok(Minute {
        cpu_ms: cpu.as_secs_f64() * 1e3 / stats.made as f64,
        licenses_per_s: while_selling,
        memory_mib: proc::memory(server.pid())?.now_mib,
        disk_kib: server.disk_mib() * 1024.0 / sold as f64,
        load,
    })
}

/// Subscriptions that begin, renew and change, some events twice and most out of order; the instant service.
fn mixed_minute(settings: &Settings, lasting: Duration) -> Result<Minute> {
    let service = Service::start_anywhere(Duration::ZERO)?;
    let server = Server::start(Kind::Keyward, settings, service.port())?;
    wait_for_a_whole_second()?;
    let before = proc::cpu(server.pid())?;
    let (mut events, watch) = (purchase::mixed(), Stopwatch::start());
    let next = move || {
        if watch.elapsed() >= lasting {
            return Ok(None);
        }
        events().map(|request| Some(Rc::from(request)))
    };
    let load = send_all(Box::new(next), server.port)?;
    let licenses_per_s = service.made()? as f64 / load.elapsed.as_secs_f64();
    let cpu = proc::cpu(server.pid())?.saturating_sub(before);
    let stats = service.counted()?;
    ensure!(stats.made > 0 && stats.made == stats.labels, "{stats:?}");
    let events = load.latencies_us.len() as f64;
    Ok(Minute {
        cpu_ms: cpu.as_secs_f64() * 1e3 / stats.made as f64,
        licenses_per_s,
        memory_mib: proc::memory(server.pid())?.now_mib,
        disk_kib: server.disk_mib() * 1024.0 / events,
        load,
    })
}

/// Sells as fast as the server acknowledges, for a time.
pub(crate) fn sell_for(server: &Server, from: usize, lasting: Duration) -> Result<Load> {
    let (mut purchases, watch) = (purchase::endless(from), Stopwatch::start());
    let next = move || {
        if watch.elapsed() >= lasting {
            return Ok(None);
        }
        purchases().map(|request| Some(Rc::from(request)))
    };
    send_all(Box::new(next), server.port)
}

/// Waits until so many licenses are made.
pub(crate) fn wait_for(service: &Service, count: usize) -> Result<()> {
    let watch = Stopwatch::start();
    while service.made()? < count {
        ensure!(
            watch.elapsed() < DRAIN_LIMIT,
            "{} licenses of {count} after {DRAIN_LIMIT:?}",
            service.made()?
        );
        nap(Duration::from_millis(100));
    }
    Ok(())
}

fn table(seconds: u64, of_what: &str, runs: &[(&str, Option<&Minute>)]) {
    line(&format!(
        "\n{seconds} s of {of_what}, license service in a process of its own"
    ));
    let runs: Vec<(&str, &Minute)> = runs
        .iter()
        .filter_map(|(name, run)| Some((*name, (*run)?)))
        .collect();
    let heads: String = runs.iter().map(|(name, _)| format!("{name:>18}")).collect();
    line(&format!("  {:<34}{heads}", ""));
    type Row = (&'static str, fn(&Minute) -> f64);
    let rows: [Row; 9] = [
        ("acknowledgements a second", |m| m.load.acks_per_s()),
        ("  in the first 10 s", Minute::first),
        ("  in the last 10 s", Minute::last),
        ("latency p50, ms", |m| m.load.percentile_ms(50)),
        ("latency p99, ms", |m| m.load.percentile_ms(99)),
        ("licenses a second while selling", |m| m.licenses_per_s),
        ("CPU per license, ms", |m| m.cpu_ms),
        ("memory at the end, MiB", |m| m.memory_mib),
        ("disk per delivery, KiB", |m| m.disk_kib),
    ];
    for (name, of) in rows {
        let cells: String = runs
            .iter()
            .map(|(_, run)| format!("{:>18}", figure(of(run))))
            .collect();
        line(&format!("  {name:<34}{cells}"));
    }
}
