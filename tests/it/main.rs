//! The integration tests.

#[cfg(test)]
mod config;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod license_client;
#[cfg(test)]
mod license_embedded;
#[cfg(test)]
mod license_fake_process;
#[cfg(test)]
mod license_lookup;
#[cfg(test)]
mod lives;
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
#[cfg(test)]
mod support;
