//! Stored forms: numbered CBOR fields, so that a field can join or go without breaking old records; longer ones
//! compressed; those too long for one key continued under `x`.
//!
//! The numbers stand at the domain's own types (`#[n(..)]`); a number is never used again.

pub mod applications;
pub mod audits;
pub mod body_codec;
pub(crate) mod buffer;
pub mod disposition;
pub mod endpoints;
pub mod gaps;
pub mod indexed;
pub mod key;
pub(crate) mod labels;
pub mod probe;
pub mod restored;
pub(crate) mod revisions;
pub mod server;
pub mod standing;
pub mod waiting;

use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::domain::id::{MachineId, SourceName};
use crate::domain::machine::Machine;
use crate::domain::no_use::{Dismissal, NoEvent};
use crate::domain::time::Timestamp;
use crate::engine::write::working::Working;
use crate::store::ReadError;
use crate::store::pack::{self, Lasting};
use buffer::Buffer;
use disposition::Disposition;
use key::Table;

/// Plain CBOR.
const PLAIN: u8 = 1;
/// CBOR, zstd.
const ZSTD: u8 = 2;
/// A record in several parts: their number, then the first part.
const PARTS: u8 = 3;
/// Values shorter than this are not worth compressing.
/// The machine of a one-time purchase stays below: it is read and written a few times within a second.
const COMPRESS_OVER: usize = 2_500;
/// Most records are shorter: room that is made at once.
const USUAL_LEN: usize = 1_500;
/// Longest part, safely below the store's limit for a value.
const PART_LEN: usize = 5_400;
/// No record is larger than this when it is unpacked: a guard against damage, far above what the intake lets in.
const RECORD_LEN_MAX: usize = 64 << 20;

/// A stored record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes.
    #[error("the record under {key} cannot be read: {why}")]
    Form {
        /// The key, for people.
        key: String,
        /// What is wrong.
        why: String,
    },
}

/// Encodes a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut plain = Vec::with_capacity(USUAL_LEN);
    plain.push(PLAIN);
    // Writing to a Vec cannot fail, and no type here refuses to be encoded.
    let _ = minicbor::encode(value, Buffer(&mut plain));
    if plain.len() < COMPRESS_OVER {
        return plain;
    }
    let mut packed = vec![ZSTD];
    match pack::pack(&plain[1..], Lasting::Kept, &mut packed) {
        true => packed,
        false => plain,
    }
}

/// Decodes a value.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&PLAIN, rest)) => minicbor::decode(rest).map_err(|e| e.to_string()),
        Some((&ZSTD, rest)) => {
            let plain = pack::unpack(rest, RECORD_LEN_MAX).map_err(|e| e.to_string())?;
            minicbor::decode(&plain).map_err(|e| e.to_string())
        }
        Some((other, _)) => Err(format!("unknown format {other}")),
        None => Err("it is empty".to_owned()),
    }
}

fn part_key(first: &[u8], n: usize) -> Vec<u8> {
    let mut key = vec![Table::Part as u8];
    key.extend_from_slice(first);
    key.push(0);
    key.extend_from_slice(&u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes());
    key
}

/// Writes a record under a key, in parts if it is long; parts of a longer former value are deleted.
pub fn put<T: Encode<()>>(
    working: &mut Working<'_>,
    key: Vec<u8>,
    value: &T,
) -> Result<(), ReadError> {
    let bytes = encode(value);
    let old = working.get(&key)?;
    if old.as_deref() == Some(&bytes[..]) {
        // The sweep looks at every machine in turn, and mostly finds it as it should be: nothing to sync.
        return Ok(());
    }
    let before = old.map_or(0, |old| part_count(&old));
    let mut parts = 0;
    if bytes.len() <= PART_LEN {
        working.put(key.clone(), bytes);
    } else {
        let chunks: Vec<&[u8]> = bytes.chunks(PART_LEN).collect();
        parts = chunks.len();
        let mut first = vec![PARTS];
        first.extend_from_slice(&u16::try_from(parts).unwrap_or(u16::MAX).to_be_bytes());
        first.extend_from_slice(chunks[0]);
        working.put(key.clone(), first);
        for (n, chunk) in chunks.iter().enumerate().skip(1) {
            working.put(part_key(&key, n), chunk.to_vec());
        }
    }
    for n in parts.max(1)..before {
        working.delete(part_key(&key, n));
    }
    Ok(())
}

/// How many parts a record has; 0: it is in one value.
#[must_use]
pub(in crate::engine) fn part_count(bytes: &[u8]) -> usize {
    match bytes {
        [PARTS, a, b, ..] => usize::from(u16::from_be_bytes([*a, *b])),
        _ => 0,
    }
}

/// The key of the record that a further part belongs to, and the part's number; `None` for a key of another table.
#[must_use]
pub(in crate::engine) fn part_of(key: &[u8]) -> Option<(&[u8], usize)> {
    let (&table, rest) = key.split_first()?;
    let (first, [_, high, low]) = rest.split_last_chunk::<3>()?;
    let number = usize::from(u16::from_be_bytes([*high, *low]));
    (table == Table::Part as u8).then_some((first, number))
}

