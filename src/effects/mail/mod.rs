//! Mail to customers: a notice becomes three parts, and the parts become one message at a server.
//!
//! In: a [`Letter`] with everything a mail may say, already decided and formatted. Out: a [`MailAnswer`] that says what is
//! to be done next. This module knows nothing of machines, episodes or due instants; it keeps no state and never retries.

mod address;
mod answer;
mod folder;
mod kind;
mod letter;
mod locale;
mod message;
mod outgoing;
mod parts;
mod render;
mod send;
mod smtp;
mod sources;
mod templates;
mod url;

#[cfg(test)]
mod tests;

pub use address::{Sender, message_id};
pub use answer::MailAnswer;
pub use kind::{KINDS, LANGUAGES, SIGN_IN};
pub use letter::{Letter, LetterColors, LetterKey, LetterSignIn, REASONS};
pub(crate) use locale::long_date;
pub use outgoing::Outgoing;
pub use parts::{Parts, RenderError};
pub use send::{CannotMail, MailConfig, Mailer, Transport};
pub use templates::Templates;
