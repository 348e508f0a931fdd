//! Committed writes that sled does not have yet, in order of their places, in memory.
//!
//! Two layers: `live` takes commits; `frozen` is being given to sled. What is in neither is in sled. A layer's entry
//! hides sled's, so a reader who holds the lock over both sees one instant, whatever sled is doing meanwhile.
//!
//! A batch's keys and values lie in one piece of memory that its entries share. Pieces of their own would lie between
//! sled's, which stay for longer, and keep whole pages of memory from being given back.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use foldhash::HashSet;

use super::layout::Layout;
use crate::store::log::record::Link;
use crate::store::{Batch, Direction, KeyRange, Seq, Value};

/// What an entry costs beside its key and value, about: its share of a tree node.
const ENTRY_COST: usize = 96;

/// A write that sled does not have.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) seq: Seq,
    /// `None`: deleted.
    pub(super) value: Option<Bytes>,
}

impl Entry {
    /// The value, unless it is deleted.
    pub(super) fn value(&self) -> Option<Value> {
        self.value.as_ref().map(|bytes| Value {
            bytes: bytes.clone(),
            seq: self.seq,
        })
    }
}

/// Writes by key.
pub(super) type Layer = BTreeMap<Bytes, Entry>;

/// Both layers, and the newest commit in them.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    live: Layer,
    /// Everything that was ever put into `live`: what was overwritten is given back with its whole batch only.
    live_bytes: usize,
    frozen: Option<Arc<Layer>>,
    frozen_bytes: usize,
    last: Link,
}

impl Overlay {
    /// An overlay over a sled that has everything up to `last`.
    pub(super) fn new(last: Link) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The newest commit.
    pub(super) fn last(&self) -> Link {
        self.last
    }

    /// Bytes held in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.live_bytes + self.frozen_bytes
    }

    /// Bytes that wait for the next freeze, about.
    pub(super) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// What the overlay knows about a key; `None`: ask sled.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.live
            .get(key)
            .or_else(|| self.frozen.as_ref()?.get(key))
    }

    /// Whether a deletion of this key could leave nothing behind, if sled does not have it.
    pub(super) fn only_live(&self, key: &[u8]) -> bool {
        self.live.contains_key(key)
            && !self
                .frozen
                .as_ref()
                .is_some_and(|frozen| frozen.contains_key(key))
    }

    /// Makes a synced batch visible. `absent` names deleted keys that were [`Self::only_live`] and that sled did not
    /// have a moment ago: they vanish without a trace, so what lives for milliseconds costs neither memory nor sled.
    pub(super) fn publish(
        &mut self,
        batch: &Batch,
        layout: &Layout,
        absent: &HashSet<&[u8]>,
        link: Link,
    ) {
        let mut memory = BytesMut::with_capacity(batch.size());
        for (key, value) in &batch.writes {
            let place = layout.place(key);
            // A freeze in between may have taken the key away: then it is on its way to sled, and needs a deletion.
            if value.is_none() && absent.contains(key.as_slice()) && self.only_live(&place) {
                self.live.remove(&*place);
                continue;
            }
            self.put(&mut memory, &place, Seq(link.seq), value.as_deref());
        }
        self.last = link;
    }

    /// Takes one write over from the log, at opening, to its place.
    pub(super) fn insert(&mut self, key: &[u8], seq: Seq, value: Option<&[u8]>) {
        self.put(
            &mut BytesMut::with_capacity(key.len() + value.map_or(0, <[u8]>::len)),
            key,
            seq,
            value,
        );
    }

    /// Puts a write into `memory`, which has room for it.
    fn put(&mut self, memory: &mut BytesMut, key: &[u8], seq: Seq, value: Option<&[u8]>) {
        let mut keep = |bytes: &[u8]| {
            memory.extend_from_slice(bytes);
            memory.split().freeze()
        };
        let (key, entry) = (
            keep(key),
            Entry {
                seq,
                value: value.map(&mut keep),
            },
        );
        self.live_bytes += cost(&key, &entry);
        self.live.insert(key, entry);
    }

    /// Says which commit the writes taken over reach up to.
    pub(super) fn reach(&mut self, link: Link) {
        self.last = link;
    }

    /// Freezes what is live, for sled; the layer stays readable until [`Self::thaw`].
    pub(super) fn freeze(&mut self) -> (Arc<Layer>, Link) {
        let frozen = Arc::new(std::mem::take(&mut self.live));
        self.frozen_bytes = std::mem::take(&mut self.live_bytes);
        self.frozen = Some(Arc::clone(&frozen));
        (frozen, self.last)
    }

    /// Drops the frozen layer: sled has it.
    pub(super) fn thaw(&mut self) -> Option<Arc<Layer>> {
        self.frozen_bytes = 0;
        self.frozen.take()
    }

    /// The entries of a range in order, deletions included.
    pub(super) fn range<'a>(
        &'a self,
        range: &'a KeyRange,
        direction: Direction,
    ) -> impl Iterator<Item = (&'a [u8], &'a Entry)> {
        let live = layer_range(&self.live, range, direction);
        match &self.frozen {
            Some(frozen) => {
                Merge::new(live, layer_range(frozen, range, direction), direction).boxed()
            }
            None => live,
        }
    }
}

fn cost(key: &[u8], entry: &Entry) -> usize {
    key.len() + entry.value.as_ref().map_or(0, |value| value.len()) + ENTRY_COST
}

