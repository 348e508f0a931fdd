//! The integration tests.

#[cfg(test)]
mod cli_basics;
#[cfg(test)]
mod cli_online;
#[cfg(test)]
mod cli_serve;
#[cfg(test)]
mod cli_store;
#[cfg(test)]
mod cli_support;
#[cfg(test)]
mod config;
#[cfg(test)]
mod mail_smtp;
#[cfg(test)]
mod stripe_build;
#[cfg(test)]
mod stripe_chain;
#[cfg(test)]
mod stripe_events;
#[cfg(test)]
mod stripe_invoice;
#[cfg(test)]
mod stripe_money;
#[cfg(test)]
mod stripe_mutations;
#[cfg(test)]
mod stripe_session;
#[cfg(test)]
mod stripe_signature;
#[cfg(test)]
mod stripe_subscription;
