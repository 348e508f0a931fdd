//! A history as it is kept until it is played: what each line says, packed, and which lines are to be played together. Of a
//! machine nothing is kept but its facts.

use std::num::NonZeroUsize;

use minicbor::{Decoder, Encoder};

use super::groups::{self, Groups, NameDigest};
use super::history::{BadHistory, Line, Text};
use super::parallel;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::input::{Delivery, EventPayload, Input};
use crate::engine::record::buffer::Buffer;

/// Lines that are read and packed at one time: few enough for all threads to have some, enough to outweigh the handing over.
const BATCH: usize = 128;

/// A line of a history, read or not.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a batch of them at a time, and all of one history are of one kind"
)]
pub(super) enum Unread {
    /// Not read.
    Text(Text),
    /// One that could be read.
    Line(Line),
}

/// A whole history.
#[derive(Debug, Default)]
pub(super) struct Kept {
    chunks: Vec<Box<[u8]>>,
    /// Lines that are no facts.
    others: Vec<Line>,
    places: Vec<KeptLine>,
    groups: Groups,
    /// By set, the least name of a machine that one of its lines may begin.
    begins: Vec<Option<Box<str>>>,
    /// When the last line was received, also of those that are left out.
    pub(super) last: Timestamp,
}

/// A line's place.
#[derive(Clone, Copy, Debug)]
struct KeptLine {
    /// The set of names that it joined.
    set: u32,
    /// When it is played: not before those before it.
    at: Timestamp,
    what: KeptAs,
}

#[derive(Clone, Copy, Debug)]
enum KeptAs {
    /// A packed fact: chunk, beginning, length.
    Fact { chunk: u32, from: u32, len: u32 },
    /// One of the others.
    Other(u32),
}

/// Lines of one group, by their places in the history.
pub(super) type LineNumbers = Box<[u32]>;

impl Kept {
    /// Reads a history. What was received after `until` is left out.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub(super) fn read(
        lines: impl Iterator<Item = Result<Unread, BadHistory>>,
        until: Option<Timestamp>,
        threads: NonZeroUsize,
    ) -> Result<Self, BadHistory> {
        let mut kept = Self::default();
        let mut failed = None;
        let mut lines = lines.peekable();
        let batches = std::iter::from_fn(|| {
            lines.peek()?;
            Some(lines.by_ref().take(BATCH).collect::<Vec<_>>())
        });
        parallel::in_order(
            threads,
            batches,
            |batch| Packed::of(batch, until),
            |packed| {
                let (packed, bad) = packed;
                kept.add(packed);
                failed = bad;
                failed.is_none()
            },
        );
        failed.map_or(Ok(kept), Err)
    }

    fn add(&mut self, packed: Packed) {
        let chunk = count(self.chunks.len());
        self.last = self.last.max(packed.last);
        let mut at = self.places.last().map_or(Timestamp::from_ms(0), |p| p.at);
        let mut others = packed.others.into_iter();
        for line in packed.lines {
            at = at.max(line.received);
            let set = self.groups.join(&packed.names[line.names]);
            let what = match line.fact {
                Some((from, len)) => KeptAs::Fact { chunk, from, len },
                None => KeptAs::Other(count(self.others.len())),
            };
            if line.fact.is_none() {
                self.others.extend(others.next().map(|other| Line {
                    received: at,
                    ..other
                }));
            }
            self.places.push(KeptLine { set, at, what });
            self.note_begin(set, &packed.begins[line.begins]);
        }
        self.chunks.push(packed.bytes.into_boxed_slice());
    }

    fn note_begin(&mut self, set: u32, machine: &str) {
        if machine.is_empty() {
            return;
        }
        let set = set as usize;
        if self.begins.len() <= set {
            self.begins.resize(set + 1, None);
        }
        let known = &mut self.begins[set];
        if known.as_deref().is_none_or(|known| machine < known) {
            *known = Some(machine.into());
        }
    }

    /// Every group with the least name of a machine that it may begin, in the order of these.
    pub(super) fn groups(&mut self) -> Vec<(Option<Box<str>>, LineNumbers)> {
        // What was noted of a set that has joined others since belongs to their group.
        let mut begins: Vec<Option<Box<str>>> = vec![None; self.begins.len()];
        for (set, begin) in std::mem::take(&mut self.begins).into_iter().enumerate() {
            let Some(begin) = begin else { continue };
            let group = self.groups.of(count(set)) as usize;
            let known = &mut begins[group];
            if known.as_ref().is_none_or(|known| begin < *known) {
                *known = Some(begin);
            }
        }
        let mut lines: Vec<(u32, u32)> = Vec::with_capacity(self.places.len());
        for (n, place) in self.places.iter().enumerate() {
            lines.push((self.groups.of(place.set), count(n)));
        }
        lines.sort_unstable();
        let mut groups: Vec<(Option<Box<str>>, LineNumbers)> = lines
            .chunk_by(|a, b| a.0 == b.0)
            .map(|lines| {
                let begin = begins.get_mut(lines[0].0 as usize).and_then(Option::take);
                (begin, lines.iter().map(|(_, line)| *line).collect())
            })
            .collect();
        self.groups = Groups::default();
        groups.sort_by(|a, b| (&a.0, a.1.first()).cmp(&(&b.0, b.1.first())));
        groups
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Hands out a line, to be played at its instant or at that of those before it.
    pub(super) fn with_line<R>(&self, n: u32, play: impl FnOnce(&Line) -> R) -> Result<R, String> {
        let place = self.places.get(n as usize).ok_or("there is no such line")?;
        match place.what {
            KeptAs::Other(n) => {
                let other = self.others.get(n as usize).ok_or("there is no such line")?;
                Ok(play(other))
            }
            KeptAs::Fact { chunk, from, len } => {
                let (from, len) = (from as usize, len as usize);
                let bytes = self.chunks.get(chunk as usize);
                let bytes = bytes.and_then(|c| c.get(from..from + len));
                let bytes = bytes.ok_or("its bytes are gone")?;
                let delivery = unpacked(bytes).map_err(|e| e.to_string())?;
                Ok(play(&Line {
                    received: place.at,
                    input: Input::Delivery(Box::new(delivery)),
                }))
            }
        }
    }
}

