//! What Keyward does in the world: each room carries one kind of action out and says what came of it.

pub mod license;
pub mod mail;
pub mod throttle;
pub mod tls;
