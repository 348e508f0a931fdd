//! Keyward turns payments into license keys and keeps the two in step for as long as the customer pays.
#![forbid(unsafe_code)]

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod effects;
pub mod embedded;
pub mod engine;
pub mod http;
pub mod measure;
pub mod scheduler;
pub mod secret;
pub mod server;
pub mod sim;
pub mod sources;
pub mod store;
