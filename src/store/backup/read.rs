//! Reading a backup's file: whole and checked before anything of it is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    BLOCK_HEAD, BLOCK_LEN_MAX, BackupError, DELETED, ENTRY_HEAD, FORMAT, HEAD, Kind, MAGIC,
};
use crate::store::Seq;
use crate::store::log::record::{Hash, Link, be32, be64};

/// Read this much at a time.
const READ_BUFFER: usize = 256 << 10;

/// What changed while a store was copied, by key. `None`: deleted.
type Changes = BTreeMap<Bytes, (Seq, Option<Bytes>)>;

/// A backup that was read to its end and is whole.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    at_ms: i64,
    len: u64,
    sections: Vec<Section>,
}

/// One store in a backup.
#[derive(Debug)]
pub struct Section {
    name: String,
    link: Link,
    /// Where its first block lies.
    begin: u64,
    changes: Changes,
    entries: u64,
}

impl Section {
    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The commit after which the store was as it is here.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq(self.link.seq)
    }

    pub(in crate::store) fn link(&self) -> Link {
        self.link
    }
}

impl Backup {
    /// Reads a file to its end and checks all of it. What changed while it was made is kept in memory.
    ///
    /// # Errors
    /// [`BackupError`], which names the first byte that is not right.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let mut blocks = Blocks::open(path)?;
        let at_ms = blocks.at_ms;
        let mut sections = Vec::new();
        let mut open: Option<Section> = None;
        let mut counted = (0, 0);
        loop {
            let (at, sha) = (blocks.offset, blocks.sha.clone());
            let damaged = |why: &str| damaged(path, at, why);
            let Some((kind, plain)) = blocks.next()? else {
                return Err(damaged("it is cut off"));
            };
            match (kind, &mut open) {
                (Kind::Begin, None) => {
                    let name = String::from_utf8(plain).map_err(|_| damaged("a store's name"))?;
                    counted = (0, 0);
                    open = Some(Section {
                        name,
                        link: Link::default(),
                        begin: blocks.offset,
                        changes: Changes::new(),
                        entries: 0,
                    });
                }
                (Kind::Entries, Some(_)) => {
                    let count = entries(&plain).try_fold(0, |n, entry| entry.map(|_| n + 1));
                    counted.0 += count.ok_or_else(|| damaged("malformed entries"))?;
                }
                (Kind::Changes, Some(section)) => {
                    let count = take_changes(&mut section.changes, plain);
                    counted.1 += count.ok_or_else(|| damaged("malformed changes"))?;
                }
                (Kind::End, Some(section)) => {
                    let said = counts(&plain).ok_or_else(|| damaged("a store's end"))?;
                    if said.1 != counted {
                        return Err(damaged("entries are missing"));
                    }
                    (section.link, section.entries) = (said.0, counted.0);
                    sections.extend(open.take());
                }
                (Kind::Last, None) => {
                    let (stores, hash) = plain
                        .split_first_chunk::<4>()
                        .ok_or_else(|| damaged("its end"))?;
                    if hash != &*sha.finalize() {
                        return Err(damaged("the checksum of the whole file does not match"));
                    }
                    if u32::from_be_bytes(*stores) as usize != sections.len() {
                        return Err(damaged("stores are missing"));
                    }
                    blocks.nothing_more()?;
                    return Ok(Self {
                        path: path.to_owned(),
                        at_ms,
                        len: blocks.offset,
                        sections,
                    });
                }
                (
                    Kind::Begin | Kind::Entries | Kind::Changes | Kind::End | Kind::Last,
                    Some(_) | None,
                ) => return Err(damaged("a block that does not belong here")),
            }
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub const fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// The file's length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.len
    }

    /// The stores in it.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The store of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// Every key of a store with its value and the commit that wrote it, in the order in which the store had them; what
    /// changed while it was copied comes last.
    ///
    /// # Errors
    /// The file's, which may have changed since it was opened, or the visitor's.
    pub fn each<E: From<BackupError>>(
        &self,
        section: &Section,
        mut visit: impl FnMut(&[u8], Seq, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut blocks = Blocks::open(&self.path)?;
        blocks.go_to(section.begin)?;
        let mut left = section.entries;
        while left > 0 {
            let at = blocks.offset;
            let gone = || damaged(&self.path, at, "it changed while it was read");
            let (kind, plain) = blocks.next()?.ok_or_else(gone)?;
            if kind != Kind::Entries {
                return Err(gone().into());
            }
            for entry in entries(&plain) {
                let entry = entry.ok_or_else(gone)?;
                left = left.saturating_sub(1);
                if !section.changes.contains_key(entry.key) {
                    visit(entry.key, entry.seq, entry.value.unwrap_or_default())?;
                }
            }
        }
        for (key, (seq, value)) in &section.changes {
            if let Some(value) = value {
                visit(key, *seq, value)?;
            }
        }
        Ok(())
    }
}

/// Adds a block's changes. Says how many there are; `None` for bytes that are none.
fn take_changes(changes: &mut Changes, plain: Vec<u8>) -> Option<u64> {
    let memory = Bytes::from(plain);
    let mut count = 0;
    for entry in entries(&memory) {
        let entry = entry?;
        count += 1;
        let value = entry.value.map(|value| memory.slice_ref(value));
        changes.insert(memory.slice_ref(entry.key), (entry.seq, value));
    }
    Some(count)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> BackupError + use<'_> {
    move |source| BackupError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn damaged(path: &Path, offset: u64, why: &str) -> BackupError {
    BackupError::Damaged {
        path: path.to_owned(),
        offset,
        why: why.to_owned(),
    }
}

fn counts(plain: &[u8]) -> Option<(Link, (u64, u64))> {
    let plain: &[u8; 40] = plain.try_into().ok()?;
    let mut hash = Hash::default();
    hash.copy_from_slice(&plain[8..24]);
    let seq = be64(&plain[..8]);
    Some((
        Link { seq, hash },
        (be64(&plain[24..32]), be64(&plain[32..])),
    ))
}

struct StoredEntry<'b> {
    key: &'b [u8],
    seq: Seq,
    value: Option<&'b [u8]>,
}

/// The entries of a block; `None` for bytes that are none, and then nothing more.
fn entries(mut bytes: &[u8]) -> impl Iterator<Item = Option<StoredEntry<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let next = entry(bytes);
        bytes = next.as_ref().map_or(&[], |(_, rest)| rest);
        Some(next.map(|(entry, _)| entry))
    })
}

