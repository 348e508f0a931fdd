//! How far a refusal goes.

use minicbor::{Decode, Encode};

/// How far a refusal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefusalScope {
    /// This action alone.
    #[n(0)]
    Action,
    /// What we may do there: the application or license is another account's, or the API key lacks a scope. Other actions are
    /// likely to meet the same.
    #[n(1)]
    Access,
    /// The whole service (bad key, no credits): tried again when it recovers.
    #[n(2)]
    Service,
}
