//! The commit log's files: append a record, sync, and only then say that it is there. Knows no sled.
//!
//! `log/00000001`, `log/00000002`, … each begin with a header that names the record before their first one; records
//! follow without gaps. Files are never changed behind their end, so their content is evidence. Files whose records are
//! all in the newest proven backup are deleted, oldest first ([`cut`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::{self, Hash, Link, Packing};
use crate::store::OpenError;
use crate::store::fault::Doing;

/// `KWLOG`, then the format as two bytes.
const MAGIC: &[u8; 6] = b"KWLOG\0";
/// Of new files. In those of format 1 no record is packed; they are read, and the newest is filled up as it was begun.
const FORMAT: u16 = 2;
/// Header: magic 6, format 2, number 8, sequence before 8, hash before 16, CRC-32 4.
pub(in crate::store) const SEGMENT_HEAD: usize = 44;

/// Zeros are written this far ahead when small records come. A sync into bytes that exist already need not commit
/// the file system's journal, which more than halves its time; for records that are large themselves it would only
/// double the bytes written.
const AHEAD: u64 = 1 << 20;
const AHEAD_RECORD_MAX: usize = 16 << 10;

/// A file of the log, and the chain's place at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    /// Counted from 1; the file's name.
    pub(in crate::store) number: u64,
    /// The last record before this file's first one.
    pub(in crate::store) before: Link,
}

/// The path of a segment.
pub(in crate::store) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}"))
}

/// Makes a directory's entries durable.
pub(in crate::store) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a new segment. It gets its name only when it is whole and synced, so a segment without a header is damage.
pub(in crate::store) fn create_segment(dir: &Path, segment: Segment) -> io::Result<File> {
    let mut head = Vec::with_capacity(SEGMENT_HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&FORMAT.to_be_bytes());
    head.extend_from_slice(&segment.number.to_be_bytes());
    head.extend_from_slice(&segment.before.seq.to_be_bytes());
    head.extend_from_slice(&segment.before.hash);
    head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());

    let path = segment_path(dir, segment.number);
    let new = path.with_extension("new");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&new)?;
    file.write_all_at(&head, 0)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    sync_dir(dir)?;
    Ok(file)
}

/// The segments of a log directory in order, their headers checked. Half-made ones are removed.
pub(in crate::store) fn list(store: &Path, dir: &Path) -> Result<Vec<Segment>, OpenError> {
    for entry in fs::read_dir(dir).doing("listing the commit log", dir)? {
        let path = entry.doing("listing the commit log", dir)?.path();
        if path.extension().is_some_and(|end| end == "new") {
            fs::remove_file(&path).doing("removing a half-made log file", &path)?;
        }
    }
    list_running(store, dir)
}

/// The segments of a log that is being written, in order, their headers checked.
pub(in crate::store) fn list_running(store: &Path, dir: &Path) -> Result<Vec<Segment>, OpenError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).doing("listing the commit log", dir)? {
        let entry = entry.doing("listing the commit log", dir)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let (8.., Ok(number)) = (name.len(), name.parse::<u64>()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    let mut segments: Vec<Segment> = Vec::with_capacity(numbers.len());
    for number in numbers {
        if let Some(last) = segments.last()
            && last.number + 1 != number
        {
            let why = format!(
                "file {:08} is not there, but {number:08} is",
                last.number + 1
            );
            return Err(OpenError::LogMissing {
                path: dir.to_owned(),
                why,
            });
        }
        segments.push(read_head(store, dir, number)?);
    }
    Ok(segments)
}

/// Deletes the oldest segments whose records are all at or before `upto`, one at a time: cut off in between, what is left
/// is a whole log that begins later. The newest one stays. `each` is told the length of each that is gone.
pub(in crate::store) fn cut(
    store: &Path,
    upto: u64,
    mut each: impl FnMut(u64),
) -> Result<(), OpenError> {
    let dir = store.join("log");
    let segments = list_running(store, &dir)?;
    for pair in segments.windows(2) {
        if pair[1].before.seq > upto {
            break;
        }
        let path = segment_path(&dir, pair[0].number);
        let len = fs::metadata(&path).map_or(0, |meta| meta.len());
        fs::remove_file(&path).doing("deleting a log file", &path)?;
        sync_dir(&dir).doing("syncing the log", &dir)?;
        each(len);
    }
    Ok(())
}

fn read_head(store: &Path, dir: &Path, number: u64) -> Result<Segment, OpenError> {
    let path = segment_path(dir, number);
    let mut head = [0; SEGMENT_HEAD];
    let mut file = File::open(&path).doing("opening a log file", &path)?;
    let damaged = |why: &str| OpenError::LogDamaged {
        dir: store.to_owned(),
        path: path.clone(),
        offset: 0,
        why: why.to_owned(),
    };
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(damaged("the header is cut off"));
        }
        Err(source) => {
            return Err(OpenError::Io {
                doing: "reading a log file",
                path: path.clone(),
                source,
            });
        }
    }
    if crc32fast::hash(&head[..40]) != record::be32(&head[40..]) || head[..6] != *MAGIC {
        return Err(damaged("the header's checksum does not match"));
    }
    let found = u16::from_be_bytes([head[6], head[7]]);
    if !(1..=FORMAT).contains(&found) {
        return Err(OpenError::Newer {
            path,
            found: found.into(),
            known: FORMAT.into(),
        });
    }
    if record::be64(&head[8..16]) != number {
        return Err(damaged("the header belongs to another log file"));
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&head[24..40]);
    Ok(Segment {
        number,
        before: Link {
            seq: record::be64(&head[16..24]),
            hash,
        },
    })
}

