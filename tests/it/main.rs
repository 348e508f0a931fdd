//! The integration tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; clippy's own exception covers only #[test] functions"
)]

mod license_client;
mod license_embedded;
mod license_fake_process;
mod license_lookup;
mod support;
