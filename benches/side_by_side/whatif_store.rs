//! A store with a long history, made without a server: groups of subscriptions are played, and what they come to is written.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use keyward::domain::revision::Revisions;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Rules;
use keyward::sim::history::{self, Line};
use keyward::sim::{Simulation, parallel};
use keyward::store::sled::Store;
use keyward::store::{Batch, Commit, Create, Direction, KeyRange, Options, Read};

use crate::history::Events;

/// Subscriptions that are played together. Customers with two have both within one group.
const GROUP: usize = 100;
/// Keys written at one time.
const KEYS: usize = 2_000;

/// Fills a store with the events of so many subscriptions. Returns how many events it has.
pub(crate) fn fill(folder: &Path, machines: usize) -> Result<usize> {
    let options = Options {
        create: Create::IfMissing,
        ..Options::default()
    };
    let (mut writer, _reader) = Store::open(folder, options)?;
    let rules = Arc::new(Rules {
        revisions: Revisions::default(),
        sources: Default::default(),
        store_since: None,
        guard: None,
    });
    let events = Events::new(machines);
    let groups = (0..machines.div_ceil(GROUP)).map(|n| n * GROUP..((n + 1) * GROUP).min(machines));
    let (mut written, mut failed) = (0, None);
    parallel::in_order(
        parallel::cores(),
        groups,
        |group| played(&events.lines(group), &rules),
        |played| {
            let write = || -> Result<usize> {
                let (count, pairs) = played?;
                for some in pairs.chunks(KEYS) {
                    writer.commit(&Batch {
                        expect: Vec::new(),
                        writes: some.iter().cloned().collect(),
                    })?;
                }
                Ok(count)
            };
            match write() {
                Ok(count) => written += count,
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        },
    );
    failed.map_or(Ok(written), Err)
}

type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn played(text: &str, rules: &Arc<Rules>) -> Result<(usize, Pairs)> {
    let lines: Vec<Line> = history::read("the history", text)?;
    let last = lines.iter().map(|l| l.received).max();
    let mut world = Simulation::new(Arc::clone(rules), None);
    world.play(
        lines,
        last.unwrap_or(Timestamp::from_ms(0)) + Span::from_days(1),
    )?;
    let everything = KeyRange::new([0], [u8::MAX]);
    let pairs = world
        .store
        .range(&everything, Direction::Forward, usize::MAX)
        .map_err(|error| anyhow!("{error}"))?;
    let pairs = pairs
        .into_iter()
        .map(|(key, value)| (key, Some(value.bytes.to_vec())));
    Ok((world.events.len(), pairs.collect()))
}
