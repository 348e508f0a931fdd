//! The integration tests.

#[cfg(test)]
mod config;
#[cfg(test)]
mod mail_smtp;
