//! A shop that nobody wrote by hand: a small Stripe, and beside it an independent statement of what each customer may use until
//! when.
//!
//! `script` says what happens, `stripe` lets it happen and makes events of it, `delivery` brings them to replay, `truth` says
//! from Stripe's own objects and the policy what must come out, and `judge` compares. `truth` was written from the product's
//! rules alone and must stay so: where it and the code differ, the rules decide, not either of the two.

pub(crate) mod any;
mod calendar;
mod campaign;
pub(crate) mod catalog;
pub(crate) mod delivery;
mod judge;
mod kinds;
mod policy;
pub(crate) mod script;
pub(crate) mod stripe;
mod truth;
