//! The way of one input to the disk: the committer gathers inputs, a transaction carries each out over a working view, and
//! what the commit made due goes into the outbox, for the dispatcher.

mod addresses;
mod adopting;
mod amend;
mod attempting;
pub mod committer;
pub mod dues;
mod erasing;
mod guarding;
pub mod handle;
pub mod machines;
pub mod outbox;
pub mod parked;
mod settling;
mod taking_in;
pub mod transaction;
mod trust;
mod unheard;
pub mod working;
