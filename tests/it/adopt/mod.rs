//! A shop that sells already: its customers are looked at, taken in, and keep what they have.

mod apply;
mod look;
mod shop;
