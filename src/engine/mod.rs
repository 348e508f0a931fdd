//! The only place where the domain and the store meet: it loads, calls a rule of the domain, and writes.
//!
//! * [`input`]: all that can ever happen. [`committer`] is the one writer, [`transact`] carries one input out over a
//!   [`working`] view.
//! * [`route`]: which machine a fact belongs to, what waits for one that is not known yet, what moves between two.
//! * [`read`]: questions without effects, counts, and pages of the store for jobs.
//! * [`record`]: the stored forms and the keys.
//!
//! Everything that happens comes in as an [`input::Input`], is carried out over a view of the store by
//! [`transact::Transaction`], and is written by the committer, the one writer. A receipt exists only after the sync.

pub mod committer;
mod fresh;
pub mod input;
pub mod machines;
pub mod parked;
pub mod read;
pub mod record;
pub mod route;
pub mod taker;
pub mod transact;
pub mod working;

pub use committer::{Handle, SubmitError};

/// What [`Handle::reader`] lends, for the rooms that do not know the store.
pub use crate::store::Read;
