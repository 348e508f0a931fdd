//! What the engine hands on.

mod golden;
mod outbox;
