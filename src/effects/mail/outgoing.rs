//! A mail as it is handed in.

use crate::domain::time::Timestamp;
use crate::effects::mail::parts::Parts;

/// A mail to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The recipient's address.
    pub to: String,
    /// The notice's own Message-ID ([`super::message_id`]): the same at every attempt.
    pub message_id: String,
    /// What is in it.
    pub parts: Parts,
    /// The language it is written in.
    pub lang: String,
    /// When it was written; the same at every attempt.
    pub date: Timestamp,
}
