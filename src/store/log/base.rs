//! The backup behind which the log was cut: what the store is rebuilt from, together with the log, if sled fails.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::append::sync_dir;
use super::record::{self, Hash, Link};
use crate::store::OpenError;
use crate::store::fault::Doing;

const MAGIC: &[u8; 8] = b"KWBASE\0\x01";
/// Magic 8, sequence 8, hash 16, then the length of the store's name 2.
const HEAD: usize = 34;

/// A proven backup of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Base {
    /// The commit whose state it holds.
    pub(in crate::store) link: Link,
    /// What this store is called in it.
    pub(in crate::store) name: String,
    /// The file, absolute or from the store's directory.
    pub(in crate::store) path: PathBuf,
}

/// Where the file lies that names it.
fn path(store: &Path) -> PathBuf {
    store.join("base")
}

/// Replaces what is named: a reader finds the old or the new one, whatever happens in between.
pub(in crate::store) fn write(store: &Path, base: &Base) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&base.link.seq.to_be_bytes());
    bytes.extend_from_slice(&base.link.hash);
    // A name of ours has a handful of letters.
    bytes.extend_from_slice(&(base.name.len() as u16).to_be_bytes());
    bytes.extend_from_slice(base.name.as_bytes());
    bytes.extend_from_slice(base.path.as_os_str().as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    let new = store.join("base.new");
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&new, path(store))?;
    sync_dir(store)
}

/// The backup that is named, with its path made whole; `None` if none is. A name that cannot be read is none: the next
/// backup writes it anew, and until then the log that is there must do.
pub(in crate::store) fn read(store: &Path) -> Result<Option<Base>, OpenError> {
    let path = path(store);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).doing("reading which backup the log was cut behind", &path);
        }
    };
    let base = parse(&bytes);
    if base.is_none() {
        tracing::warn!(path = %path.display(), "the name of the last backup cannot be read; the next backup mends that");
    }
    Ok(base.map(|base| Base {
        path: store.join(base.path),
        ..base
    }))
}

fn parse(bytes: &[u8]) -> Option<Base> {
    use std::os::unix::ffi::OsStrExt;
    let (bytes, crc) = bytes.split_last_chunk::<4>()?;
    let head = bytes.first_chunk::<HEAD>()?;
    if crc32fast::hash(bytes) != u32::from_be_bytes(*crc) || head[..8] != *MAGIC {
        return None;
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&head[16..32]);
    let name_len = u16::from_be_bytes([head[32], head[33]]);
    let (name, path) = bytes[HEAD..].split_at_checked(name_len.into())?;
    Some(Base {
        link: Link {
            seq: record::be64(&head[8..16]),
            hash,
        },
        name: String::from_utf8(name.to_vec()).ok()?,
        path: PathBuf::from(std::ffi::OsStr::from_bytes(path)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_damage_is_as_if_it_were_not_there() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let base = Base {
            link: Link {
                seq: 9,
                hash: [3; 16],
            },
            name: "machines".to_owned(),
            path: PathBuf::from("/backup/one"),
        };
        write(dir.path(), &base).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(base.clone()));
        // Whoever changes these bytes changes the format.
        let golden = "4b5742415345000100000000000000090303030303030303030303030303030300086d616368696e6573\
                      2f6261636b75702f6f6e6522173ecb";
        assert_eq!(hex::encode(fs::read(path(dir.path())).unwrap()), golden);
        let near = Base {
            path: PathBuf::from("../one"),
            ..base
        };
        write(dir.path(), &near).unwrap();
        let found = read(dir.path()).unwrap().unwrap();
        assert_eq!(found.path, dir.path().join("../one"));
        let mut bytes = fs::read(path(dir.path())).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes), None, "byte {at}");
            bytes[at] ^= 1;
        }
    }
}
