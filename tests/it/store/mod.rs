//! Stores that are damaged, and writers that die.

mod backup;
mod crash;
mod damage;
mod moved;
mod support;
