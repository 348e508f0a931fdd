//! An empty data directory becomes what a backup holds. The whole backup is checked before anything is put there; what is
//! cut off in the middle is no store, and begun anew.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{LICENSES, MACHINES, machines};
use crate::domain::id::MachineId;
use crate::domain::put_back;
use crate::domain::standing::{Author, Standing, StandingOrder};
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::restored::{self, Restored};
use crate::engine::record::standing;
use crate::engine::write::transaction::{Transaction, TxContext};
use crate::engine::write::working::Working;
use crate::store::backup::{Backup, BackupError};
use crate::store::sled::{RESTORING, Reader, Store, Writer};
use crate::store::{Batch, Commit, CommitError, OpenError, Options, ReadError, StoreFault};

/// What the backup is called in the data directory: the stores are rebuilt from it until there is a newer one.
const KEPT: &str = "restored.backup";
/// Everything that a restore puts into a data directory.
const PUT: [&str; 8] = [
    "base",
    "highwater",
    "licenses",
    "lock",
    "log",
    KEPT,
    "sled",
    "sled.damaged",
];
/// Bytes in one batch before it is committed.
const BATCH_LEN: usize = 256 << 10;

/// Where the backup lies that a data directory was restored from.
#[must_use]
pub(super) fn kept_path(data_dir: &Path) -> PathBuf {
    data_dir.join(KEPT)
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is there.
    #[error(
        "{} is not empty\n  hint: restore into an empty directory; move what is there away first, nothing of it was touched",
        dir.display()
    )]
    NotEmpty {
        /// The data directory.
        dir: PathBuf,
    },
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The store that was made of it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A write to it.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A record in it.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<StoreFault> for RestoreError {
    fn from(fault: StoreFault) -> Self {
        Self::Open(fault.into())
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// When the backup was made.
    pub taken: Timestamp,
    /// The commit whose state it holds.
    pub seq: u64,
    /// The machines in it.
    pub machines: u64,
    /// Mails that waited and are not sent.
    pub mails_skipped: u64,
    /// Whether it holds the embedded license service's store.
    pub licenses: bool,
}

/// Restores a backup into a data directory that is empty or not there. `each_step` is called between the steps.
///
/// # Errors
/// [`RestoreError`]. Until the backup was checked as a whole nothing is put there.
pub fn restore(
    source: &Path,
    data_dir: &Path,
    options: &Options,
    now: Timestamp,
    each_step: &dyn Fn(),
) -> Result<Done, RestoreError> {
    let unfinished = is_unfinished(data_dir)?;
    let backup = Backup::open(source)?;
    let section = backup
        .section(MACHINES)
        .ok_or_else(|| BackupError::Foreign {
            path: source.to_owned(),
        })?;
    let machines = machines::fold(&backup, section, now)?;
    let (taken, seq) = (Timestamp::from_ms(backup.at_ms()), section.seq().0);
    each_step();
    if unfinished {
        clear(data_dir)?;
    }
    let place = data_dir.join(RESTORING);
    make_private(data_dir)?;
    make_private(&place)?;
    each_step();
    let backup = copy(source, &place.join(KEPT))?;
    each_step();
    let mut licenses = false;
    for section in backup.sections() {
        let (dir, kept) = match section.name() {
            MACHINES => (place.clone(), PathBuf::from(KEPT)),
            name if name == LICENSES => {
                licenses = true;
                (place.join(LICENSES), Path::new("..").join(KEPT))
            }
            _ => continue,
        };
        Store::restore(&dir, &backup, section, &kept, options.cache_bytes)?;
        each_step();
    }
    let (mut writer, reader) = Store::open(&place, options.clone())?;
    let mark = Restored {
        at: now,
        from: source.display().to_string(),
        taken,
        seq,
    };
    let mails_skipped = mark_and_skip(&mut writer, &reader, &mark)?;
    drop(reader);
    writer.close()?;
    each_step();
    put_in_place(&place, data_dir, each_step)?;
    Ok(Done {
        taken,
        seq,
        machines,
        mails_skipped,
        licenses,
    })
}

fn system<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> RestoreError + use<'a> {
    move |source| {
        RestoreError::Open(OpenError::Io {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}

/// Whether an earlier restore was cut off there. Anything else that is there is an error.
fn is_unfinished(data_dir: &Path) -> Result<bool, RestoreError> {
    if data_dir.join(RESTORING).exists() {
        return Ok(true);
    }
    let entries = match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(system("listing the data directory", data_dir))?,
    };
    // A file system of its own has a folder that nobody can remove.
    let strange = entries
        .flatten()
        .any(|entry| entry.file_name() != "lost+found");
    match strange {
        true => Err(RestoreError::NotEmpty {
            dir: data_dir.to_owned(),
        }),
        false => Ok(false),
    }
}

/// Removes what a restore that was cut off has put there; the mark goes last.
fn clear(data_dir: &Path) -> Result<(), RestoreError> {
    for name in PUT.into_iter().chain([RESTORING]) {
        let path = data_dir.join(name);
        let gone = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(system("removing an unfinished restore", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn make_private(dir: &Path) -> Result<(), RestoreError> {
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(system("making a folder", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(system("making a folder", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Copies the backup, syncs it, and checks the copy.
fn copy(source: &Path, kept: &Path) -> Result<Backup, RestoreError> {
    let io = system("copying the backup", kept);
    fs::copy(source, kept).map_err(&io)?;
    File::open(kept).and_then(|f| f.sync_all()).map_err(&io)?;
    Ok(Backup::open(kept)?)
}

/// Marks the store, has it only observe, and puts back each machine of which something waits.
fn mark_and_skip(
    writer: &mut Writer,
    reader: &Reader,
    mark: &Restored,
) -> Result<u64, RestoreError> {
    let mut due: Vec<MachineId> = Vec::new();
    let mut mails = 0;
    view::machines(reader, |machine| {
        if let Some(waiting) = put_back::waiting(&machine) {
            mails += waiting as u64;
            due.push(machine.id);
        }
        true
    })?;
    let rules = Rules {
        revisions: crate::domain::revision::Revisions::default(),
        sources: std::collections::BTreeMap::new(),
        store_since: None,
        guard: None,
    };
    let mut working = Working::new(reader);
    restored::mark(&mut working, mark)?;
    // Nothing goes out before a person has looked: `keyward go-live` ends that.
    let held = StandingOrder {
        what: Standing::Observe { plan: None },
        by: Author::Restore,
        reason: format!("restored from {}", mark.from),
        at: mark.at,
    };
    standing::order(&mut working, &held)?;
    let orders = standing::orders(&working)?;
    for id in due {
        let context = TxContext {
            rules: &rules,
            at: mark.at,
            jitter: 0,
            stops_held: None,
            gaps: &[],
            standing: &orders,
            live_licenses: 0,
        };
        let mut transaction = Transaction::new(&mut working, context);
        transaction.amend(&id, |machine| put_back::put_back(machine, mark.at))?;
        if working.size() > BATCH_LEN {
            commit(
                writer,
                std::mem::replace(&mut working, Working::new(reader)),
            )?;
        }
    }
    commit(writer, working)?;
    Ok(mails)
}

fn commit(writer: &mut Writer, working: Working<'_>) -> Result<(), RestoreError> {
    let batch = Batch {
        expect: Vec::new(),
        writes: working.into_writes(),
    };
    writer.commit(&batch)?;
    Ok(())
}

/// Moves everything to its place. As long as the folder it comes from is there, the store is not opened.
fn put_in_place(place: &Path, data_dir: &Path, each_step: &dyn Fn()) -> Result<(), RestoreError> {
    let io = system("moving the restored store", data_dir);
    let sync = |dir: &Path| File::open(dir).and_then(|dir| dir.sync_all());
    for entry in fs::read_dir(place).map_err(&io)? {
        let entry = entry.map_err(&io)?;
        fs::rename(entry.path(), data_dir.join(entry.file_name())).map_err(&io)?;
        each_step();
    }
    sync(data_dir).map_err(&io)?;
    fs::remove_dir(place).map_err(&io)?;
    sync(data_dir).map_err(&io)?;
    each_step();
    Ok(())
}

impl From<ReadError> for RestoreError {
    fn from(ReadError::Broken(fault): ReadError) -> Self {
        fault.into()
    }
}
