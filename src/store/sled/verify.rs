//! sled against the log: what the newest record that mentions a key says must be what sled has.
//!
//! sled's own checksums find damage when a page is read, but not loss: a page that is gone, or an older one that came
//! back, looks right to it.

use std::path::Path;

use foldhash::HashMap;

use super::base::{self, Base, Unusable};
use super::disk::{Disk, DiskError};
use super::layout::Layout;
use super::overlay::Overlay;
use crate::store::backup::BackupError;
use crate::store::log::record::{Record, Write};
use crate::store::log::scan::Log;
use crate::store::{Direction, KeyRange, MissingBackup, OpenError, Verify};

/// Findings are counted, but only so many are described.
const DESCRIBED: usize = 5;

/// What the log says last about a key.
#[derive(Clone, Copy, Debug)]
struct Mention {
    seq: u64,
    /// The value's CRC-32; `None`: deleted.
    crc: Option<u32>,
}

/// The newest mention of each key in the records that were read.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    of: HashMap<Box<[u8]>, Mention>,
    /// What a backup says goes before all records up to this one.
    base: u64,
    /// Whether every key is mentioned that the store has.
    all: bool,
}

impl Mentions {
    /// What is said before the log: for a look at everything, the backup that it was cut behind. One that cannot be used is
    /// a finding of its own, and the rest is compared without it.
    pub(super) fn before(
        store: &Path,
        log: &Log,
        how: Verify,
    ) -> Result<(Self, Option<MissingBackup>), OpenError> {
        if how != Verify::Everything {
            return Ok((Self::default(), None));
        }
        let read = base::find(store, log)?.and_then(|base| match base {
            Some(base) => Self::of_backup(&base),
            None => Ok(Self::default()),
        });
        Ok(match read {
            Ok(mentions) => (
                Self {
                    all: true,
                    ..mentions
                },
                None,
            ),
            Err(unusable) => (Self::default(), Some(unusable.missing())),
        })
    }

    fn of_backup(base: &Base) -> Result<Self, Unusable> {
        let mut mentions = Self::default();
        let (backup, section) = base.parts();
        let read = backup.each(section, |key, seq, value| {
            mentions.mention(seq.0, (key, Some(value)));
            Ok(())
        });
        read.map_err(|why: BackupError| Unusable::Unread {
            path: backup.path().to_owned(),
            why,
        })?;
        mentions.base = section.seq().0;
        Ok(mentions)
    }

    /// Whether every key is mentioned that the store has, so that one that is not is one too many.
    pub(super) const fn have_all(&self) -> bool {
        self.all
    }

    /// Takes a record in; records come in the order of their numbers.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        if record.link.seq <= self.base {
            return;
        }
        for (key, value) in record.writes().flatten() {
            self.mention(record.link.seq, (key, value));
        }
    }

    fn mention(&mut self, seq: u64, (key, value): Write<'_>) {
        let mention = Mention {
            seq,
            crc: value.map(crc32fast::hash),
        };
        match self.of.get_mut(key) {
            Some(newest) => *newest = mention,
            None => drop(self.of.insert(Box::from(key), mention)),
        }
    }

    /// What sled has wrong, in words; empty if nothing. Keys in the overlay are left out: sled is yet to be given them.
    pub(super) fn check(&self, disk: &Disk, overlay: &Overlay) -> Result<Findings, DiskError> {
        let mut findings = Findings::default();
        // In the order of their places, so that each of sled's blocks is taken apart once and not once per key.
        let placed = self.of.iter().map(|(key, mention)| {
            let place = disk.layout().find(key);
            (place, key, mention)
        });
        let mut placed: Vec<_> = placed.collect();
        placed.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut ascending = disk.ascending();
        for (place, key, mention) in placed {
            let place = place.as_deref();
            if place.is_some_and(|place| overlay.get(place).is_some()) {
                continue;
            }
            let found = place.map(|place| ascending.get(place)).transpose()?;
            let is = found.flatten();
            let is = is.map(|entry| (entry.seq.0, crc32fast::hash(&entry.value)));
            let should = mention.crc.map(|crc| (mention.seq, crc));
            if is != should {
                findings.add(key, is.map(|(seq, _)| seq), should.map(|(seq, _)| seq));
            }
        }
        Ok(findings)
    }

    /// Like [`Self::check`] in the other direction, for when all records were read: keys in sled that no record put.
    pub(super) fn check_surplus(
        &self,
        disk: &Disk,
        overlay: &Overlay,
        findings: &mut Findings,
    ) -> Result<(), DiskError> {
        let all = KeyRange::prefix(b"");
        for pair in disk.range(&all, Direction::Forward)? {
            let (place, value) = pair?;
            let key = Layout::key(&place).unwrap_or_default();
            if !self.of.contains_key(&*key) && overlay.get(&place).is_none() {
                findings.add(&key, Some(value.seq.0), None);
            }
        }
        Ok(())
    }
}

/// Keys under which sled does not have what the log says.
#[derive(Debug, Default)]
pub(super) struct Findings {
    count: usize,
    described: Vec<String>,
}

impl Findings {
    fn add(&mut self, key: &[u8], is: Option<u64>, should: Option<u64>) {
        self.count += 1;
        if self.described.len() < DESCRIBED {
            let word = |seq: Option<u64>| {
                seq.map_or("nothing".to_owned(), |seq| {
                    format!("the value of commit {seq}")
                })
            };
            self.described.push(format!(
                "key {} holds {}, should be {}",
                hex::encode(key),
                word(is),
                word(should)
            ));
        }
    }

    /// All findings in a sentence; `None` if there are none.
    pub(super) fn sentence(&self) -> Option<String> {
        let more = self.count - self.described.len();
        let rest = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        (self.count > 0).then(|| format!("{}{rest}", self.described.join("; ")))
    }
}
