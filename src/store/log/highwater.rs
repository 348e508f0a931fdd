//! The checkpoint's file: what sled has on its disk, and so what the log must hold at least.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::append::sync_dir;
use super::record::{self, Hash, Link};
use crate::store::OpenError;
use crate::store::fault::Doing;

const MAGIC: &[u8; 8] = b"KWHIGH\0\x01";
/// Magic 8, sequence 8, hash 16, CRC-32 4.
const LEN: usize = 36;

/// The file's path in a store's directory.
pub(in crate::store) fn path(store: &Path) -> PathBuf {
    store.join("highwater")
}

/// Replaces the file: a reader finds the old or the new one, whatever happens in between.
pub(in crate::store) fn write(store: &Path, link: Link) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&link.seq.to_be_bytes());
    bytes.extend_from_slice(&link.hash);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    let new = store.join("highwater.new");
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&new, path(store))?;
    sync_dir(store)
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum ReadCheckpoint {
    /// There is none.
    Nothing,
    Damaged,
    Checkpoint(Link),
}

/// Reads the file.
pub(in crate::store) fn read(store: &Path) -> Result<ReadCheckpoint, OpenError> {
    let path = path(store);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(ReadCheckpoint::Nothing);
        }
        Err(error) => return Err(error).doing("reading the checkpoint", &path),
    };
    if bytes.len() != LEN
        || bytes[..8] != *MAGIC
        || crc32fast::hash(&bytes[..32]) != record::be32(&bytes[32..])
    {
        return Ok(ReadCheckpoint::Damaged);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&bytes[16..32]);
    Ok(ReadCheckpoint::Checkpoint(Link {
        seq: record::be64(&bytes[8..16]),
        hash,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), ReadCheckpoint::Nothing);
        let link = Link {
            seq: 9,
            hash: [3; 16],
        };
        write(dir.path(), link).unwrap();
        assert_eq!(read(dir.path()).unwrap(), ReadCheckpoint::Checkpoint(link));
        let mut bytes = fs::read(path(dir.path())).unwrap();
        // Whoever changes these bytes changes the format.
        let golden = "4b57484947480001000000000000000903030303030303030303030303030303c05e4826";
        assert_eq!(hex::encode(&bytes), golden);
        bytes[12] ^= 1;
        fs::write(path(dir.path()), &bytes).unwrap();
        assert_eq!(read(dir.path()).unwrap(), ReadCheckpoint::Damaged);
    }
}
