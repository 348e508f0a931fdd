//! The only place where the domain and the store meet: it loads, calls a rule of the domain, and writes.
//!
//! Everything that happens comes in as an [`input::Input`], is carried out over a view of the store by
//! [`transact::Transaction`], and is written by the committer, the one writer. A receipt exists only after the sync.

mod claim;
pub mod committer;
pub mod counts;
pub mod disposition;
mod fits;
pub mod forget;
mod fresh;
pub mod gaps;
pub mod input;
pub mod key;
pub mod labels;
pub mod machines;
pub mod parked;
pub mod raw;
pub mod record;
pub mod revise;
mod route;
pub mod search;
pub mod sweep;
pub mod taker;
pub mod transact;
mod transfer;
pub mod unread;
pub mod view;
pub mod working;

pub use committer::{Handle, SubmitError};

/// What [`Handle::reader`] lends, for the rooms that do not know the store.
pub use crate::store::Read;
