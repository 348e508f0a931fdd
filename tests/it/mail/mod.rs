//! Mail against a real SMTP server.

mod end_to_end;
pub(crate) mod smtp;
