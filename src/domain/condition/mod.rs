//! What can be true beside a life's phase: money back, disputes, pauses, ends. One file each, with what the policy makes of
//! it; `entitlement/table.rs` says what follows when several are true at once.

pub mod dispute;
pub mod ending;
pub mod pause;
pub mod refund;

pub use dispute::DisputeEffect;
pub use ending::EndingEffect;
pub use pause::PauseEffect;
pub use refund::RefundEffect;
