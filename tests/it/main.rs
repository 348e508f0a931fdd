//! The integration tests: one binary, one folder per module of `src/` or subject.
//!
//! Each is marked as test code, so that clippy knows that `unwrap` may stand there.

// What a module does, through its own front.
#[cfg(test)]
mod adopt;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod http;
#[cfg(test)]
mod license;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod server;
#[cfg(test)]
mod store;
#[cfg(test)]
mod stripe;

// What holds for every history, and for every shop that can be made up.
#[cfg(test)]
mod laws;
#[cfg(test)]
mod shop;

// The repository about itself.
#[cfg(test)]
mod repo;

#[cfg(test)]
mod support;
