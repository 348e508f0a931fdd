//! One server, a number of purchases, its figures.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyward::clock::{Clock, Stopwatch};

use crate::api::Api;
use crate::load::{Load, send};
use crate::proc::{self, Memory};
use crate::purchase;
use crate::server::{Kind, Server, nap};
use crate::settings::Settings;

/// So many requests are held ready at once (about 4.5 kB each); signatures must not grow old while they wait.
const BLOCK: usize = 20_000;
/// The CPU that a server uses in this time after its last license is shown beside, so that no work hides behind it.
const SETTLE: Duration = Duration::from_secs(2);
/// What a load leaves in memory is given back by then: sled has it after a second, and the allocator keeps its pages for two.
const AT_REST: Duration = Duration::from_secs(6);

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) acks_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// From the start of the load to the last license, per purchase.
    pub(crate) cpu_ms: f64,
    /// The same, and what followed within [`SETTLE`].
    pub(crate) cpu_settled_ms: f64,
    /// What the generator and the license service used beside it, per purchase: no part of any target.
    pub(crate) harness_cpu_ms: f64,
    /// Purchases that had their license, per second of that time.
    pub(crate) fulfilled_per_s: f64,
    pub(crate) memory: Memory,
    pub(crate) disk_mib: f64,
    pub(crate) refused: usize,
}

/// A server, its license service, and how many purchases it was sent.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) api: Api,
    kind: Kind,
    sent: usize,
}

/// A stretch of purchases on a running server.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) load: Load,
    pub(crate) cpu: Duration,
    pub(crate) harness_cpu: Duration,
    pub(crate) until_last_license: Duration,
    purchases: usize,
}

impl Stretch {
    /// CPU milliseconds a purchase.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.purchases as f64
    }
}

/// Events have whole seconds: the first purchase is not to be dated before the store.
pub(crate) fn wait_for_a_whole_second() -> Result<()> {
    let left = 1_000 - Clock::Wall.now().ms().rem_euclid(1_000);
    nap(Duration::from_millis(u64::try_from(left)?));
    Ok(())
}

/// What a server keeps in memory, once nothing of the load before is left there.
pub(crate) fn memory_at_rest(server: &Server) -> Result<Memory> {
    nap(AT_REST);
    proc::memory(server.pid())
}

impl Bench {
    /// Starts a server on an empty store.
    pub(crate) fn start(kind: Kind, settings: &Settings) -> Result<Self> {
        let api = Api::start()?;
        let server = Server::start(kind, settings, api.port())?;
        wait_for_a_whole_second()?;
        Ok(Self {
            server,
            api,
            kind,
            sent: 0,
        })
    }

    /// Sends so many purchases and waits until the last has its license.
    pub(crate) fn buy(&mut self, purchases: usize) -> Result<Stretch> {
        self.try_buy(purchases)
            .with_context(|| format!("{}:\n{}", self.kind.name(), self.server.last_words()))
    }

    fn try_buy(&mut self, purchases: usize) -> Result<Stretch> {
        let (first, mut load) = (self.sent, Load::default());
        let (mut before, mut making, mut harness_cpu) = (None, Duration::ZERO, Duration::ZERO);
        let end = first + purchases;
        let mut watch = Stopwatch::start();
        while self.sent < end {
            let making_watch = Stopwatch::start();
            let upto = (self.sent + BLOCK).min(end);
            let requests = purchase::requests(self.sent, upto)?;
            if before.is_none() {
                (before, watch) = (Some(proc::cpu(self.server.pid())?), Stopwatch::start());
            } else {
                making += making_watch.elapsed();
            }
            let own_before = proc::own_cpu()?;
            load.add(send(requests, self.server.port)?);
            harness_cpu += proc::own_cpu()?.saturating_sub(own_before);
            self.sent = upto;
        }
        self.wait_for_licenses()?;
        let until_last_license = watch.elapsed().saturating_sub(making);
        let cpu = proc::cpu(self.server.pid())?.saturating_sub(before.unwrap_or_default());
        Ok(Stretch {
            load,
            cpu,
            harness_cpu,
            until_last_license,
            purchases,
        })
    }

    fn wait_for_licenses(&self) -> Result<()> {
        if self.kind == Kind::VerifyOnly {
            return Ok(());
        }
        let limit = Duration::from_secs(60 + self.sent as u64 / 100);
        let watch = Stopwatch::start();
        while self.api.made() < self.sent {
            let made = self.api.made();
            ensure!(
                watch.elapsed() < limit,
                "{made} licenses of {} after {limit:?}",
                self.sent
            );
            nap(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Every purchase has one license, none has two.
    pub(crate) fn check_licenses(&self) -> Result<()> {
        let expected = if self.kind == Kind::VerifyOnly {
            0
        } else {
            self.sent
        };
        let (made, labels) = (self.api.made(), self.api.labels());
        let name = self.kind.name();
        ensure!(
            made == expected && labels == expected,
            "{name}: {made} licenses, {labels} labels, {expected} purchases"
        );
        Ok(())
    }
}

/// Measures one server on an empty store.
pub(crate) fn run(kind: Kind, settings: &Settings, purchases: usize) -> Result<Figures> {
    let mut bench = Bench::start(kind, settings)?;
    let warm_up = purchases / 20;
    bench.buy(warm_up)?;
    let stretch = bench.buy(purchases - warm_up)?;
    let at_last_license = proc::cpu(bench.server.pid())?;
    nap(SETTLE);
    let later = proc::cpu(bench.server.pid())?.saturating_sub(at_last_license);
    let memory = proc::memory(bench.server.pid())?;
    bench.check_licenses()?;
    let counted = (purchases - warm_up) as f64;
    Ok(Figures {
        acks_per_s: stretch.load.acks_per_s(),
        p50_ms: stretch.load.percentile_ms(50),
        p99_ms: stretch.load.percentile_ms(99),
        cpu_ms: stretch.cpu_ms(),
        cpu_settled_ms: stretch.cpu_ms() + later.as_secs_f64() * 1e3 / counted,
        harness_cpu_ms: stretch.harness_cpu.as_secs_f64() * 1e3 / counted,
        fulfilled_per_s: counted / stretch.until_last_license.as_secs_f64(),
        memory,
        disk_mib: bench.server.disk_mib(),
        refused: stretch.load.refused,
    })
}
