//! A shop's store and its license service in virtual time, through the engine's own transactions, with what a server knows
//! besides: gaps, a clock that is wrong, and time that is not trusted.

mod look;

use keyward::domain::action::{Action, Outcome, RefusalScope};
use keyward::domain::adoption::{Gap, Template};
use keyward::domain::decide::Mailed;
use keyward::domain::hold::{Distrust, DistrustCause, Hold};
use keyward::domain::id::MachineId;
use keyward::domain::machine::Machine;
use keyward::domain::operator::Order;
use keyward::domain::standing::StandingOrders;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::{Input, Rules};
use keyward::engine::read::{due, view};
use keyward::engine::record::key::{Due, Item};
use keyward::engine::write::transaction::{Transaction, TxContext};
use keyward::engine::write::working::Working;
use keyward::sim::history::Line;
use keyward::store::memory::Memory;
use keyward::store::{Batch, Commit, Direction, KeyRange, Read, Value};

use super::service::Licenses;
use crate::support::replay;

/// As in the config's default.
const CATCH_UP: Span = Span::from_hours(2);
/// Pairs that are copied in one batch.
const CHUNK: usize = 500;
/// More than this at one instant is work without end.
const STEPS_MAX: u32 = 3_000;

/// A shop in virtual time.
pub(crate) struct World {
    store: Memory,
    /// The vendor's own label forms.
    pub(crate) templates: Vec<Template>,
    pub(crate) rules: Rules,
    pub(crate) licenses: Licenses,
    /// The true instant.
    pub(crate) now: Timestamp,
    /// By how much our clock is ahead.
    skew: Span,
    distrust: Option<Distrust>,
    /// Whether a delivery has confirmed the clock since.
    confirmed: bool,
    gaps: Vec<Gap>,
    /// When a person first decided about a purchase that the store had not heard of: nobody can.
    pub(crate) undecided: Option<Timestamp>,
    /// Whether a person says yes to what an adoption holds, as soon as it is held.
    pub(crate) agrees: bool,
    /// The last thing that was known of the process: its heartbeat, by its own clock.
    beat: Timestamp,
}

