//! What Stripe sends and answers, in the shapes of 2012 to 2026.

mod build;
mod chain;
pub(crate) mod cut_lists;
mod events;
mod invoice;
mod libraries;
mod lookups;
mod money;
mod mutations;
mod searches;
mod session;
mod signature;
mod subscription;