/// The writing end.
#[derive(Debug)]
pub(in crate::store) struct Appender {
    dir: PathBuf,
    file: File,
    number: u64,
    /// Where the next record goes.
    offset: u64,
    /// How far the file reaches, zeros included.
    allocated: u64,
    last: Link,
    packing: Packing,
    segment_max: u64,
    /// Reused, so that a steady writer does not allocate.
    buffer: Vec<u8>,
}

impl Appender {
    /// Takes up writing at the end of the newest segment, which the caller has read and, if needed, cut.
    ///
    /// The last record is written once more: if its sync failed before, the system may hold its page as clean though
    /// the disk never got it, and only a new write makes the sync mean something.
    pub(in crate::store) fn resume(
        dir: &Path,
        number: u64,
        end: Resume,
        segment_max: u64,
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(segment_path(dir, number))?;
        let mut format = [0; 2];
        file.read_exact_at(&mut format, MAGIC.len() as u64)?;
        let packing = match u16::from_be_bytes(format) {
            ..FORMAT => Packing::Never,
            FORMAT.. => Packing::Allowed,
        };
        let mut buffer = vec![0; (end.offset - end.last_record) as usize];
        file.read_exact_at(&mut buffer, end.last_record)?;
        file.write_all_at(&buffer, end.last_record)?;
        file.sync_all()?;
        let allocated = file.metadata()?.len();
        let dir = dir.to_owned();
        Ok(Self {
            dir,
            file,
            number,
            offset: end.offset,
            allocated,
            last: end.link,
            packing,
            segment_max,
            buffer,
        })
    }

    /// The newest record.
    pub(in crate::store) fn last(&self) -> Link {
        self.last
    }

    /// The file being written.
    pub(in crate::store) fn path(&self) -> PathBuf {
        segment_path(&self.dir, self.number)
    }

    /// Appends one record and returns when it survives a power cut. After an error nothing is known about it, and
    /// nothing may be appended any more.
    pub(in crate::store) fn append<'a>(
        &mut self,
        writes: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> io::Result<Link> {
        if self.offset >= self.segment_max {
            self.rotate()?;
        }
        self.buffer.clear();
        let link = record::encode(&mut self.buffer, self.last, self.packing, writes);
        let len = self.buffer.len();
        let end = self.offset + len as u64;
        if end > self.allocated {
            let ahead = if len <= AHEAD_RECORD_MAX { AHEAD } else { 0 };
            self.buffer.resize(len + ahead as usize, 0);
            self.allocated = end + ahead;
        }
        self.file.write_all_at(&self.buffer, self.offset)?;
        self.file.sync_data()?;
        self.offset = end;
        self.last = link;
        Ok(link)
    }

    /// Ends this file where its records end, and begins the next.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.set_len(self.offset)?;
        self.file.sync_all()?;
        self.file = create_segment(
            &self.dir,
            Segment {
                number: self.number + 1,
                before: self.last,
            },
        )?;
        self.number += 1;
        self.packing = Packing::Allowed;
        self.offset = SEGMENT_HEAD as u64;
        self.allocated = self.offset;
        Ok(())
    }
}

/// Where a log that was read ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Resume {
    /// The newest record.
    pub(in crate::store) link: Link,
    /// Where it begins in its file.
    pub(in crate::store) last_record: u64,
    /// Where the next one goes.
    pub(in crate::store) offset: u64,
}

#[cfg(test)]
mod tests;
