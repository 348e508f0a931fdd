//! What the engine hands on.

mod outbox;
