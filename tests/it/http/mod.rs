//! Webhooks, pages and metrics over a real port.

mod again;
mod buy;
mod intake;
mod pages;
pub(crate) mod portal;
mod scheduler;
mod success;
pub(crate) mod support;
