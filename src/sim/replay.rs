//! A whole history, group by group on all cores. What comes out is in one order, and the same as if one world had played it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::answer::{self, EventOutcome};
use super::history::{BadHistory, History, Line, Merged};
use super::kept::{Kept, LineNumbers, Unread};
use super::parallel;
use super::world::{Simulation, SimulationError};
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Rules;
use crate::engine::read::view::MachineView;

/// How long a replay runs on after the last delivery when nobody says until when.
const RUNS_ON: Span = Span::from_days(60);
/// Groups that one thread plays before it hands over what came of them.
const BATCH: usize = 32;

/// How a history is played.
#[derive(Clone, Copy, Debug)]
pub struct PlayOptions {
    /// The end; `None`: the last delivery and 60 days.
    pub until: Option<Timestamp>,
    /// Lets the simulated services err, as this seed says.
    pub seed: Option<u64>,
    /// Threads that play.
    pub threads: NonZeroUsize,
}

impl PlayOptions {
    /// To the end, without faults, on all cores.
    #[must_use]
    pub fn new() -> Self {
        Self {
            until: None,
            seed: None,
            threads: parallel::cores(),
        }
    }
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A history that was read and can be played.
pub struct Replay {
    kept: Kept,
    groups: Vec<(Option<Box<str>>, LineNumbers)>,
    rules: Arc<Rules>,
    options: PlayOptions,
    until: Timestamp,
}

impl Replay {
    /// Reads histories; several are played as one, each in its order.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn read(
        mut histories: Vec<History<'_>>,
        rules: impl Into<Arc<Rules>>,
        options: PlayOptions,
    ) -> Result<Self, BadHistory> {
        let kept = match histories.as_mut_slice() {
            [one] => {
                let texts = std::iter::from_fn(|| one.text());
                Kept::read(
                    texts.map(|text| text.map(Unread::Text)),
                    options.until,
                    options.threads,
                )
            }
            _ => {
                let lines = Merged::new(histories);
                Kept::read(
                    lines.map(|line| line.map(Unread::Line)),
                    options.until,
                    options.threads,
                )
            }
        };
        let mut kept = kept?;
        let groups = kept.groups();
        Ok(Self {
            until: options.until.unwrap_or(kept.last + RUNS_ON),
            kept,
            groups,
            rules: rules.into(),
            options,
        })
    }

    /// The instant up to which it is played.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Plays it. Visits every machine, in the order of its id, until the visitor has enough; then says what became of each
    /// event, in the order in which they first came.
    ///
    /// # Errors
    /// [`SimulationError`].
    pub fn play(
        &self,
        visit: &mut dyn FnMut(MachineView) -> bool,
    ) -> Result<Vec<EventOutcome>, SimulationError> {
        let mut waiting = Waiting::default();
        let mut events: Vec<Option<EventOutcome>> = Vec::new();
        events.resize_with(self.kept.len(), || None);
        let mut failed = None;
        let ends = self.groups.chunks(BATCH).skip(1).map(|next| &next[0].0);
        let mut ends = ends.map(Option::as_deref);
        parallel::in_order(
            self.options.threads,
            self.groups.chunks(BATCH),
            |batch| self.play_groups(batch),
            |played| match played {
                Ok(played) => {
                    for (line, became) in played.events {
                        events[line as usize] = Some(became);
                    }
                    waiting.add(played.machines);
                    waiting.hand_out(ends.next().flatten(), visit)
                }
                Err(stuck) => {
                    failed = Some(stuck);
                    false
                }
            },
        );
        match failed {
            Some(stuck) => Err(stuck),
            None => Ok(events.into_iter().flatten().collect()),
        }
    }

    fn play_groups(
        &self,
        groups: &[(Option<Box<str>>, LineNumbers)],
    ) -> Result<Played, SimulationError> {
        let mut played = Played::default();
        for (_, group) in groups {
            self.play_group(group, &mut played)?;
        }
        Ok(played)
    }

    fn play_group(&self, group: &LineNumbers, played: &mut Played) -> Result<(), SimulationError> {
        let mut world = Simulation::new(Arc::clone(&self.rules), self.options.seed);
        let mut lines = Vec::with_capacity(group.len());
        for n in group {
            let hear = |line: &Line| world.play_line(line);
            self.kept
                .with_line(*n, hear)
                .map_err(SimulationError::Unpacked)
                .flatten()?;
            lines.resize(world.events.len(), *n);
        }
        world.run_out(self.until)?;
        for machine in answer::machines(&world) {
            played.machines.push(machine?);
        }
        let mut lines = lines.into_iter();
        answer::each_event(&world, &mut |became| {
            played.events.extend(lines.next().zip(Some(became)));
            true
        })
    }
}

/// What came of some groups.
#[derive(Default)]
struct Played {
    machines: Vec<MachineView>,
    /// By their lines.
    events: Vec<(u32, EventOutcome)>,
}

/// Machines that are handed out when none can come any more that goes before them.
#[derive(Default)]
struct Waiting(BinaryHeap<Reverse<ById>>);

impl Waiting {
    fn add(&mut self, machines: Vec<MachineView>) {
        let machines = machines.into_iter().map(|m| Reverse(ById(m)));
        self.0.extend(machines);
    }

    /// Hands out all that go before an id; `None`: all.
    fn hand_out(
        &mut self,
        before: Option<&str>,
        visit: &mut dyn FnMut(MachineView) -> bool,
    ) -> bool {
        while let Some(Reverse(ById(first))) = self.0.peek() {
            if before.is_some_and(|before| first.id.as_str() >= before) {
                return true;
            }
            if let Some(Reverse(ById(first))) = self.0.pop()
                && !visit(first)
            {
                return false;
            }
        }
        true
    }
}

struct ById(MachineView);

impl Ord for ById {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}
