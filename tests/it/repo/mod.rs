//! The repository checks itself.

mod architecture;
mod dependencies;
mod docs;
pub(crate) mod files;
mod names;
mod rules;
mod sentences;
mod tidy;
