//! The integration tests.

#[cfg(test)]
mod mail_smtp;
