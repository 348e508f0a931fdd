//! Stripe: raw bytes of a webhook, or a recorded event, to a fact that the rules understand.
//!
//! `signature` says who sent it and when; `event` reads the envelope and decides what the event is about; `shape` knows
//! where each API version keeps its fields; `chain` tells apart snapshots of one second; `reason` says why something
//! is ignored; `types` lists what to enable at Stripe; `query_answer` reads what Stripe answered when it was asked. Nothing here
//! knows a machine, a plan or a store, and nothing here asks.

pub mod delivery;
mod envelope;
pub mod event;
pub(crate) mod query_answer;
pub mod signature;

mod chain;
mod json;
mod reason;
mod shape;
mod types;
