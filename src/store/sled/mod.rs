//! The durable store: the commit log in front, sled as its follower, an overlay between. In reading order:
//!
//! * [`open`](Store::open) takes the directory's `lock`; `preflight` looks at sled's files before sled does; the log is
//!   read from the last checkpoint on; `verify` compares; what cannot be trusted, `rebuild` makes anew from the log and the
//!   last backup.
//!   `migrate` brings the layout up to the schema of this program.
//! * The `writer` appends a batch to the log; from the sync on it is acknowledged, and visible in the `overlay`, an ordered
//!   map in memory through which every `reader` goes first.
//! * About once a second `flush` gives the `disk` (sled) the net writes, in `block`s of neighbouring entries, each value
//!   framed by `codec`, syncs sled's file, and writes a checkpoint. Which entries are neighbours is decided by `layout`;
//!   `presence` knows which keys are surely not there. Each of sled's batches carries a `digest` of the state it leads to.
//! * [`copy`] makes a backup meanwhile, behind which the log can be cut; [`restore`](Store::restore) makes a store of one.

mod backup;
mod base;
mod block;
mod codec;
mod digest;
mod disk;
mod flush;
mod layout;
mod lock;
mod migrate;
mod open;
mod overlay;
mod preflight;
mod presence;
mod reader;
mod rebuild;
mod restore;
mod shared;
mod signal;
mod verify;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::thread::JoinHandle;

use super::fault::Doing;
use super::log::space::Space;
use super::{OpenError, Read, ReadError, StoreFault};
pub use backup::{Named, OnStep, Unnamed, copy};
pub use base::MissingBackup;
use open::Opened;
pub use open::{Create, OnBroken, OpenReport, Options, RESTORING, Verify};
pub use reader::Reader;
use shared::{Checkpoints, Shared};
use signal::FlushSignal;
pub use writer::Writer;

/// Opens durable stores.
#[derive(Clone, Copy, Debug)]
pub struct Store;

impl Store {
    /// Opens the store in a directory, or makes one if `options.create` says so. Damage is repaired from the commit
    /// log, which [`Writer::report`] tells of, or refused.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do. Nothing that was acknowledged is given up on the way.
    pub fn open(dir: &Path, options: Options) -> Result<(Writer, Reader), OpenError> {
        let Opened {
            lock,
            disk,
            overlay,
            appender,
            checkpoint,
            report,
        } = open::open(dir, &options)?;
        let applied = disk
            .applied()
            .map_err(|trouble| StoreFault::new("opening sled", dir, trouble.why))?;
        let shared = Arc::new(Shared {
            store: dir.to_owned(),
            checkpoints: Mutex::new(Checkpoints::at_open(checkpoint, applied)),
            keep_records: options.keep_records,
            disk,
            overlay: RwLock::new(overlay),
            signal: FlushSignal::default(),
            fault: OnceLock::new(),
            on_broken: options.on_broken.clone(),
            _lock: lock,
        });
        let reader = Reader {
            shared: Arc::clone(&shared),
        };
        let every = options.flush_every;
        let threads = [
            spawn("store-flush", &shared, move |shared| {
                flush::run(shared, every, checkpoint)
            })?,
            spawn("store-watch", &shared, |shared| {
                flush::watch(shared, signal::PATIENCE)
            })?,
        ];
        let space = Space::new(dir, options.min_free_bytes);
        let (overlay_max, full_wait) = (options.overlay_max_bytes, options.full_wait);
        let mut writer = Writer {
            shared,
            appender,
            space,
            overlay_max,
            full_wait,
            overlay_full: false,
            threads: Some(threads),
            report,
        };
        migrate::bring_up(&mut writer, &reader)?;
        writer.report.seq = reader.seq().map_err(|ReadError::Broken(fault)| fault)?;
        Ok((writer, reader))
    }
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let theirs = Arc::clone(shared);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&theirs));
    thread.doing("starting a thread", &shared.store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, Commit, CommitError, Direction, KeyRange};
    use std::time::Duration;

    fn settle(reader: &Reader) {
        while reader.overlay_bytes() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn damage_found_while_running_breaks_the_store_and_is_repaired_at_the_next_open() {
        let dir = tempfile::tempdir().unwrap();
        let heard: Arc<OnceLock<String>> = Arc::default();
        let told = Arc::clone(&heard);
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            flush_every: Duration::from_millis(1),
            on_broken: Some(Arc::new(move |fault| drop(told.set(fault.to_string())))),
            ..Options::default()
        };
        for by_range in [false, true] {
            let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
            writer
                .commit(Batch::new().put("k", "value").put("l", "other"))
                .unwrap();
            settle(&reader);
            writer.shared.disk.spoil(b"k");
            match by_range {
                true => assert!(
                    reader
                        .range(&KeyRange::prefix(b""), Direction::Backward, 9)
                        .is_err()
                ),
                false => assert!(reader.get(b"k").is_err()),
            }
            assert!(
                reader.get(b"l").is_err(),
                "a broken store reads nothing more"
            );
            assert!(reader.seq().is_err());
            let refused = writer.commit(Batch::new().put("l", "more"));
            assert!(
                matches!(refused, Err(CommitError::Broken(_))),
                "and takes nothing more"
            );
            assert!(heard.get().unwrap().contains("hint"));
            assert!(writer.close().is_err());
            drop(reader);
            let (writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
            assert!(
                writer.report().repaired[0].contains("while the store was in use"),
                "{:?}",
                writer.report()
            );
            assert_eq!(reader.get(b"k").unwrap().unwrap().bytes, "value");
        }
    }

    #[test]
    fn what_lives_shortly_never_reaches_sled() {
        let dir = tempfile::tempdir().unwrap();
        let flush_every = Duration::from_secs(3600);
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            flush_every,
            ..Options::default()
        };
        let (mut writer, reader) = Store::open(dir.path(), options).unwrap();
        writer.commit(Batch::new().put("kept", "x")).unwrap();
        for n in 0..50_u32 {
            writer
                .commit(Batch::new().put(format!("due/{n}"), vec![0; 1_000]))
                .unwrap();
            writer
                .commit(Batch::new().delete(format!("due/{n}")))
                .unwrap();
        }
        assert_eq!(
            reader
                .shared
                .overlay()
                .range(&KeyRange::prefix(b"due"), Direction::Forward)
                .count(),
            0
        );
        reader.shared.signal.wake();
        settle(&reader);
        assert_eq!(
            reader
                .shared
                .disk
                .applied()
                .unwrap()
                .unwrap()
                .digest
                .count(),
            2,
            "what is kept, and the schema"
        );
        assert_eq!(reader.seq().unwrap().0, 102);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            ..Options::default()
        };
        let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
        writer
            .write(Batch::new().put(migrate::SCHEMA_KEY, (migrate::SCHEMA + 1).to_be_bytes()))
            .unwrap();
        drop((writer, reader));
        let refused = Store::open(dir.path(), options).err().unwrap();
        assert!(
            matches!(
                refused,
                OpenError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{refused}"
        );
    }
}