/// The key of the record that a key belongs to: the record's own, where it is no further part.
#[must_use]
pub(in crate::engine) fn record_of(key: &[u8]) -> &[u8] {
    part_of(key).map_or(key, |(first, _)| first)
}

/// Reads a record.
///
/// # Errors
/// The store's, or what is wrong with the bytes.
pub fn get<T: for<'b> Decode<'b, ()>>(
    view: &dyn View,
    key: &[u8],
) -> Result<Option<T>, RecordError> {
    let Some(first) = view.get(key)? else {
        return Ok(None);
    };
    whole(view, key, first).map(Some)
}

/// Puts a record together from its first part.
///
/// # Errors
/// The store's, or what is wrong with the bytes.
pub fn whole<T: for<'b> Decode<'b, ()>>(
    view: &dyn View,
    key: &[u8],
    first: Bytes,
) -> Result<T, RecordError> {
    let form = |why: String| RecordError::Form {
        key: String::from_utf8_lossy(key).replace('\0', "/"),
        why,
    };
    let parts = part_count(&first);
    if parts == 0 {
        return decode(&first).map_err(form);
    }
    let mut bytes = first.get(3..).unwrap_or_default().to_vec();
    for n in 1..parts {
        let part = view
            .get(&part_key(key, n))?
            .ok_or_else(|| form(format!("part {n} of {parts} is missing")))?;
        bytes.extend_from_slice(&part);
    }
    decode(&bytes).map_err(form)
}

/// Deletes a record with its parts.
pub fn delete(working: &mut Working<'_>, key: Vec<u8>) -> Result<(), ReadError> {
    let parts = working.get(&key)?.map_or(0, |old| part_count(&old));
    for n in 1..parts {
        working.delete(part_key(&key, n));
    }
    working.delete(key);
    Ok(())
}

/// A key with its value.
pub type Pair = (Vec<u8>, Bytes);

/// Reads by key: the store, or the store with writes over it that are not committed yet.
pub trait View {
    /// The value under a key.
    ///
    /// # Errors
    /// The store's.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError>;
    /// At most `limit` pairs of a range, in order.
    ///
    /// # Errors
    /// The store's.
    fn range(&self, range: &crate::store::KeyRange, limit: usize) -> Result<Vec<Pair>, ReadError>;
    /// A machine that is not written as a record yet.
    fn decoded(&self, _: &MachineId) -> Option<&Machine> {
        None
    }
}

/// An event as it is kept: what became of it, and what came.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EventRecord {
    /// Its type.
    #[n(0)]
    pub kind: String,
    /// Its `created`.
    #[n(1)]
    pub created: Timestamp,
    /// When it reached us.
    #[n(2)]
    pub received: Timestamp,
    /// What became of it.
    #[n(3)]
    pub disposition: Disposition,
    /// The body as it came, compressed.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub raw: Vec<u8>,
    /// Its mode.
    #[n(5)]
    pub livemode: Option<bool>,
    /// That a person looked at it while it waited: it waits on, and nobody else needs to look.
    #[n(6)]
    pub noted: Option<Dismissal>,
}

/// An event without its body, for whoever looks through all of them.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct EventHead {
    /// Its type.
    #[n(0)]
    pub kind: String,
    /// Its `created`.
    #[n(1)]
    pub created: Timestamp,
    /// When it reached us.
    #[n(2)]
    pub received: Timestamp,
    /// What became of it.
    #[n(3)]
    pub disposition: Disposition,
    /// That a person looked at it while it waited.
    #[n(6)]
    pub noted: Option<Dismissal>,
}

/// A signed delivery that was no event, as it is kept for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RefusedRecord {
    /// When it came.
    #[n(0)]
    pub at: Timestamp,
    /// The source.
    #[n(1)]
    pub source: SourceName,
    /// Why it was refused.
    #[n(2)]
    pub why: NoEvent,
    /// The beginning of its body.
    #[n(3)]
    pub excerpt: String,
}

/// Loads a machine and checks it; one that fails its check is held.
///
/// # Errors
/// The store's, or what is wrong with the bytes.
pub fn machine(view: &dyn View, id: &MachineId) -> Result<Option<Machine>, RecordError> {
    if let Some(machine) = view.decoded(id) {
        return Ok(Some(machine.clone()));
    }
    Ok(get::<Machine>(view, &key::machine(id))?.map(checked))
}

/// Whether there is a machine.
///
/// # Errors
/// The store's.
pub fn has_machine(view: &dyn View, id: &MachineId) -> Result<bool, ReadError> {
    Ok(view.decoded(id).is_some() || view.get(&key::machine(id))?.is_some())
}

/// Holds a machine that fails its check.
pub(in crate::engine) fn checked(mut machine: Machine) -> Machine {
    if machine.held.is_none()
        && let Err(why) = machine.check()
    {
        machine.held = Some(why);
    }
    machine
}
