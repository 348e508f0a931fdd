//! The schema's version, checked at every open: older stores are brought up, newer ones refused.
//!
//! The version lies under a key of the store's own, written through the log like everything else, so a rebuilt store
//! has it too.

use super::{Reader, Writer};
use crate::store::{Batch, OpenError, ReadError, StoreFault, Value};

/// The version of the keys' and values' layout that this program reads and writes.
pub(super) const SCHEMA: u32 = 1;

/// Where the version lies.
pub(super) const SCHEMA_KEY: &[u8] = b"\0v";

/// One step up. The last batch of a step writes the new version; every batch before it must be harmless to repeat,
/// because a step that was cut off begins anew.
struct Migration {
    from: u32,
    what: &'static str,
    run: fn(&mut Writer, &Reader) -> Result<(), StoreFault>,
}

/// Every version but the newest has exactly one step.
const STEPS: &[Migration] = &[];

/// Gives a new store its version, brings an older one up, refuses a newer one.
pub(super) fn bring_up(writer: &mut Writer, reader: &Reader) -> Result<(), OpenError> {
    bring_up_to(writer, reader, SCHEMA, STEPS)
}

fn bring_up_to(
    writer: &mut Writer,
    reader: &Reader,
    schema: u32,
    steps: &[Migration],
) -> Result<(), OpenError> {
    let Some(mut found) = version(reader)? else {
        return found_none(writer, reader);
    };
    while found != schema {
        let Some(step) = steps.iter().find(|step| step.from == found) else {
            let path = reader.store().to_owned();
            return Err(OpenError::Newer {
                path,
                found,
                known: schema,
            });
        };
        tracing::warn!(
            from = found,
            what = step.what,
            "the store's schema is being brought up"
        );
        (step.run)(writer, reader)?;
        let reached = version(reader)?.unwrap_or(found);
        if reached == found {
            let why = format!("the step up from schema {found} led nowhere; this is a defect");
            return Err(OpenError::Unrepaired {
                dir: reader.store().to_owned(),
                why,
            });
        }
        found = reached;
    }
    Ok(())
}

/// Only a store without a single commit may lack its version.
fn found_none(writer: &mut Writer, reader: &Reader) -> Result<(), OpenError> {
    if writer.last() > 0 {
        let why =
            "its commits do not begin with a schema version, so they are not all there".to_owned();
        return Err(OpenError::Unrepaired {
            dir: reader.store().to_owned(),
            why,
        });
    }
    let mut batch = Batch::new();
    batch.put(SCHEMA_KEY, SCHEMA.to_be_bytes());
    writer.write(&batch)?;
    Ok(())
}

fn version(reader: &Reader) -> Result<Option<u32>, OpenError> {
    let value = reader
        .own(SCHEMA_KEY)
        .map_err(|ReadError::Broken(fault)| fault)?;
    let Some(Value { bytes, .. }) = value else {
        return Ok(None);
    };
    match bytes[..].try_into() {
        Ok(bytes) => Ok(Some(u32::from_be_bytes(bytes))),
        Err(_) => Err(OpenError::Unrepaired {
            dir: reader.store().to_owned(),
            why: "its schema version is unreadable".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::Store;
    use crate::store::{Commit, Create, Direction, KeyRange, Options, Read};

    /// Schema 1 of this test kept counts as text, schema 2 keeps eight bytes.
    fn counts(writer: &mut Writer, reader: &Reader, at_most: usize) -> Result<(), StoreFault> {
        let all = reader.range(&KeyRange::prefix(b"count/"), Direction::Forward, 1_000);
        let all = all.map_err(|ReadError::Broken(fault)| fault)?;
        for (n, (key, value)) in all.into_iter().enumerate() {
            if n == at_most {
                return Err(StoreFault::new("counting", reader.store(), "cut off"));
            }
            // What a step that was cut off has written stays as it is.
            let text = std::str::from_utf8(&value.bytes).ok();
            if let Some(count) = text.and_then(|text| text.parse::<u64>().ok()) {
                writer.write(Batch::new().put(key, count.to_be_bytes()))?;
            }
        }
        writer.write(Batch::new().put(SCHEMA_KEY, 2_u32.to_be_bytes()))?;
        Ok(())
    }

    const CUT_OFF: &[Migration] = &[Migration {
        from: 1,
        what: "counts are numbers",
        run: |writer, reader| counts(writer, reader, 7),
    }];
    const WHOLE: &[Migration] = &[Migration {
        from: 1,
        what: "counts are numbers",
        run: |writer, reader| counts(writer, reader, usize::MAX),
    }];
    const NOWHERE: &[Migration] = &[Migration {
        from: 1,
        what: "nothing",
        run: |_, _| Ok(()),
    }];

    #[test]
    fn an_older_store_is_brought_up_at_open_also_after_being_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            create: Create::IfMissing,
            min_free_bytes: 0,
            ..Options::default()
        };
        let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
        for n in 0..20_u64 {
            let (key, text) = (format!("count/{n:02}"), n.to_string());
            writer.commit(Batch::new().put(key, text)).unwrap();
        }
        let stuck = bring_up_to(&mut writer, &reader, 2, NOWHERE).unwrap_err();
        assert!(matches!(stuck, OpenError::Unrepaired { .. }), "{stuck}");
        bring_up_to(&mut writer, &reader, 2, CUT_OFF).unwrap_err();
        drop((writer, reader));
        let (mut writer, reader) = Store::open(dir.path(), options.clone()).unwrap();
        assert_eq!(version(&reader).unwrap(), Some(1), "not before all is done");
        bring_up_to(&mut writer, &reader, 2, WHOLE).unwrap();
        assert_eq!(version(&reader).unwrap(), Some(2));
        for n in 0..20_u64 {
            let count = reader.get(format!("count/{n:02}").as_bytes()).unwrap();
            assert_eq!(count.unwrap().bytes[..], n.to_be_bytes());
        }
        let before = reader.seq().unwrap();
        bring_up_to(&mut writer, &reader, 2, WHOLE).unwrap();
        assert_eq!(reader.seq().unwrap(), before, "there is nothing left to do");
        drop((writer, reader));
        let refused = Store::open(dir.path(), options).err().unwrap();
        let newer = matches!(
            refused,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        );
        assert!(newer, "{refused}");
    }

    #[test]
    fn every_version_but_the_newest_has_one_step() {
        let from: Vec<u32> = STEPS.iter().map(|step| step.from).collect();
        let all: Vec<u32> = (1..).take(SCHEMA as usize - 1).collect();
        assert_eq!(from, all);
    }
}
