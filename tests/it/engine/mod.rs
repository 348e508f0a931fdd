//! What the engine hands on.

mod golden;
mod jumps;
mod outbox;
