//! The only place where the domain and the store meet: it loads, calls a rule of the domain, and writes.
//!
//! * [`input`]: all that can ever happen.
//! * [`write`](mod@write): the one writer, which carries inputs out and hands on what they made due.
//! * [`route`]: which machine a fact belongs to, what waits for one that is not known yet, what moves between two.
//! * [`read`]: questions without effects, counts, and pages of the store for jobs.
//! * [`record`]: the stored forms and the keys.
//! * [`verify`](mod@verify): whether all of that fits together.
//! * [`backup`]: copies of everything, proven before they count, and stores made from them.
//!
//! A receipt for an input exists only after the sync. Nobody is called from here: whoever works off what is due is woken,
//! and collects it.

pub mod backup;
pub mod input;
pub mod read;
pub mod record;
pub mod route;
pub mod verify;
pub mod write;

pub use write::handle::{Full, Handle, SubmitError};

/// What [`Handle::reader`] lends, for the modules that do not know the store.
pub use crate::store::Read;
