//! What reaches outside: license services and mail. Outcomes go back through the engine's door, nothing else does.

pub(crate) mod alert;
pub(crate) mod backfill;
mod causes;
pub(crate) mod dispatcher;
mod execute;
mod far_words;
pub(crate) mod health;
pub mod license;
pub mod mail;
pub(crate) mod other_handler;
pub(crate) mod own_files;
mod post;
pub(crate) mod services;
pub mod sign_in;
mod smtp_url;
pub(crate) mod stripe;
mod tally;
pub mod throttle;
pub mod tls;
