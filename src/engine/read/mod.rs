//! Questions without effects: pages and lists, counts, and the store a page at a time for jobs.

pub(crate) mod addresses;
pub mod applications;
pub(crate) mod attention;
pub mod counts;
pub mod due;
pub mod embedded_use;
pub mod noted_keys;
pub(crate) mod scan;
pub mod sources;
pub mod view;
