//! The commit log: where a batch becomes durable. It knows no sled.
//!
//! A batch is a [`record`]; [`append`] writes records to the log's files and syncs them; [`scan`] reads them at open
//! and tells a torn tail from damage; [`highwater`] names the checkpoint up to which the follower is known to be on the
//! disk; [`base`] names the backup behind which older files were deleted; [`follow`] reads a stretch while the log is written;
//! [`space`] sees that the disk does not fill up.

pub(super) mod append;
pub(super) mod base;
pub(super) mod follow;
pub(super) mod highwater;
pub(super) mod record;
pub(super) mod scan;
pub(super) mod space;
