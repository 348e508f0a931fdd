//! The integration tests.

mod stripe_build;
mod stripe_chain;
mod stripe_events;
mod stripe_invoice;
mod stripe_money;
mod stripe_mutations;
mod stripe_session;
mod stripe_signature;
mod stripe_subscription;
