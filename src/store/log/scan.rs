//! Reading the commit log back, and telling a torn tail from damage.
//!
//! Only one record is ever under way, so a power cut can tear only the last one. A bad record with nothing readable
//! behind it is such a tail and may be cut off, if what is known to be synced ends before it. Anything else is damage.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::append::{self, Resume, SEGMENT_HEAD, Segment};
use super::record::{self, Bad, HEAD, Link, Record};
use crate::store::OpenError;
use crate::store::fault::Doing;

/// Read this much at a time.
const READ_BUFFER: usize = 256 << 10;

/// What is called for each record.
pub(in crate::store) type Visit<'v> = dyn FnMut(&Record<'_>) -> Result<(), OpenError> + 'v;

/// The log's files as they were found.
#[derive(Debug)]
pub(in crate::store) struct Log {
    store: PathBuf,
    dir: PathBuf,
    segments: Vec<Segment>,
}

/// What is known about the log from elsewhere, before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store) struct Known {
    /// The checkpoint: this record was synced.
    pub(in crate::store) synced: Link,
    /// sled has this commit, and it was given only what was synced.
    pub(in crate::store) applied: u64,
}

/// Something behind the last good record that is not one.
#[derive(Debug)]
struct Tail {
    offset: u64,
    why: Bad,
    /// The number of an intact record at or behind the bad place: then it was not the last one.
    intact: Option<u64>,
}

impl Log {
    /// Lists the files and checks their headers. `None` if there is no log directory or it is empty.
    pub(in crate::store) fn open(store: &Path) -> Result<Option<Self>, OpenError> {
        let dir = store.join("log");
        if !dir.exists() {
            return Ok(None);
        }
        let segments = append::list(store, &dir)?;
        Ok(if segments.is_empty() {
            None
        } else {
            Some(Self {
                store: store.to_owned(),
                dir,
                segments,
            })
        })
    }

    /// The log's directory.
    pub(in crate::store) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The chain's place before the oldest record that is kept.
    pub(in crate::store) fn begin(&self) -> Link {
        self.segments
            .first()
            .map(|segment| segment.before)
            .unwrap_or_default()
    }

    /// The number of the newest file.
    pub(in crate::store) fn newest(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.number)
    }

    /// The first file to read so that all records after `seq` are seen, and further back until `records` records or
    /// `bytes` bytes more are covered.
    pub(in crate::store) fn start(&self, seq: u64, records: u64, bytes: u64) -> usize {
        let mut index = self
            .segments
            .iter()
            .rposition(|segment| segment.before.seq <= seq)
            .unwrap_or(0);
        let newest = self.segments.last().map_or(0, |segment| segment.before.seq);
        let mut covered: u64 = self.segments[index..]
            .iter()
            .map(|segment| self.size(*segment))
            .sum();
        while index > 0
            && newest.saturating_sub(self.segments[index].before.seq) < records
            && covered < bytes
        {
            index -= 1;
            covered += self.size(self.segments[index]);
        }
        index
    }

    fn size(&self, segment: Segment) -> u64 {
        fs::metadata(append::segment_path(&self.dir, segment.number)).map_or(0, |meta| meta.len())
    }

    /// Whether no record was ever written.
    pub(in crate::store) fn is_empty(&self) -> bool {
        matches!(*self.segments, [only] if only.before == Link::default() && self.size(only) <= SEGMENT_HEAD as u64)
    }

    /// Reads all records from the file with this index on. A torn tail behind all that is known to be synced is cut
    /// off, and said in `cuts`; any other fault is an error, and changes nothing.
    pub(in crate::store) fn read(
        &self,
        start: usize,
        known: Known,
        cuts: &mut Vec<String>,
        visit: &mut Visit<'_>,
    ) -> Result<Resume, OpenError> {
        let Known { synced, applied } = known;
        let mut link = self.segments[start].before;
        let mut resume = Resume {
            link,
            last_record: SEGMENT_HEAD as u64,
            offset: SEGMENT_HEAD as u64,
        };
        let mut visit = |record: &Record<'_>| {
            if record.link.seq == synced.seq && record.link != synced {
                let why = format!(
                    "record {} is not the one that was synced under this number",
                    synced.seq
                );
                return Err(OpenError::LogMissing {
                    path: self.dir.clone(),
                    why,
                });
            }
            visit(record)
        };
        for (index, segment) in self.segments.iter().enumerate().skip(start) {
            let path = append::segment_path(&self.dir, segment.number);
            if segment.before != link {
                let why = format!(
                    "it begins after record {}, but record {} comes before it",
                    segment.before.seq, link.seq
                );
                return Err(self.damaged(path, 0, why));
            }
            let tail = self.read_segment(&path, *segment, &mut resume, &mut visit)?;
            link = resume.link;
            if let Some(tail) = tail {
                let last = index + 1 == self.segments.len();
                self.judge(
                    &path,
                    &tail,
                    last && link.seq >= synced.seq.max(applied),
                    cuts,
                )?;
            }
        }
        if link.seq < synced.seq {
            let why = format!(
                "the newest record is {}, but record {} was synced once",
                link.seq, synced.seq
            );
            return Err(OpenError::LogMissing {
                path: append::segment_path(&self.dir, self.newest()),
                why,
            });
        }
        if link.seq < applied {
            let why = format!(
                "the newest record is {}, but sled has commit {applied}",
                link.seq
            );
            return Err(OpenError::LogMissing {
                path: append::segment_path(&self.dir, self.newest()),
                why,
            });
        }
        Ok(resume)
    }

    fn damaged(&self, path: PathBuf, offset: u64, why: impl ToString) -> OpenError {
        OpenError::LogDamaged {
            dir: self.store.clone(),
            path,
            offset,
            why: why.to_string(),
        }
    }

    /// Cuts a torn tail off, or refuses. What is cut is kept beside the log, for whoever wants to look.
    fn judge(
        &self,
        path: &Path,
        tail: &Tail,
        may_cut: bool,
        cuts: &mut Vec<String>,
    ) -> Result<(), OpenError> {
        if let Some(seq) = tail.intact {
            let why = format!("{}, and record {seq} behind it is intact", tail.why);
            return Err(self.damaged(path.to_owned(), tail.offset, why));
        }
        if !may_cut {
            let why = format!("{}, and it was synced once", tail.why);
            return Err(self.damaged(path.to_owned(), tail.offset, why));
        }
        let bytes = fs::read(path).doing("reading a log file", path)?;
        let torn = bytes.get(tail.offset as usize..).unwrap_or_default();
        let len = torn
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let aside = path.with_extension("torn");
        fs::write(&aside, &torn[..len]).doing("keeping the torn end of the log", &aside)?;
        let file = File::options()
            .write(true)
            .open(path)
            .doing("opening a log file", path)?;
        file.set_len(tail.offset)
            .doing("cutting the torn end of the log", path)?;
        file.sync_all().doing("syncing the log", path)?;
        cuts.push(format!(
            "the commit log {} ended in {len} bytes of a record that was never acknowledged, at byte {} ({}); they were \
             cut off and kept in {}",
            path.display(), tail.offset, tail.why, aside.display()
        ));
        Ok(())
    }

    fn read_segment(
        &self,
        path: &Path,
        segment: Segment,
        resume: &mut Resume,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Tail>, OpenError> {
        let file = File::open(path).doing("opening a log file", path)?;
        let mut reader = BufReader::with_capacity(READ_BUFFER, file);
        let mut offset = SEGMENT_HEAD as u64;
        reader
            .seek(SeekFrom::Start(offset))
            .doing("reading a log file", path)?;
        *resume = Resume {
            link: segment.before,
            last_record: offset,
            offset,
        };
        let mut bytes = Vec::new();
        loop {
            match read_record(&mut reader, &mut bytes).doing("reading a log file", path)? {
                Next::End => return Ok(None),
                Next::Bad(why) => return find_intact(path, offset, resume.link, why).map(Some),
                Next::Record => match Record::decode(&bytes, resume.link) {
                    Err(why) => return find_intact(path, offset, resume.link, why).map(Some),
                    Ok(record) => {
                        visit(&record)?;
                        let end = offset + bytes.len() as u64;
                        *resume = Resume {
                            link: record.link,
                            last_record: offset,
                            offset: end,
                        };
                        offset = end;
                    }
                },
            }
        }
    }
}