type Entries<'a> = Box<dyn Iterator<Item = (&'a [u8], &'a Entry)> + 'a>;

fn layer_range<'a>(layer: &'a Layer, range: &'a KeyRange, direction: Direction) -> Entries<'a> {
    let bounds = (
        Bound::Included(range.start.as_slice()),
        Bound::Excluded(range.end.as_slice()),
    );
    let entries = layer
        .range::<[u8], _>(bounds)
        .map(|(key, entry)| (&**key, entry));
    match direction {
        Direction::Forward => Box::new(entries),
        Direction::Backward => Box::new(entries.rev()),
    }
}

/// Two ordered iterators as one; where both have a key, the upper one's entry counts.
struct Merge<'a> {
    upper: Peekable<Entries<'a>>,
    lower: Peekable<Entries<'a>>,
    direction: Direction,
}

impl<'a> Merge<'a> {
    fn new(upper: Entries<'a>, lower: Entries<'a>, direction: Direction) -> Self {
        Self {
            upper: upper.peekable(),
            lower: lower.peekable(),
            direction,
        }
    }

    fn boxed(self) -> Entries<'a> {
        Box::new(self)
    }
}

impl<'a> Iterator for Merge<'a> {
    type Item = (&'a [u8], &'a Entry);

    fn next(&mut self) -> Option<Self::Item> {
        let (Some((upper, _)), Some((lower, _))) = (self.upper.peek(), self.lower.peek()) else {
            return self.upper.next().or_else(|| self.lower.next());
        };
        if upper == lower {
            self.lower.next();
            return self.upper.next();
        }
        match precedes(self.direction, upper, lower) {
            true => self.upper.next(),
            false => self.lower.next(),
        }
    }
}

/// Whether `a` comes before `b` on the way through a range.
pub(super) fn precedes(direction: Direction, a: &[u8], b: &[u8]) -> bool {
    match direction {
        Direction::Forward => a < b,
        Direction::Backward => a > b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(seq: u64) -> Link {
        Link {
            seq,
            ..Link::default()
        }
    }

    fn commit(overlay: &mut Overlay, seq: u64, batch: &Batch, absent: &[&[u8]]) {
        overlay.publish(
            batch,
            &Layout::default(),
            &absent.iter().copied().collect(),
            link(seq),
        );
    }

    fn entries(overlay: &Overlay, direction: Direction) -> Vec<(&[u8], u64, bool)> {
        // A range for the whole test: its iterator borrows it.
        static ALL: std::sync::OnceLock<KeyRange> = std::sync::OnceLock::new();
        let all = ALL.get_or_init(|| KeyRange::prefix(b""));
        overlay
            .range(all, direction)
            .map(|(key, entry)| (key, entry.seq.0, entry.value.is_some()))
            .collect()
    }

    #[test]
    fn the_live_layer_hides_the_frozen_one() {
        let mut overlay = Overlay::default();
        commit(
            &mut overlay,
            1,
            Batch::new().put("a", "1").put("b", "1").put("d", "1"),
            &[],
        );
        let (frozen, at) = overlay.freeze();
        assert_eq!((frozen.len(), at), (3, link(1)));
        commit(
            &mut overlay,
            2,
            Batch::new().delete("b").put("c", "2").put("d", "2"),
            &[],
        );
        let expected = [
            (&b"a"[..], 1, true),
            (b"b", 2, false),
            (b"c", 2, true),
            (b"d", 2, true),
        ];
        assert_eq!(entries(&overlay, Direction::Forward), expected);
        assert!(
            entries(&overlay, Direction::Backward)
                .iter()
                .eq(expected.iter().rev())
        );
        assert!(overlay.get(b"b").unwrap().value.is_none());
        overlay.thaw();
        assert!(overlay.get(b"a").is_none(), "sled has it now");
        assert_eq!(entries(&overlay, Direction::Forward), expected[1..]);
    }

    #[test]
    fn what_sled_never_had_vanishes_unless_it_is_on_its_way() {
        let mut overlay = Overlay::default();
        commit(&mut overlay, 1, Batch::new().put("x", "1"), &[]);
        assert!(overlay.only_live(b"x"));
        commit(&mut overlay, 2, Batch::new().delete("x"), &[b"x"]);
        assert!(overlay.get(b"x").is_none());
        assert_eq!(overlay.last(), link(2));

        commit(&mut overlay, 3, Batch::new().put("x", "3"), &[]);
        overlay.freeze();
        // It was judged absent a moment before the freeze.
        commit(&mut overlay, 4, Batch::new().delete("x"), &[b"x"]);
        assert!(
            overlay.get(b"x").unwrap().value.is_none(),
            "sled must be told to delete it"
        );
        overlay.thaw();
        assert!(overlay.bytes() > 0);
    }

    #[test]
    fn bytes_are_counted_until_they_are_given_back() {
        let mut overlay = Overlay::default();
        for seq in 1..100 {
            commit(
                &mut overlay,
                seq,
                Batch::new().put("same", vec![0; seq as usize]),
                &[],
            );
        }
        let all = 99 * (4 + ENTRY_COST) + 99 * 100 / 2;
        assert_eq!(overlay.bytes(), all);
        overlay.freeze();
        assert_eq!((overlay.live_bytes(), overlay.bytes()), (0, all));
        overlay.thaw();
        assert_eq!(overlay.bytes(), 0);
    }
}
