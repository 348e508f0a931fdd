//! Mail against a real SMTP server.

mod end_to_end;
mod smtp;
