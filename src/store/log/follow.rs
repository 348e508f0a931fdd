//! Reading a stretch of the log while it is written: what was committed between two commits that are both synced.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use super::append::{self, SEGMENT_HEAD};
use super::record::{Link, Record};
use super::scan::{Next, Visit, read_record};
use crate::store::OpenError;
use crate::store::fault::Doing;

/// Read this much at a time.
const READ_BUFFER: usize = 256 << 10;

/// Every record behind `after` up to and including `to`.
pub(in crate::store) fn between(
    store: &Path,
    after: u64,
    to: Link,
    visit: &mut Visit<'_>,
) -> Result<(), OpenError> {
    if after >= to.seq {
        return Ok(());
    }
    let dir = store.join("log");
    let segments = append::list_running(store, &dir)?;
    let missing = |why: String| OpenError::LogMissing {
        path: dir.clone(),
        why,
    };
    let start = segments.iter().rposition(|s| s.before.seq <= after);
    let start = start.ok_or_else(|| missing(format!("record {} is not there", after + 1)))?;
    let mut link = segments[start].before;
    for segment in &segments[start..] {
        let path = append::segment_path(&dir, segment.number);
        let file = File::open(&path).doing("opening a log file", &path)?;
        let mut reader = BufReader::with_capacity(READ_BUFFER, file);
        let mut offset = SEGMENT_HEAD as u64;
        reader
            .seek(SeekFrom::Start(offset))
            .doing("reading a log file", &path)?;
        let mut bytes = Vec::new();
        while link.seq < to.seq {
            let damaged = |why: String| OpenError::LogDamaged {
                dir: store.to_owned(),
                path: path.clone(),
                offset,
                why,
            };
            match read_record(&mut reader, &mut bytes).doing("reading a log file", &path)? {
                Next::End => break,
                Next::Bad(why) => return Err(damaged(why.to_string())),
                Next::Record => {
                    let record =
                        Record::decode(&bytes, link).map_err(|why| damaged(why.to_string()))?;
                    offset += bytes.len() as u64;
                    link = record.link;
                    if link.seq > after {
                        visit(&record)?;
                    }
                }
            }
        }
        if link.seq == to.seq {
            break;
        }
    }
    match link == to {
        true => Ok(()),
        false => Err(missing(format!("record {} is not there", to.seq))),
    }
}
