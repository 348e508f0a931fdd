//! The rules, as plain functions of values: no store, no socket, no clock, no randomness.
//!
//! A purchase is decided in three steps, each a pure function of the one before:
//!
//! 1. [`fact`] → [`object`]: facts become the things that Stripe keeps (invoices, payments, disputes, the subscription).
//! 2. [`lifecycle`] and [`condition`]: from the objects, how its life went and what is true beside it, at an instant.
//! 3. [`entitlement`]: one table, from phase and conditions to what each license should be.
//!
//! [`reconcile`] compares that with what is, and [`decide`] is the front door.

// The words of the business.
pub mod id;
pub mod money;
pub mod plan;
pub mod policy;
pub mod revision;
pub mod step;
pub mod terms;
pub mod time;
pub mod words;

// What is said of a purchase.
pub mod contact;
pub mod customer;
pub mod decision;
pub mod fact;

// The three steps.
pub mod condition;
pub mod entitlement;
pub mod lifecycle;
pub mod object;

// What follows.
pub mod action;
pub mod adoption;
pub mod by_hand;
pub mod decide;
pub mod finding;
pub mod hold;
pub mod look_up;
pub mod machine;
pub mod notice;
pub mod reconcile;
pub mod retry;
pub mod service;

// Between machines, before there is one, and from a person.
pub mod no_use;
pub mod operator;
pub mod routing;
pub mod search;
pub mod transfer;

// For people.
pub mod outlook;
pub mod summary;

#[cfg(test)]
mod cases;
