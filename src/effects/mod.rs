//! What Keyward does in the world: each room carries one kind of action out and says what came of it.

pub mod mail;
pub mod tls;
