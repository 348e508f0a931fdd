//! The rules, as plain functions of values: no store, no socket, no clock, no randomness.

pub mod action;
pub mod adoption;
pub mod by_hand;
#[cfg(test)]
mod cases;
pub mod condition;
pub mod customer;
pub mod decide;
pub mod decision;
pub mod diagram;
pub mod entitlement;
pub mod fact;
pub mod fold;
pub mod id;
pub mod look_up;
pub mod machine;
pub mod money;
pub mod notice;
pub mod order;
pub mod payment;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod retry;
pub mod revision;
pub mod step;
pub mod subscription;
pub mod time;