fn entry(bytes: &[u8]) -> Option<(StoredEntry<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let (key, rest) = rest.split_at_checked(u16::from_be_bytes([head[0], head[1]]).into())?;
    let seq = Seq(be64(&head[6..]));
    let (value, rest) = match be32(&head[2..6]) {
        DELETED => (None, rest),
        len => {
            let (value, rest) = rest.split_at_checked(len as usize)?;
            (Some(value), rest)
        }
    };
    Some((StoredEntry { key, seq, value }, rest))
}

/// A file's blocks, one after the other.
struct Blocks<'p> {
    path: &'p Path,
    file: BufReader<File>,
    at_ms: i64,
    offset: u64,
    sha: Sha256,
}

impl<'p> Blocks<'p> {
    fn open(path: &'p Path) -> Result<Self, BackupError> {
        let io = unreadable(path);
        let mut file = BufReader::with_capacity(READ_BUFFER, File::open(path).map_err(&io)?);
        let mut head = Vec::with_capacity(HEAD);
        (&mut file)
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(&io)?;
        let foreign = || BackupError::Foreign {
            path: path.to_owned(),
        };
        if !head.starts_with(MAGIC) {
            return Err(foreign());
        }
        let whole: &[u8; HEAD] = head
            .as_slice()
            .try_into()
            .map_err(|_| damaged(path, 0, "its head is cut off"))?;
        let found = u16::from_be_bytes([whole[6], whole[7]]);
        if crc32fast::hash(&whole[..16]) != be32(&whole[16..]) {
            return Err(damaged(path, 0, "the checksum of its head does not match"));
        }
        if found != FORMAT {
            return Err(BackupError::Newer {
                path: path.to_owned(),
                found,
            });
        }
        Ok(Self {
            path,
            file,
            // Written from an `i64`, so that the bits are its own.
            at_ms: be64(&whole[8..16]).cast_signed(),
            offset: HEAD as u64,
            sha: Sha256::new_with_prefix(&head),
        })
    }

    fn go_to(&mut self, offset: u64) -> Result<(), BackupError> {
        self.file
            .seek(SeekFrom::Start(offset))
            .map_err(unreadable(self.path))?;
        self.offset = offset;
        Ok(())
    }

    /// The next block, unpacked; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<(Kind, Vec<u8>)>, BackupError> {
        let bad = |why: &str| damaged(self.path, self.offset, why);
        let mut head = [0; BLOCK_HEAD];
        match self.file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(unreadable(self.path)(error)),
        }
        let (len, packed_len) = (be32(&head[1..5]) as usize, be32(&head[5..9]) as usize);
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[0]);
        let (Some(kind), true) = (
            kind,
            len <= BLOCK_LEN_MAX && packed_len <= 2 * BLOCK_LEN_MAX,
        ) else {
            return Err(bad("there is no block here"));
        };
        let mut packed = Vec::with_capacity(packed_len);
        (&mut self.file)
            .take(packed_len as u64)
            .read_to_end(&mut packed)
            .map_err(unreadable(self.path))?;
        if packed.len() < packed_len {
            return Err(bad("it is cut off"));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[..9]);
        crc.update(&packed);
        if crc.finalize() != be32(&head[9..]) {
            return Err(bad("the block's checksum does not match"));
        }
        let plain =
            zstd::bulk::decompress(&packed, len).map_err(|_| bad("the block does not unpack"))?;
        if plain.len() != len {
            return Err(bad("the block unpacks to another length"));
        }
        self.sha.update(head);
        self.sha.update(&packed);
        self.offset += (BLOCK_HEAD + packed_len) as u64;
        Ok(Some((kind, plain)))
    }

    fn nothing_more(&mut self) -> Result<(), BackupError> {
        match self.file.read(&mut [0; 1]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged(
                self.path,
                self.offset,
                "there is something behind its end",
            )),
            Err(error) => Err(unreadable(self.path)(error)),
        }
    }
}