/// What comes next in a log file.
pub(super) enum Next {
    Record,
    End,
    Bad(Bad),
}

/// Reads the bytes of the next record. The end is the end of the file, or nothing but zeros up to it.
pub(super) fn read_record(reader: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<Next> {
    bytes.clear();
    reader.take(HEAD as u64).read_to_end(bytes)?;
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Ok(if bytes.iter().all(|byte| *byte == 0) {
            Next::End
        } else {
            Next::Bad(Bad::Short)
        });
    };
    let len = record::head(head).len;
    if len == 0 {
        let zeros = head.iter().all(|byte| *byte == 0) && only_zeros(reader)?;
        return Ok(if zeros {
            Next::End
        } else {
            Next::Bad(Bad::Length)
        });
    }
    if !record::plausible(len) {
        return Ok(Next::Bad(Bad::Length));
    }
    reader.take(len as u64).read_to_end(bytes)?;
    Ok(if bytes.len() == HEAD + len {
        Next::Record
    } else {
        Next::Bad(Bad::Short)
    })
}

fn only_zeros(reader: &mut impl Read) -> io::Result<bool> {
    let mut buffer = [0; 8192];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(true),
            len if buffer[..len].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// Looks at every byte from a bad place on for an intact record. At the place itself any number counts (it is whole,
/// so it is not torn); behind it only later ones.
fn find_intact(path: &Path, offset: u64, last: Link, why: Bad) -> Result<Tail, OpenError> {
    let bytes = fs::read(path).doing("reading a log file", path)?;
    let rest = bytes.get(offset as usize..).unwrap_or_default();
    let most = last.seq + 1 + (rest.len() / HEAD) as u64;
    let intact = rest.windows(HEAD).enumerate().find_map(|(at, window)| {
        let head = record::head(window.first_chunk()?);
        let counts = at == 0 || (last.seq + 1..=most).contains(&head.seq);
        if !counts || !record::plausible(head.len) {
            return None;
        }
        let whole = rest.get(at..at + HEAD + head.len)?;
        record::intact(whole).then_some(head.seq)
    });
    Ok(Tail {
        offset,
        why,
        intact,
    })
}
