//! What several tests share.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod fake_checkout;
pub(crate) mod fake_licenses;
pub(crate) mod fake_stripe;
pub(crate) mod mail_sink;
pub(crate) mod purchase;
pub(crate) mod replay;
pub(crate) mod shop;
pub(crate) mod stripe_events_api;
pub(crate) mod stripe_lists;
pub(crate) mod wait;
