//! What reaches outside: license services and mail. Outcomes go back through the engine's door, nothing else does.

mod carry;
pub mod dispatcher;
pub mod health;
pub mod license;
pub mod mail;
mod post;
pub mod services;
mod smtp_words;
pub mod stripe;
mod tally;
pub mod throttle;
pub mod tls;
