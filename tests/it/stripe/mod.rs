//! What Stripe sends and answers, in the shapes of 2012 to 2026.

mod build;
mod chain;
pub(crate) mod cut_lists;
mod events;
mod invoice;
mod libraries;
mod money;
mod mutations;
mod parked_queries;
mod queries;
mod session;
mod signature;
mod subscription;
