//! What programs ask of the embedded license service, over HTTP: the rules, races, attacks, and the small clients.

mod attacks;
pub(crate) mod client;
mod clients;
mod clock_set;
mod guesses;
pub(crate) mod harness;
pub(crate) mod kill;
mod rotation;
mod rules;
