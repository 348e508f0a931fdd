//! Counts what came of each attempt, for the metrics.

use super::mail::MailAnswer;
use crate::domain::action::{Outcome, RefusalScope};
use crate::domain::id::SourceName;
use crate::domain::notice::NoticeKind;
use crate::measure::{ACTIONS, MAILS};

/// Counts an attempt at a service.
pub(super) fn action(
    service: &'static str,
    source: &SourceName,
    kind: &'static str,
    outcome: &Outcome,
) {
    let labels = [
        ("service", service.to_owned()),
        ("source", source.to_string()),
        ("kind", kind.to_owned()),
        ("outcome", word(outcome).to_owned()),
    ];
    metrics::counter!(ACTIONS.name, &labels).increment(1);
}

/// Counts an attempt to send a mail.
pub(super) fn mail(source: &SourceName, kind: NoticeKind, answer: &MailAnswer) {
    let labels = [
        ("source", source.to_string()),
        ("kind", kind.as_str().to_owned()),
        ("outcome", answer.as_str().to_owned()),
    ];
    metrics::counter!(MAILS.name, &labels).increment(1);
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) | Outcome::Answered => "done",
        Outcome::Again { .. } => "retry",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Refused {
            scope: RefusalScope::Service,
            ..
        } => "service_refuses",
        Outcome::Refused {
            scope: RefusalScope::Action | RefusalScope::Access,
            ..
        } => "refused",
        Outcome::Absent { .. } => "not_found",
        Outcome::Gone => "gone",
        Outcome::NoEffect { .. } | Outcome::ByHand { .. } => "refused",
    }
}
