//! The net writes of a layer, as blocks, in batches of sled's.

use bytes::Bytes;

use super::error::{DiskError, catch_panics};
use super::{APPLIED, Applied, CHUNK, Disk, taken_apart};
use crate::store::log::record::Link;
use crate::store::sled::block::{BlockBuilder, BlockWrite};
use crate::store::sled::digest::Digest;
use crate::store::sled::overlay::Layer;

impl Disk {
    /// Writes a layer, and then that everything up to `link` is here. Not durable before [`Self::sync`]. Cut off in
    /// the middle it leaves some of the writes; the log has them all. Returns the digest of what is here now.
    pub(in crate::store::sled) fn write(
        &self,
        layer: &Layer,
        link: Link,
    ) -> Result<Digest, DiskError> {
        let mut applied = self.applied()?.unwrap_or_default();
        let kept = layer
            .iter()
            .filter(|(_, entry)| entry.value.is_some())
            .map(|(place, _)| &**place);
        self.presence.note(kept);
        let mut made = Vec::new();
        let mut open: Option<BlockBuilder> = None;
        for (place, entry) in layer {
            let mut editor = match open.take() {
                Some(editor) if editor.covers(place) => editor,
                before => {
                    if let Some(before) = before {
                        before.finish(&mut made);
                        self.give(&mut made, CHUNK, applied)?;
                    }
                    self.edit(place)?
                }
            };
            if let Some(old) =
                editor.set(place, entry.value.clone().map(|value| (entry.seq, value)))
            {
                applied.digest.remove(place, old);
            }
            if entry.value.is_some() {
                applied.digest.add(place, entry.seq);
            }
            editor.full(&mut made);
            if made.len() >= CHUNK {
                // What is written must be all that was counted, so the last block is made too, full or not.
                editor.finish(&mut made);
                self.give(&mut made, CHUNK, applied)?;
            } else {
                open = Some(editor);
            }
        }
        if let Some(last) = open {
            last.finish(&mut made);
        }
        applied.link = link;
        self.give(&mut made, 0, applied)?;
        Ok(applied.digest)
    }

    /// The stretch of sled that a place belongs to.
    fn edit(&self, place: &Bytes) -> Result<BlockBuilder, DiskError> {
        let db = self.db()?;
        let block = match self.block_of(place)? {
            Some((first_key, framed)) => Some((
                Bytes::copy_from_slice(&first_key),
                taken_apart(&first_key, &framed)?,
            )),
            None => None,
        };
        let next = catch_panics(|| db.get_gt(place))?
            .filter(|(first_key, _)| first_key.first() == place.first());
        let table_end = || {
            place
                .first()
                .and_then(|table| table.checked_add(1))
                .map(|table| Bytes::from(vec![table]))
        };
        let end = next
            .map(|(first_key, _)| Bytes::copy_from_slice(&first_key))
            .or_else(table_end);
        Ok(BlockBuilder::new(block, end))
    }

    /// Gives sled the blocks that were made, if there are as many as `at_least`, and what it says about itself by then.
    fn give(
        &self,
        made: &mut Vec<BlockWrite>,
        at_least: usize,
        applied: Applied,
    ) -> Result<(), DiskError> {
        if made.len() < at_least {
            return Ok(());
        }
        let db = self.db()?;
        let mut batch = ::sled::Batch::default();
        for (first_key, block) in made.drain(..) {
            match block {
                Some(block) => batch.insert(&*first_key, block),
                None => batch.remove(&*first_key),
            }
        }
        batch.insert(APPLIED, applied.framed());
        catch_panics(|| db.apply_batch(batch))
    }
}
