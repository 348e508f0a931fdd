//! Virtual time: a recorded history through the same engine, against simulated services, with a clock that stops at every
//! instant at which something is due.
//!
//! Nothing here decides anything. `history` reads what was delivered, `services` plays the license service and the mail
//! server, `world` is the one loop, and `timeline` tells its story. `replay` plays a whole history: `kept` packs it, `groups`
//! says what has to be played together, and `parallel` does the rest side by side.

pub mod anonymize;
pub mod answer;
pub mod compare;
pub mod groups;
pub mod history;
mod kept;
pub mod parallel;
pub mod purchase;
pub mod record;
pub mod redact;
pub mod replay;
mod services;
pub mod streamed;
mod stripe_words;
pub mod timeline;
pub(crate) mod world;

pub use answer::ReplayReport;
pub use replay::Replay;
pub use world::Simulation;
