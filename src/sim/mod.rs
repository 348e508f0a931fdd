//! Virtual time: a recorded history through the same engine, against simulated services, with a clock that stops at every
//! instant at which something is due.
//!
//! Nothing here decides anything. `history` reads what was delivered, `services` plays the license service and the mail
//! server, `world` is the one loop, and `timeline` tells its story.

pub mod anonymize;
pub mod answer;
pub mod compare;
pub mod history;
pub mod record;
pub mod services;
pub mod timeline;
pub mod world;

pub use answer::Answer;
pub use world::World;

use std::collections::VecDeque;

use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Rules;

/// How long a replay runs on after the last delivery when nobody says until when.
pub const RUNS_ON: Span = Span::from_days(60);

/// Plays histories, each read from a file, and says what became of everything. Without `until`: the last delivery and 60
/// days.
///
/// # Errors
/// When the simulation cannot go on, which is a defect of Keyward.
pub fn replay(
    lines: VecDeque<history::Line>,
    rules: Rules,
    until: Option<Timestamp>,
    seed: Option<u64>,
) -> Result<(World, Answer), world::Stuck> {
    let last = lines.iter().map(|l| l.received).max().unwrap_or(Timestamp::from_ms(0));
    let mut world = World::new(rules, seed);
    world.play(lines, until.unwrap_or(last + RUNS_ON))?;
    let answer = Answer::of(&world)?;
    Ok((world, answer))
}
