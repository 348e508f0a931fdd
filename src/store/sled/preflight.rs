//! A look at sled's file before sled sees it.
//!
//! If the end of its file is not what sled expects, it opens empty, without an error, and writes zeros over what was
//! there. The segment headers tell beforehand. This is a short read-only scan: 20 bytes of every 512 KiB.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// sled's segment size; fixed for the life of a store.
const SEGMENT: u64 = 512 << 10;

/// A segment's header: CRC-32 (inverted) of the rest, the segment's position in the endless log, and the highest
/// position that was stable when it was written; both xored with the greatest `i64`. Little-endian.
struct SegmentHeader {
    position: i64,
    stable: i64,
}

fn parse(bytes: &[u8; 20]) -> Option<SegmentHeader> {
    let (crc, rest) = bytes.split_first_chunk::<4>()?;
    if crc32fast::hash(rest) ^ u32::MAX != u32::from_le_bytes(*crc) {
        return None;
    }
    let (position, stable) = rest.split_first_chunk::<8>()?;
    let stable = stable.first_chunk::<8>()?;
    Some(SegmentHeader {
        position: i64::from_le_bytes(*position) ^ i64::MAX,
        stable: i64::from_le_bytes(*stable) ^ i64::MAX,
    })
}

/// Whether sled will find its log's end in the file `db`. `Err` says why it would not.
pub(super) fn check(db: &Path) -> Result<(), String> {
    let file = match File::open(db) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err("sled's file `db` is missing".to_owned());
        }
        Err(error) => return Err(format!("sled's file `db` cannot be read: {error}")),
    };
    let len = file.metadata().map_err(|error| error.to_string())?.len();
    if len == 0 {
        return Err("sled's file `db` is empty".to_owned());
    }
    let mut positions = Vec::new();
    let mut stable = i64::MIN;
    let mut offset = 0;
    while offset + 20 <= len {
        let mut bytes = [0; 20];
        file.read_exact_at(&mut bytes, offset)
            .map_err(|error| format!("sled's file `db` cannot be read: {error}"))?;
        if let Some(head) = parse(&bytes) {
            positions.push(head.position);
            stable = stable.max(head.stable);
        }
        offset += SEGMENT;
    }
    if positions.is_empty() {
        return Err("no segment of sled's file `db` has an intact header".to_owned());
    }
    let segment = SEGMENT as i64;
    let named = (stable / segment * segment).max(0);
    match positions.contains(&named) {
        true => Ok(()),
        false => Err(format!(
            "the segment of sled's file `db` that its end is in (position {named}) is damaged"
        )),
    }
}
