//! The integration tests.

mod store_crash;
mod store_damage;
mod store_support;