impl World {
    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        Self {
            store: Memory::new(),
            templates: Vec::new(),
            rules,
            licenses: Licenses::default(),
            now,
            skew: Span::ZERO,
            distrust: None,
            confirmed: false,
            gaps: Vec::new(),
            undecided: None,
            agrees: false,
            beat: now,
        }
    }

    /// A copy of everything, the store's keys too.
    pub(crate) fn copy(&self) -> Self {
        let mut store = Memory::new();
        let all = self
            .store
            .range(&KeyRange::prefix(&[]), Direction::Forward, usize::MAX)
            .unwrap();
        for some in all.chunks(CHUNK) {
            let pair = |(k, v): &(Vec<u8>, Value)| (k.clone(), Some(v.bytes.to_vec()));
            let batch = Batch {
                expect: Vec::new(),
                writes: some.iter().map(pair).collect(),
            };
            store.commit(&batch).unwrap();
        }
        Self {
            store,
            templates: self.templates.clone(),
            rules: self.rules.clone(),
            licenses: self.licenses.clone(),
            gaps: self.gaps.clone(),
            undecided: None,
            ..*self
        }
    }

    /// Our clock.
    fn clock(&self) -> Timestamp {
        self.now + self.skew
    }

    fn submit(&mut self, input: &Input) {
        let base = self.store.clone();
        let mut working = Working::new(&base);
        let standing = StandingOrders::default();
        let context = TxContext {
            rules: &self.rules,
            at: self.clock(),
            jitter: 500,
            stops_held: self.distrust,
            gaps: &self.gaps,
            standing: &standing,
            live_licenses: 0,
        };
        Transaction::new(&mut working, context)
            .input(input)
            .unwrap();
        let batch = Batch {
            expect: Vec::new(),
            writes: working.into_writes(),
        };
        if !batch.is_empty() {
            self.store.commit(&batch).unwrap();
        }
    }

    /// Lets time run to a line's instant, and takes it in.
    pub(crate) fn hear(&mut self, line: &Line) {
        self.run_to(line.received);
        self.take_in(line);
    }

    /// Takes something in now.
    pub(crate) fn put_in(&mut self, input: &Input) {
        self.submit(input);
        self.confirmed |= self.skew == Span::ZERO;
        self.work();
    }

    /// Takes a line in now, whenever it was sent.
    pub(crate) fn take_in(&mut self, line: &Line) {
        let input = replay::received(line, self.clock()).input;
        if let Input::Decision { machine, .. } = &input
            && !self.machines().iter().any(|m| m.id == *machine)
        {
            self.undecided.get_or_insert(self.now);
        }
        self.put_in(&input);
    }

    /// Lets time run, from one instant at which something is due to the next.
    pub(crate) fn run_to(&mut self, to: Timestamp) {
        self.work();
        loop {
            let due = due::next(&self.store).unwrap().map(|at| at - self.skew);
            let trust = self.distrust.filter(|_| self.confirmed);
            let trust = trust.map(|d| d.until - self.skew);
            let next = due.into_iter().chain(trust).min();
            let Some(next) = next.filter(|next| *next <= to) else {
                break;
            };
            self.now = self.now.max(next);
            self.trust_again();
            self.work();
        }
        self.now = self.now.max(to);
        self.beat = self.clock();
    }

    fn trust_again(&mut self) {
        let over = |d: Distrust| d.until <= self.clock() && self.confirmed;
        if self.distrust.is_some_and(over) {
            self.distrust = None;
            self.look_at_all();
        }
    }

    /// The repair sweep: every machine is looked at.
    pub(crate) fn look_at_all(&mut self) {
        for machine in self.machines() {
            let machine = machine.id;
            self.submit(&Input::WakeUp { machine });
        }
        self.work();
    }

    pub(crate) fn machines(&self) -> Vec<Machine> {
        let mut all = Vec::new();
        view::machines(&self.store, |machine| {
            all.push(machine);
            true
        })
        .unwrap();
        all
    }

    /// Nothing runs until an instant; then the process starts, as after an outage.
    pub(crate) fn down_until(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        self.note(DistrustCause::Away(self.clock() - self.beat), self.beat);
    }

    /// The clock moves against true time.
    pub(crate) fn set_skew(&mut self, skew: Span) {
        let before = self.clock();
        self.skew = skew;
        self.note(DistrustCause::Jumped(self.clock() - before), before);
    }

    fn note(&mut self, cause: DistrustCause, since: Timestamp) {
        let gap = Gap::between(since, self.clock());
        self.submit(&Input::Gap(gap));
        self.gaps.push(gap);
        let until = self.clock() + CATCH_UP;
        (self.distrust, self.confirmed) = (Some(Distrust { cause, until }), false);
        self.beat = self.clock();
        // Before a create that waits is sent, its machine is looked at by the gap.
        self.look_at_all();
    }

    /// Carries out everything that is due, and what a person says yes to.
    fn work(&mut self) {
        self.carry_out_due();
        while self.agrees && self.say_yes() {
            self.carry_out_due();
        }
    }

    /// Says whether anything was held by an adoption.
    fn say_yes(&mut self) -> bool {
        let mut held = Vec::new();
        for machine in self.machines() {
            let by_adoption = |a: &&Action| a.held == Some(Hold::Adoption);
            let ids = machine.open_actions().filter(by_adoption).map(|a| a.id);
            held.extend(ids.map(|id| (machine.id.clone(), id)));
        }
        for (machine, action) in &held {
            self.submit(&Input::Actions {
                machine: machine.clone(),
                action: Some(*action),
                order: Order::Approve {
                    author: "ada".to_owned(),
                    reason: "it is right".to_owned(),
                },
            });
        }
        !held.is_empty()
    }

    fn carry_out_due(&mut self) {
        for _ in 0..STEPS_MAX {
            let due = due::until(&self.store, self.clock(), 1).unwrap();
            let Some((_, Due::Of(machine, item))) = due.into_iter().next() else {
                return;
            };
            self.carry_out(machine, item);
        }
        let due = due::until(&self.store, self.clock(), 1).unwrap();
        let actions = self.machines().into_iter().map(|m| m.actions);
        let open: Vec<_> = actions.flatten().filter(|a| a.is_open()).collect();
        panic!("{due:?} keeps coming due at {}: {open:#?}", self.now);
    }

    fn carry_out(&mut self, machine: MachineId, item: Item) {
        let input = match item {
            Item::Wake => Input::WakeUp { machine },
            Item::Notice(notice) => Input::Mailed {
                machine,
                notice,
                mailed: Mailed::Sent {
                    to: "ada@example.com".to_owned(),
                },
            },
            Item::Query(action) => self.outcome(machine, action, |_, _| Outcome::Refused {
                why: "not asked".to_owned(),
                scope: RefusalScope::Action,
            }),
            Item::Create(action)
            | Item::CreateAgain(action)
            | Item::Recover(action)
            | Item::Action(action)
            | Item::ActionAgain(action) => self.outcome(machine, action, |world, kept| {
                let found = kept.actions.iter().find(|a| a.id == action).unwrap();
                let may_take = look::may_take(world, kept, found);
                world.licenses.carry_out(found, &may_take, world.now)
            }),
        };
        self.submit(&input);
    }

    fn outcome(
        &mut self,
        machine: MachineId,
        action: u32,
        answer: impl FnOnce(&mut Self, &Machine) -> Outcome,
    ) -> Input {
        let kept = view::machine_and_version(&self.store, &machine);
        let (kept, _) = kept.unwrap().unwrap();
        let mut outcome = answer(self, &kept);
        if let Outcome::Absent { began } = &mut outcome {
            // A look begins by our clock, right or wrong.
            *began = self.clock();
        }
        Input::Outcome {
            machine,
            action,
            outcome,
            sent: self.clock(),
        }
    }
}
