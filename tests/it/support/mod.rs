//! What several tests share.

pub(crate) mod app;
pub(crate) mod fake_licenses;
pub(crate) mod fake_stripe;
pub(crate) mod purchase;
pub(crate) mod replay;
pub(crate) mod shop;
pub(crate) mod stripe_events_api;
pub(crate) mod wait;
