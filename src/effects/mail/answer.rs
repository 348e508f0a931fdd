//! What a mail server's answer means for the notice. Pure: every answer that we have met is a test.

use crate::domain::time::Span;
use crate::effects::far_words::{self, Hidden};
use crate::effects::throttle;

/// How long to wait when a server puts off a recipient: grey lists usually want five minutes.
const GREY_LIST: Span = Span::from_minutes(5);
/// How much of a server's text is kept.
const EXCERPT_CHARS_MAX: usize = 300;

/// What came of sending a mail, sorted by what is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    /// The server took it.
    Sent {
        /// The server's words, often with its queue's id.
        response: String,
    },
    /// Not now: the mail was not taken, a later attempt may succeed.
    Again {
        /// How long to wait at least, where that is known.
        after: Option<Span>,
        /// What happened.
        why: String,
    },
    /// The address is refused for good: another attempt cannot succeed, another address can.
    Undeliverable {
        /// What the server said.
        why: String,
    },
    /// The server does not take mail from us as we are set up: the operator must act.
    Refused {
        /// What happened, and where possible the way out.
        why: String,
    },
    /// The server does not take this mail, or this one to this address. That may be about the mail or about us: the operator
    /// must look, and other mails are tried.
    Rejected {
        /// What happened.
        why: String,
    },
    /// The mail was handed over and no answer came: it may have arrived. Sending again is harmless as far as the
    /// recipient's server heeds the Message-ID.
    Unknown {
        /// What happened.
        why: String,
    },
}

impl MailAnswer {
    /// What it tells the server's breaker. That a recipient is put off or refused is no fault of the server's; an address that
    /// is none was refused without asking it.
    pub(in crate::effects) const fn call_result(&self) -> throttle::CallResult {
        match self {
            Self::Sent { .. } | Self::Again { after: Some(_), .. } => throttle::CallResult::Good,
            Self::Undeliverable { .. } => throttle::CallResult::Unsent,
            Self::Again { after: None, .. } | Self::Unknown { .. } | Self::Rejected { .. } => {
                throttle::CallResult::Broken
            }
            Self::Refused { .. } => throttle::CallResult::Locked,
        }
    }

    /// What it says, where the mail was not sent.
    pub(in crate::effects) fn why(&self) -> String {
        match self {
            Self::Sent { .. } => String::new(),
            Self::Again { why, .. }
            | Self::Undeliverable { why }
            | Self::Refused { why }
            | Self::Rejected { why }
            | Self::Unknown { why } => why.clone(),
        }
    }

