//! What a run has read so far, on disk: one that is killed goes on where it was. It holds what customers bought, so it is
//! its owner's alone, and it goes when the run is over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};

use crate::domain::time::{Span, Timestamp};
use crate::engine::record::body_codec;

/// What is older shows a shop that is no more.
const KEPT: Span = Span::from_hours(6);
/// The largest record, in bytes: a page of 100 objects.
const RECORD_LEN_MAX: usize = 64 << 20;

/// A part of what was read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReadPart {
    /// The beginning: whose account it is, and when the reading began.
    #[n(0)]
    Begun {
        /// A digest of the account's key and the question, so that another account's progress is not taken up.
        #[n(0)]
        of: u64,
        /// The instant.
        #[n(1)]
        at: Timestamp,
    },
    /// A page of a list, with what its objects lack fetched.
    #[n(1)]
    Page {
        /// The list's [`number`](super::backdate::List::number).
        #[n(0)]
        list: u8,
        /// The objects as one JSON array, packed.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        packed: Vec<u8>,
        /// Whether it was the last one.
        #[n(2)]
        last: bool,
    },
    /// Licenses whose labels were read: key and label.
    #[n(2)]
    Labels(#[n(0)] Vec<(String, String)>),
}

/// The file, open at its end.
#[derive(Debug)]
pub struct Progress {
    file: Option<BufWriter<File>>,
    path: PathBuf,
}

impl Progress {
    /// A progress that is kept nowhere.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            file: None,
            path: PathBuf::new(),
        }
    }

    /// Opens the file of a data directory and reads what an earlier run left. What is of another account, too old or broken
    /// off is dropped. While another run has the file, this one keeps nothing: it begins anew where it is killed.
    ///
    /// # Errors
    /// The file's.
    pub fn open(
        path: &Path,
        of: u64,
        now: Timestamp,
    ) -> io::Result<(Self, Vec<ReadPart>, Timestamp)> {
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).read(true).write(true);
        let file = options.mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok((Self::nowhere(), Vec::new(), now)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let kept = read(&file);
        let begun = kept.first().and_then(|part| match part {
            ReadPart::Begun { of: whose, at } => (*whose == of && now - *at < KEPT).then_some(*at),
            ReadPart::Page { .. } | ReadPart::Labels(_) => None,
        });
        let kept = begun.map_or_else(Vec::new, |_| kept);
        file.set_len(0)?;
        (&file).rewind()?;
        let mut progress = Self {
            file: Some(BufWriter::new(file)),
            path: path.to_owned(),
        };
        let began = begun.unwrap_or(now);
        if kept.is_empty() {
            progress.add(&ReadPart::Begun { of, at: began })?;
        }
        for part in &kept {
            progress.add(part)?;
        }
        Ok((progress, kept, began))
    }

    /// Adds a part; it is there for the next run once this returns.
    ///
    /// # Errors
    /// The file's.
    pub fn add(&mut self, part: &ReadPart) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let bytes = minicbor::to_vec(part).map_err(io::Error::other)?;
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        file.write_all(&len.to_be_bytes())?;
        file.write_all(&crc32fast::hash(&bytes).to_be_bytes())?;
        file.write_all(&bytes)?;
        file.flush()
    }

    /// The run is over: nothing is left of it.
    pub fn done(self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads the parts of a file up to the first that is broken.
fn read(file: &File) -> Vec<ReadPart> {
    let mut file = BufReader::new(file);
    let mut parts = Vec::new();
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let len = usize::try_from(number(0)).unwrap_or(usize::MAX);
        if len > RECORD_LEN_MAX {
            break;
        }
        let mut bytes = vec![0; len];
        if file.read_exact(&mut bytes).is_err() || crc32fast::hash(&bytes) != number(4) {
            break;
        }
        match minicbor::decode(&bytes) {
            Ok(part) => parts.push(part),
            Err(_) => break,
        }
    }
    parts
}

/// Packs a page's objects.
#[must_use]
pub fn pack(objects: &[serde_json::Value]) -> Vec<u8> {
    body_codec::pack(serde_json::json!(objects).to_string().as_bytes())
}

/// Unpacks them; none where it is no page.
#[must_use]
pub fn unpack(packed: &[u8]) -> Vec<serde_json::Value> {
    let body = body_codec::unpack(packed).unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(at: i64) -> Timestamp {
        Timestamp::from_s(at)
    }

    #[test]
    fn a_run_that_was_killed_goes_on_and_another_s_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adopt.progress");
        let page = ReadPart::Page {
            list: 1,
            packed: pack(&[serde_json::json!({"id": "in_1"})]),
            last: false,
        };
        let (mut first, kept, _) = Progress::open(&path, 7, s(100)).unwrap();
        assert_eq!(kept, []);
        first.add(&page).unwrap();
        drop(first);
        // Killed in the middle of a write: the beginning of a record.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[0, 0, 0, 9, 1]).unwrap();
        drop(file);
        let (_, kept, began) = Progress::open(&path, 7, s(200)).unwrap();
        assert_eq!((kept.get(1), began), (Some(&page), s(100)));
        assert_eq!(kept.len(), 2);
        let (_, of_another, _) = Progress::open(&path, 8, s(300)).unwrap();
        assert_eq!(of_another, []);
        drop(Progress::open(&path, 7, s(400)).unwrap());
        let (last, too_old, _) = Progress::open(&path, 7, s(400 + 7 * 3_600)).unwrap();
        assert_eq!(too_old, []);
        last.done();
        assert!(!path.exists());
    }

    #[test]
    fn two_runs_at_once_do_not_write_into_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adopt.progress");
        let page = |n: u8| ReadPart::Page {
            list: n,
            packed: pack(&[serde_json::json!({"id": format!("in_{n}")})]),
            last: false,
        };
        let (mut first, ..) = Progress::open(&path, 7, s(100)).unwrap();
        first.add(&page(1)).unwrap();
        let (mut second, kept, began) = Progress::open(&path, 7, s(200)).unwrap();
        assert_eq!((kept, began), (Vec::new(), s(200)), "it begins anew");
        second.add(&page(2)).unwrap();
        second.done();
        first.add(&page(3)).unwrap();
        drop(first);
        let (_, kept, _) = Progress::open(&path, 7, s(300)).unwrap();
        assert_eq!(kept[1..], [page(1), page(3)], "the first one's alone");
    }
}
