//! Whether time can be trusted: what holds stops, whether a delivery has confirmed the clock, and a look whether it jumped
//! before anything is decided by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use crate::clock::{Clock, JUMP_MAX, JumpWatch};
use crate::domain::hold::{Distrust, DistrustCause};
use crate::domain::time::{CLOCKS_AGREE, Span, Timestamp};

/// What is known of our clock.
pub(super) struct Trust {
    clock: Clock,
    jumps: Mutex<Jumps>,
    stops_held: ArcSwapOption<Distrust>,
    clock_agrees: AtomicBool,
}

struct Jumps {
    watch: JumpWatch,
    /// Those that nobody has taken yet.
    untold: Vec<Span>,
}

impl Trust {
    pub(super) fn new(clock: Clock) -> Self {
        let jumps = Jumps {
            watch: JumpWatch::new(&clock),
            untold: Vec::new(),
        };
        Self {
            clock,
            jumps: Mutex::new(jumps),
            stops_held: ArcSwapOption::empty(),
            clock_agrees: AtomicBool::default(),
        }
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    fn jumps(&self) -> MutexGuard<'_, Jumps> {
        self.jumps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present, to decide by: where the clock jumped to it, stops are held from this very instant.
    pub(super) fn now(&self) -> Timestamp {
        let mut jumps = self.jumps();
        let (now, jump) = jumps.watch.look(&self.clock);
        if let Some(jump) = jump {
            jumps.untold.push(jump);
            if jump.ms().abs() > JUMP_MAX.ms() {
                self.doubt_clock();
                // Until when is for whoever takes the jump to say.
                let cause = DistrustCause::Jumped(jump);
                self.hold_stops(Some(Distrust { cause, until: now }));
            }
        }
        now
    }

    /// Takes out the jumps since this was last done, and whether each is one for which time is not trusted.
    pub(super) fn take_jumps(&self) -> Vec<(Span, bool)> {
        let _ = self.now();
        let untold = std::mem::take(&mut self.jumps().untold);
        let doubts = |jump: Span| (jump, jump.ms().abs() > JUMP_MAX.ms());
        untold.into_iter().map(doubts).collect()
    }

    pub(super) fn hold_stops(&self, why: Option<Distrust>) {
        self.stops_held.store(why.map(std::sync::Arc::new));
    }

    /// Lets stops go ahead, unless the clock jumped again and nobody has heard of it yet. Whether it did so.
    pub(super) fn release_stops(&self) -> bool {
        let _ = self.now();
        let jumps = self.jumps();
        let trusted = jumps.untold.is_empty();
        if trusted {
            self.hold_stops(None);
        }
        trusted
    }

    pub(super) fn stops_held(&self) -> Option<Distrust> {
        self.stops_held.load().as_deref().copied()
    }

    pub(super) fn note_clock(&self, signed: Timestamp, received: Timestamp) {
        let apart = (received - signed).ms().abs();
        if apart <= CLOCKS_AGREE.ms() && !self.clock_agrees() {
            self.clock_agrees.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn doubt_clock(&self) {
        self.clock_agrees.store(false, Ordering::Relaxed);
    }

    pub(super) fn clock_agrees(&self) -> bool {
        self.clock_agrees.load(Ordering::Relaxed)
    }
}
