//! What lies on the disk, and what of it is alive: bytes of the log, of sled's file, of the blocks in it, and of the entries
//! in those, by table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use keyward::store::sled::Store;
use keyward::store::{Direction, KeyRange, Options, Read};

use crate::load::send_all;
use crate::purchase;
use crate::report::{Limit, Report, figure, line};
use crate::server::{Kind, Server, bytes_in, nap};
use crate::service::Service;
use crate::settings::Settings;
use crate::sustained::wait_for;

/// What sled's file may take for each purchase or mixed event; the log beside it is as long as backups leave it.
const KIB: f64 = 3.0;
/// Sled has everything by then, and nothing is written any more.
const SETTLE: Duration = Duration::from_secs(4);
/// Entries read at one time.
const PAGE: usize = 1_000;

/// Keys, and their bytes and those of their values.
#[derive(Clone, Copy, Debug, Default)]
struct Alive {
    count: usize,
    keys: usize,
    values: usize,
}

/// Sells, then delivers a mix, to a server of its own each; stops it and looks into its store.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let count = settings.purchases;
    let next = purchase::endless(0);
    let sold = after(settings, "purchases", count, next)?;
    let next = purchase::mixed();
    let mixed = after(settings, "mixed events", count, next)?;
    for (what, kib) in [("purchase", sold), ("mixed event", mixed)] {
        report.check(
            format!("sled's file for each {what}, KiB"),
            kib,
            Limit::AtMost(KIB),
        );
    }
    Ok(())
}

/// KiB of sled's file for each delivery.
fn after(
    settings: &Settings,
    what: &str,
    count: usize,
    mut next: impl FnMut() -> Result<Vec<u8>> + 'static,
) -> Result<f64> {
    let service = Service::start_anywhere(Duration::ZERO)?;
    let server = Server::start(Kind::Keyward, settings, service.port())?;
    let mut left = count;
    let requests = move || {
        if left == 0 {
            return Ok(None);
        }
        left -= 1;
        next().map(|request| Some(request.into()))
    };
    send_all(Box::new(requests), server.port)?;
    if what == "purchases" {
        wait_for(&service, count)?;
    }
    nap(SETTLE);
    let store = server.stop_and_keep()?;
    let data = store.path().join("keyward-data");
    line(&format!("\nDisk: {count} {what}, bytes for each"));
    let each = |bytes: u64| figure(bytes as f64 / count as f64);
    let (log, sled) = (bytes_in(&data.join("log")), bytes_in(&data.join("sled")));
    line(&format!("  log {}, sled's file {}", each(log), each(sled)));
    let mut entries = 0;
    for (table, alive) in alive(&data)? {
        let (keys, values) = (each(alive.keys as u64), each(alive.values as u64));
        let count = figure(alive.count as f64 / count as f64);
        line(&format!(
            "    {table}: {count} entries, keys {keys}, values {values}"
        ));
        entries += alive.keys + alive.values;
    }
    let blocks = blocks(&data)?;
    line(&format!(
        "  alive: entries {}, their blocks {} ({} each); the file is {} times its blocks",
        each(entries as u64),
        each((blocks.keys + blocks.values) as u64),
        figure(blocks.values as f64 / blocks.count as f64),
        figure(sled as f64 / (blocks.keys + blocks.values) as f64)
    ));
    Ok(sled as f64 / 1024.0 / count as f64)
}

/// What the store holds, by table.
fn alive(data: &Path) -> Result<BTreeMap<char, Alive>> {
    let (writer, reader) = Store::open(data, Options::default())?;
    let mut tables: BTreeMap<char, Alive> = BTreeMap::new();
    let mut range = KeyRange::prefix(b"");
    loop {
        let page = reader
            .range(&range, Direction::Forward, PAGE)
            .map_err(|error| anyhow!("{error}"))?;
        let Some((last, _)) = page.last() else { break };
        range.start = [last, &[0][..]].concat();
        for (key, value) in &page {
            let table = key.first().map_or('?', |byte| char::from(*byte));
            let alive = tables.entry(table).or_default();
            alive.count += 1;
            alive.keys += key.len();
            alive.values += value.bytes.len();
        }
    }
    writer.close().map_err(|error| anyhow!("{error}"))?;
    Ok(tables)
}

/// What sled holds. Its lock is let go a moment after it was closed.
fn blocks(data: &Path) -> Result<Alive> {
    nap(Duration::from_secs(1));
    let db = sled::open(data.join("sled"))?;
    let mut alive = Alive::default();
    for pair in db.iter() {
        let (key, value) = pair?;
        alive.count += 1;
        alive.keys += key.len();
        alive.values += value.len();
    }
    Ok(alive)
}
