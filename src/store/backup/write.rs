//! Writing a backup's file: under a name of its own until it is whole, synced and proven.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{
    BLOCK_HEAD, BLOCK_LEN, BackupError, DELETED, ENTRY_HEAD, FORMAT, HEAD, Kind, MAGIC, io,
};
use crate::store::log::append::sync_dir;
use crate::store::log::record::Link;

/// zstd's level: a backup is made once a day.
const LEVEL: i32 = 3;

/// How far a backup is. Whoever is told answers whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The file is there under its temporary name.
    Begun,
    /// Some more entries are in it.
    Copying,
    /// All stores are in it.
    Copied,
    /// It is whole and synced.
    Synced,
    /// It was read again, and holds what the stores held.
    Proven,
    /// It has its name.
    Named,
    /// A store will be rebuilt from it if need be.
    Based,
    /// A log file whose records are all in it is gone.
    Cut,
    /// An older backup is gone.
    Rotated,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Begun,
        Self::Copying,
        Self::Copied,
        Self::Synced,
        Self::Proven,
        Self::Named,
        Self::Based,
        Self::Cut,
        Self::Rotated,
    ];
}

/// A backup being written. Dropped before it has its name, it leaves nothing behind.
#[derive(Debug)]
pub(in crate::store) struct Draft {
    file: File,
    target: PathBuf,
    temporary: PathBuf,
    sha: Sha256,
    plain: Vec<u8>,
    kind: Kind,
    stores: u32,
    entries: u64,
    changes: u64,
    named: bool,
}

/// The name that a backup has until it is whole.
fn temporary(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

impl Draft {
    /// Begins one for a target that must not exist.
    pub(in crate::store) fn begin(target: &Path, at_ms: i64) -> Result<Self, BackupError> {
        let exists = || BackupError::Exists {
            path: target.to_owned(),
        };
        if fs::symlink_metadata(target).is_ok() || target.file_name().is_none() {
            return Err(exists());
        }
        let temporary = temporary(target);
        // One that a killed process left is of no use to anybody.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("removing a half-made backup", &temporary)(error));
            }
            _ => {}
        }
        let file = private().open(&temporary);
        let file = file.map_err(io("making the backup's file", &temporary))?;
        let mut draft = Self {
            file,
            target: target.to_owned(),
            temporary,
            sha: Sha256::new(),
            plain: Vec::new(),
            kind: Kind::Entries,
            stores: 0,
            entries: 0,
            changes: 0,
            named: false,
        };
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&FORMAT.to_be_bytes());
        head.extend_from_slice(&at_ms.to_be_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());
        draft.write(&head)?;
        Ok(draft)
    }

    /// Where it lies until it has its name.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.temporary
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.sha.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(io("writing the backup", &self.temporary))
    }

    fn block(&mut self, kind: Kind, plain: &[u8]) -> Result<(), BackupError> {
        let packed = zstd::bulk::compress(plain, LEVEL)
            .map_err(io("packing the backup", &self.temporary))?;
        // A block is far below 4 GiB.
        let mut block = Vec::with_capacity(BLOCK_HEAD + packed.len());
        block.push(kind as u8);
        block.extend_from_slice(&(plain.len() as u32).to_be_bytes());
        block.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&block);
        crc.update(&packed);
        block.extend_from_slice(&crc.finalize().to_be_bytes());
        block.extend_from_slice(&packed);
        self.write(&block)
    }

    /// Begins a store.
    pub(in crate::store) fn store(&mut self, name: &str) -> Result<(), BackupError> {
        (self.kind, self.entries, self.changes) = (Kind::Entries, 0, 0);
        self.stores += 1;
        self.block(Kind::Begin, name.as_bytes())
    }

    /// Adds an entry, or with [`Self::changes`] before, a change.
    pub(in crate::store) fn entry(
        &mut self,
        key: &[u8],
        seq: u64,
        value: Option<&[u8]>,
    ) -> Result<(), BackupError> {
        let len = ENTRY_HEAD + key.len() + value.map_or(0, <[u8]>::len);
        if self.plain.len() + len > BLOCK_LEN {
            self.flush()?;
        }
        // Keys and values are far shorter: the seam refuses longer ones.
        self.plain
            .extend_from_slice(&(key.len() as u16).to_be_bytes());
        let value_len = value.map_or(DELETED, |value| value.len() as u32);
        self.plain.extend_from_slice(&value_len.to_be_bytes());
        self.plain.extend_from_slice(&seq.to_be_bytes());
        self.plain.extend_from_slice(key);
        self.plain.extend_from_slice(value.unwrap_or_default());
        match self.kind {
            Kind::Changes => self.changes += 1,
            Kind::Entries | Kind::Begin | Kind::End | Kind::Last => self.entries += 1,
        }
        Ok(())
    }

    /// What comes now was changed while the store was copied.
    pub(in crate::store) fn changes(&mut self) -> Result<(), BackupError> {
        self.flush()?;
        self.kind = Kind::Changes;
        Ok(())
    }

    /// Ends a store, whose state after this commit was written.
    pub(in crate::store) fn store_ends(&mut self, link: Link) -> Result<(), BackupError> {
        self.flush()?;
        let mut plain = Vec::new();
        plain.extend_from_slice(&link.seq.to_be_bytes());
        plain.extend_from_slice(&link.hash);
        plain.extend_from_slice(&self.entries.to_be_bytes());
        plain.extend_from_slice(&self.changes.to_be_bytes());
        self.block(Kind::End, &plain)
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let plain = std::mem::take(&mut self.plain);
        self.block(self.kind, &plain)?;
        self.plain = plain;
        self.plain.clear();
        Ok(())
    }

    /// Ends the file and syncs it.
    pub(in crate::store) fn end(&mut self) -> Result<(), BackupError> {
        let mut plain = self.stores.to_be_bytes().to_vec();
        plain.extend_from_slice(&self.sha.clone().finalize());
        self.block(Kind::Last, &plain)?;
        self.file
            .sync_all()
            .map_err(io("syncing the backup", &self.temporary))
    }

    /// Gives it its name, unless something has that name by now.
    pub(in crate::store) fn name(mut self) -> Result<(), BackupError> {
        let named = rename_new(&self.temporary, &self.target);
        match named {
            Ok(()) => self.named = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists {
                    path: self.target.clone(),
                });
            }
            Err(error) => return Err(io("naming the backup", &self.target)(error)),
        }
        let dir = parent(&self.target);
        sync_dir(dir).map_err(io("syncing the backup's folder", dir))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.named {
            // If it stays, the next one of this name removes it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// The folder of a file.
pub(in crate::store) fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Renames, and never over something.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot do that in one step.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => {
            fs::rename(from, to)
        }
        other => other.map_err(io::Error::from),
    }
}

/// A new file for its owner only: it holds customers' addresses and keys.
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}
