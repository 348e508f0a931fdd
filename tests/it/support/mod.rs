//! What several tests share.

pub(crate) mod fake_licenses;
pub(crate) mod replay;
