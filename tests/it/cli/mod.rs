//! The binary as somebody runs it.

mod accounts;
mod attention;
mod backup;
mod basics;
mod decisions;
mod demo;
mod elsewhere;
mod erase;
mod export;
mod held;
mod issue;
mod observe;
mod online;
mod overrides;
mod policy;
mod rehearse;
mod reload;
mod replay;
mod reread;
mod resend;
mod serve;
mod sources;
mod store;
pub(crate) mod support;
mod verify;
mod whatif;
mod why;
