//! The integration tests: one binary, one module per subject.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod architecture;
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
mod corpus;
#[cfg(test)]
mod cut_lists;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod device_limit;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod export;
#[cfg(test)]
mod field;
#[cfg(test)]
mod first_week;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod http_intake;
#[cfg(test)]
mod http_pages;
#[cfg(test)]
mod http_scheduler;
#[cfg(test)]
mod http_support;
#[cfg(test)]
mod kill;
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
mod look_first;
#[cfg(test)]
mod mail_smtp;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod people;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod resend;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod services_seen;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod smtp_e2e;
#[cfg(test)]
mod store_crash;
#[cfg(test)]
mod store_damage;
#[cfg(test)]
mod store_support;
#[cfg(test)]
mod stripe_build;
#[cfg(test)]
mod stripe_chain;
#[cfg(test)]
mod stripe_events;
#[cfg(test)]
mod stripe_invoice;
#[cfg(test)]
mod stripe_libraries;
#[cfg(test)]
mod stripe_lookups;
#[cfg(test)]
mod stripe_money;
#[cfg(test)]
mod stripe_mutations;
#[cfg(test)]
mod stripe_searches;
#[cfg(test)]
mod stripe_session;
#[cfg(test)]
mod stripe_signature;
#[cfg(test)]
mod stripe_subscription;
#[cfg(test)]
mod support;
#[cfg(test)]
mod table;
mod tidy;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod whatif;
#[cfg(test)]
mod wording;
