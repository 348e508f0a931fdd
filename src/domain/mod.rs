//! The rules, as plain functions of values: no store, no socket, no clock, no randomness.

pub mod customer;
pub mod decision;
pub mod fact;
pub mod id;
pub mod money;
pub mod order;
pub mod plan;
pub mod policy;
pub mod revision;
pub mod time;
