//! The rules, as plain functions of values: no store, no socket, no clock, no randomness.

pub mod id;
pub mod money;
pub mod plan;
pub mod policy;
pub mod time;