/// Places are counted in 32 bits: four thousand million lines fit into no memory.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Lines as one thread reads and packs them.
#[derive(Debug, Default)]
struct Packed {
    bytes: Vec<u8>,
    others: Vec<Line>,
    names: Vec<NameDigest>,
    begins: String,
    lines: Vec<PackedLine>,
    last: Timestamp,
}

#[derive(Debug)]
struct PackedLine {
    received: Timestamp,
    names: std::ops::Range<usize>,
    begins: std::ops::Range<usize>,
    /// Beginning and length; `None`: the next of the others.
    fact: Option<(u32, u32)>,
}

impl Packed {
    /// Packs lines up to the first one that cannot be read.
    fn of(
        batch: Vec<Result<Unread, BadHistory>>,
        until: Option<Timestamp>,
    ) -> (Self, Option<BadHistory>) {
        let mut packed = Self::default();
        for unread in batch {
            let line = unread.and_then(|unread| match unread {
                Unread::Text(text) => text.line(),
                Unread::Line(line) => Ok(line),
            });
            match line {
                Ok(line) => packed.add(line, until),
                Err(bad) => return (packed, Some(bad)),
            }
        }
        packed.bytes.shrink_to_fit();
        (packed, None)
    }

    fn add(&mut self, line: Line, until: Option<Timestamp>) {
        self.last = self.last.max(line.received);
        if until.is_some_and(|until| line.received > until) {
            return;
        }
        let (names, begins) = (self.names.len(), self.begins.len());
        groups::names(&line, |name| self.names.push(name));
        if let Some(machine) = groups::may_begin(&line) {
            self.begins.push_str(&String::from(machine));
        }
        let (from, received) = (self.bytes.len(), line.received);
        let fact = if pack(&line, &mut self.bytes) {
            Some((count(from), count(self.bytes.len() - from)))
        } else {
            self.others.push(line);
            None
        };
        self.lines.push(PackedLine {
            received,
            names: names..self.names.len(),
            begins: begins..self.begins.len(),
            fact,
        });
    }
}

/// Packs a delivery that is wholly told by its fact. Returns whether it is one.
fn pack(line: &Line, bytes: &mut Vec<u8>) -> bool {
    let Input::Delivery(delivery) = &line.input else {
        return false;
    };
    let EventPayload::Fact(fact) = &delivery.payload else {
        return false;
    };
    let told = fact.id == delivery.id
        && fact.kind == delivery.kind
        && fact.at == delivery.created
        && fact.received == delivery.received
        && delivery.raw.is_empty();
    if told {
        // Writing to a Vec cannot fail, and no type here refuses to be encoded.
        let _ = Encoder::new(Buffer(bytes))
            .encode(&delivery.source)
            .and_then(|e| e.encode(&delivery.account))
            .and_then(|e| e.encode(delivery.livemode))
            .and_then(|e| e.encode(fact.as_ref()));
    }
    told
}

fn unpacked(bytes: &[u8]) -> Result<Delivery, minicbor::decode::Error> {
    let mut decoder = Decoder::new(bytes);
    let source: SourceName = decoder.decode()?;
    let account: Option<AccountId> = decoder.decode()?;
    let livemode: Option<bool> = decoder.decode()?;
    let fact: Fact = decoder.decode()?;
    Ok(Delivery {
        source,
        id: fact.id.clone(),
        kind: fact.kind.clone(),
        created: fact.at,
        livemode,
        account,
        received: fact.received,
        payload: EventPayload::Fact(Box::new(fact)),
        raw: Vec::new(),
    })
}
