//! The rules, as plain functions of values: no store, no socket, no clock, no randomness.
//!
//! A purchase is decided in three steps, each a pure function of the one before:
//!
//! 1. [`fact`] → [`object`]: facts become the things that Stripe keeps (invoices, payments, disputes, the subscription).
//! 2. [`lifecycle`] and [`condition`]: from the objects, how its life went and what is true beside it, at an instant.
//! 3. [`entitlement`]: one table, from phase and conditions to what each license should be.
//!
//! [`difference`] compares that with what is, and [`decide`] is the front door.

// The words of the business.
pub mod id; // a newtype for every id
pub mod money; // minor units with their currency
pub mod plan; // what a price stands for
pub mod policy; // what happens when a payment fails, is refunded, disputed, cancelled or paused
pub mod policy_override; // values of it that one customer has of their own
pub mod revision; // plans and policies as they were loaded, each from its instant on
mod step; // what an entry of a transition table can say
mod terms; // which plan and policy judge an instant
pub mod time; // instants and spans; "14d" read and written
pub mod words; // the one way from a type to a sentence

// What is said of a purchase.
pub(crate) mod contact; // whom a machine belongs to, and how to reach them
pub mod customer; // what is known of a customer apart from any purchase
pub(crate) mod decided; // what a person's decisions come to
pub mod decision; // facts whose source is a person
pub mod fact; // what one event, person or query says; the canonical order

// The three steps.
mod condition; // money back, disputes, pauses, ends: what is true beside the phase
pub mod entitlement; // one table: what each license should be, and why
pub mod lifecycle; // how a life went, and its phase; the tables that people see
mod object; // invoices, payments, disputes, subscriptions, each folded from its own facts

// What follows.
pub mod action; // durable pieces of outside work
pub mod adoption; // licenses that exist although this store knows nothing of them
pub(crate) mod alert; // what the operator is alerted to, and when
pub(crate) mod attention; // what waits for a person, by its cause
pub(crate) mod awaited; // a license that another purchase of the customer waits for is not ended before
pub mod by_hand; // what a license service does not take is somebody's task
pub(crate) mod change; // what an action would change, for whoever is asked for a yes
pub(crate) mod context; // all that a decision depends on besides the machine
pub mod decide; // the front door: what a machine must do next
mod difference; // should be minus is, as the next act for each license
mod doubted; // what a service says of a license is not taken for good: it is read again
pub mod erasure; // what tells who a customer is, and goes when a person says so
pub mod explain; // why a license is what it is
pub mod finding; // what only a person can judge, told once
pub mod guard; // how many licenses may end in a while before a person must say yes
pub mod hold; // why work is held
pub mod holding; // which work is held at present
pub mod machine; // everything kept of one payment or subscription
mod matching; // which license stands for which seat
pub mod missed; // deliveries that never come
pub mod notice; // which mails are due, each once
pub mod probe; // what a license service turned out to be able to do
mod query; // what a machine must ask Stripe
mod retry; // when to try again
mod revocation; // licenses found revoked: by another hand, or as their own history asks
pub mod service; // the one model of what a license service does with an act
pub mod service_move; // all licenses move to another license service
pub(crate) mod silence; // what Stripe must tell of by when

// Between machines, before there is one, and from a person.
pub mod customer_orders; // orders about a customer, as decisions about their purchases
pub mod extension; // the same key again: time that one purchase adds to another's license
pub mod no_use; // why an event is of no use
pub mod operator; // what an operator's order does with actions
pub mod ordered; // what a person's own order about a purchase asks for
pub mod parked_query; // what is parked, and when Stripe is asked for its links
pub mod put_back; // what becomes of a machine of a copy that is put back
pub mod routing; // which machine a fact belongs to
pub mod self_service; // what customers may do by themselves, and how often
pub mod standing; // orders for the whole shop: observe, live, a paused service
pub(crate) mod transfer; // what moves between two machines

// For people.
pub(crate) mod outlook; // what comes next if nothing else happens
pub(crate) mod status; // the word for what a purchase comes to
pub(crate) mod summary; // which of them it is

#[cfg(test)]
mod cases;
