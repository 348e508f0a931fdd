//! Webhooks, pages and metrics over a real port.

mod buy;
mod intake;
mod pages;
mod portal;
mod scheduler;
pub(crate) mod support;
