//! What programs ask of the embedded license service, over HTTP: the rules, races, attacks, and the small clients.

mod attacks;
mod client;
mod clients;
mod harness;
mod kill;
mod rules;
