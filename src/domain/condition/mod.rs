//! What can be true beside a life's phase: money back, disputes, pauses, ends. One file each, with what the policy makes of
//! it; `entitlement/table.rs` says what follows when several are true at once.

pub(crate) mod dispute;
pub(crate) mod ending;
pub(crate) mod money_back;
mod pause;
pub(crate) mod refund;

pub use dispute::DisputeEffect;
pub use ending::EndingEffect;
pub use pause::PauseEffect;
pub use refund::RefundEffect;