    /// The word for it in the metrics.
    pub(in crate::effects) const fn as_str(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::Again { .. } => "retry",
            Self::Undeliverable { .. } => "undeliverable",
            Self::Refused { .. } => "refused",
            Self::Rejected { .. } => "rejected",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// How far a conversation with the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmtpPhase {
    /// Name look-up, connection, greeting, encryption.
    Connecting,
    /// User and password.
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA`, before anything of the message is sent.
    Data,
    /// The message is on its way; from here on, silence tells nothing.
    Message,
}

impl SmtpPhase {
    fn words(self) -> &'static str {
        match self {
            Self::Connecting => "while connecting",
            Self::Login => "at the login",
            Self::Sender => "for the sender's address",
            Self::Recipient => "for the recipient's address",
            Self::Data => "before the message",
            Self::Message => "after the message",
        }
    }
}

/// What we heard instead of consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SmtpFailure {
    /// A negative reply.
    Code { code: u16, text: String },
    /// The encryption failed: wrong certificate, or no TLS at that port.
    Tls(String),
    /// We cannot go on with this server: it lacks something that we insist on.
    Lacking(String),
    /// The recipient's address is beyond what this server takes.
    BadAddress(String),
    /// The connection failed or broke.
    Gone(String),
    /// Nothing, for too long.
    Silence,
}

impl SmtpFailure {
    /// The same without what must not be repeated.
    pub(super) fn without(self, hidden: &Hidden) -> Self {
        match self {
            Self::Code { code, text } => Self::Code {
                code,
                text: hidden.hide(&text),
            },
            Self::Tls(why) => Self::Tls(hidden.hide(&why)),
            Self::Lacking(why) => Self::Lacking(hidden.hide(&why)),
            Self::BadAddress(why) => Self::BadAddress(hidden.hide(&why)),
            Self::Gone(why) => Self::Gone(hidden.hide(&why)),
            Self::Silence => Self::Silence,
        }
    }
}

/// What it means. The codes are those of RFC 5321, the enhanced ones (`5.1.1`) of RFC 3463.
pub(super) fn meaning(phase: SmtpPhase, failure: &SmtpFailure) -> MailAnswer {
    let words = phase.words();
    match failure {
        SmtpFailure::Code { code, text } => {
            of_code(phase, *code, &format!("{code} {words}: {}", excerpt(text)))
        }
        SmtpFailure::Tls(why) => MailAnswer::Refused {
            why: format!("TLS failed: {}", excerpt(why)),
        },
        SmtpFailure::Lacking(why) => MailAnswer::Refused { why: excerpt(why) },
        SmtpFailure::BadAddress(why) => MailAnswer::Undeliverable { why: excerpt(why) },
        SmtpFailure::Gone(why) => lost(phase, format!("connection lost {words}: {}", excerpt(why))),
        SmtpFailure::Silence => lost(phase, format!("no answer in time {words}")),
    }
}

fn lost(phase: SmtpPhase, why: String) -> MailAnswer {
    if phase == SmtpPhase::Message {
        MailAnswer::Unknown { why }
    } else {
        MailAnswer::Again { after: None, why }
    }
}

fn of_code(phase: SmtpPhase, code: u16, why: &str) -> MailAnswer {
    let why = why.to_owned();
    if code < 500 {
        let put_off = matches!(
            phase,
            SmtpPhase::Recipient | SmtpPhase::Data | SmtpPhase::Message
        );
        return MailAnswer::Again {
            after: put_off.then_some(GREY_LIST),
            why,
        };
    }
    match phase {
        SmtpPhase::Connecting | SmtpPhase::Login | SmtpPhase::Sender => MailAnswer::Refused { why },
        SmtpPhase::Recipient | SmtpPhase::Data | SmtpPhase::Message if wants_login(code) => {
            MailAnswer::Refused { why }
        }
        SmtpPhase::Recipient | SmtpPhase::Data | SmtpPhase::Message if about_us(code, &why) => {
            MailAnswer::Rejected { why }
        }
        SmtpPhase::Data => MailAnswer::Rejected { why },
        SmtpPhase::Recipient => MailAnswer::Undeliverable { why },
        // Some servers look at the address only now; else it is the message that they do not like.
        SmtpPhase::Message
            if enhanced(&why).is_some_and(|e| e.starts_with("5.1.") || e.starts_with("5.2.")) =>
        {
            MailAnswer::Undeliverable { why }
        }
        SmtpPhase::Message => MailAnswer::Rejected { why },
    }
}

/// Whether it takes no mail from anybody who is not logged in.
const fn wants_login(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

/// Whether a refusal is about us rather than about the address: commands not known (500, 502 to 504, 555), or policy (5.7.x:
/// relaying denied, listed as a spammer). Else one lapse in the set-up would mark every customer's address as dead.
fn about_us(code: u16, why: &str) -> bool {
    matches!(code, 500 | 502..=504 | 555)
        || enhanced(why).is_some_and(|e| e.starts_with("5.7.") || e.starts_with("5.5."))
}

/// The enhanced status code at the start of the server's text (`5.1.1`), if it gives one.
fn enhanced(why: &str) -> Option<&str> {
    let text = why.split_once(": ").map_or(why, |(_, text)| text);
    let word = text.split([' ', '-']).next()?;
    let digits = word
        .split('.')
        .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        .count();
    (digits == 3 && word.split('.').count() == 3).then_some(word)
}

/// A server's text as it may be kept.
pub(super) fn excerpt(text: &str) -> String {
    far_words::told(text, EXCERPT_CHARS_MAX)
}

#[cfg(test)]
mod tests;
