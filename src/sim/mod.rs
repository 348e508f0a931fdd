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
mod services;
pub mod timeline;
pub(crate) mod world;

pub use answer::ReplayReport;
pub use world::Simulation;

use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Rules;

/// How long a replay runs on after the last delivery when nobody says until when.
pub const RUNS_ON: Span = Span::from_days(60);

/// A replay without an answer.
#[derive(Debug, thiserror::Error)]
pub enum CannotReplay {
    /// The history cannot be read.
    #[error(transparent)]
    Bad(#[from] history::BadHistory),
    /// The simulation cannot go on, which is a defect of Keyward.
    #[error(transparent)]
    Simulation(#[from] world::SimulationError),
}

/// Plays a history, a line at a time, to its end. Without `until`: the last delivery and 60 days.
///
/// # Errors
/// [`CannotReplay`].
pub fn replay(
    lines: impl IntoIterator<Item = Result<history::Line, history::BadHistory>>,
    rules: Rules,
    until: Option<Timestamp>,
    seed: Option<u64>,
) -> Result<Simulation, CannotReplay> {
    let mut world = Simulation::new(rules, seed);
    let mut last = Timestamp::from_ms(0);
    for line in lines {
        let line = line?;
        last = last.max(line.received);
        if until.is_none_or(|until| line.received <= until) {
            world.hear(line)?;
        }
    }
    world.end(until.unwrap_or(last + RUNS_ON))?;
    Ok(world)
}
