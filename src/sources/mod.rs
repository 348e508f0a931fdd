//! Where facts come from. Each payment provider has a module of its own, which turns its bytes into the domain's words.

pub mod stripe;
