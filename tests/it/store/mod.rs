//! Stores that are damaged, and writers that die.

mod crash;
mod damage;
mod support;
