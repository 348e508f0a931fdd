//! Notices as they are kept: written down when they come due, skipped when they are no longer true, sent or not.

use crate::domain::context::DecisionContext;
use crate::domain::decision::Verb;
use crate::domain::entitlement::Entitlement;
use crate::domain::holding::is_past;
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::notice::{DueNotice, Notice, NoticeKind, NoticeStatus, Skipped};
use crate::domain::retry::next_try;
use crate::domain::time::Timestamp;

/// Writes down the notices that are due, and skips those that are no longer true.
pub(super) fn notices(
    machine: &mut Machine,
    calls: &[DueNotice],
    folded: &Folded,
    (silent, due): (Option<Skipped>, &Entitlement),
    context: &DecisionContext<'_>,
) {
    let on_record = context
        .customer
        .filter(|c| !c.deleted)
        .and_then(|c| c.email.as_deref());
    send_again(machine, calls, context.now);
    find_recipients(machine, folded, on_record, context.now);
    for notice in machine.notices.iter_mut().filter(|n| n.status.is_open()) {
        let call = calls.iter().find(|c| c.is(notice));
        let carries_keys = notice.kind == NoticeKind::LicenseIssued;
        // The key of a license that we made ourselves is mailed, whatever else is only observed.
        let silent = silent.filter(|_| !carries_keys);
        let skip = match call {
            _ if silent.is_some() => silent,
            Some(call) => call.skip,
            None if carries_keys || notice.kind == NoticeKind::Restored => None,
            None => Some(Skipped::NoLongerTrue),
        };
        if let Some(why) = skip {
            (notice.status, notice.at, notice.skipped) =
                (NoticeStatus::Skipped, context.now, Some(why));
            continue;
        }
        match (notice.status, call.is_some_and(|c| waits(c, context))) {
            (NoticeStatus::Pending, true) => notice.status = NoticeStatus::Waiting,
            (NoticeStatus::Waiting, false) => {
                (notice.status, notice.due) = (NoticeStatus::Pending, context.now);
            }
            _ => {}
        }
    }
    for call in calls {
        let passed = is_past(due, call, context);
        // What is passed over is noted at once: nothing announces it.
        let waits_still = call.due > context.now && passed.is_none();
        if waits_still || machine.notices.iter().any(|n| call.is(n)) {
            continue;
        }
        let id = machine.notices.last().map_or(1, |n| n.id + 1);
        let to = call
            .to
            .clone()
            .or_else(|| usual_recipient(call.kind, folded, on_record));
        let skip = call
            .skip
            .or(silent.filter(|_| call.kind != NoticeKind::LicenseIssued))
            .or(passed);
        let status = match (skip, &to) {
            (Some(_), _) => NoticeStatus::Skipped,
            (None, _) if !context.abilities.sends_mail => NoticeStatus::Skipped,
            (None, None) => NoticeStatus::NoAddress,
            (None, Some(_)) if waits(call, context) => NoticeStatus::Waiting,
            (None, Some(_)) => NoticeStatus::Pending,
        };
        machine.notices.push(Notice {
            id,
            kind: call.kind,
            about: call.about.clone(),
            part: call.part,
            status,
            at: context.now,
            to: call.to.clone(),
            seats: call.seats.clone(),
            attempts: 0,
            due: context.now,
            error: None,
            skipped: skip.or((!context.abilities.sends_mail).then_some(Skipped::MailOff)),
            refusals: 0,
        });
    }
}

/// Whether a mail waits: for the end that it speaks of, or, where it says what time alone brings, for time that can be trusted.
/// A license carries its own end: by a clock that is ahead it has passed, and there is no stop that could be held.
fn waits(call: &DueNotice, context: &DecisionContext<'_>) -> bool {
    let by_time = match call.kind {
        NoticeKind::Suspended
        | NoticeKind::Ended
        | NoticeKind::GraceEnding
        | NoticeKind::Expiring
        | NoticeKind::TrialEnding => true,
        NoticeKind::LicenseIssued
        | NoticeKind::LicenseDelayed
        | NoticeKind::PaymentFailed
        | NoticeKind::Restored
        | NoticeKind::Refunded
        | NoticeKind::Disputed
        | NoticeKind::ActionRequired
        | NoticeKind::Extended
        | NoticeKind::Shortened
        | NoticeKind::TimeRestored => false,
    };
    call.waits || by_time && context.stops_held.is_some()
}

/// Makes due what had nobody to go to and has now.
fn find_recipients(
    machine: &mut Machine,
    folded: &Folded,
    on_record: Option<&str>,
    now: Timestamp,
) {
    let lost = machine.notices.iter_mut();
    for notice in lost.filter(|n| n.status == NoticeStatus::NoAddress) {
        if recipient(notice, folded, on_record).is_some() {
            (notice.status, notice.due) = (NoticeStatus::Pending, now);
        }
    }
}

/// Makes what was refused for good due again where a person named another address since.
fn send_again(machine: &mut Machine, calls: &[DueNotice], now: Timestamp) {
    let named_at = address_named_at(machine);
    for notice in &mut machine.notices {
        if is_due_again(notice, named_at, calls) {
            (notice.status, notice.due) = (NoticeStatus::Pending, now);
            (notice.attempts, notice.error) = (0, None);
        }
    }
}

/// When a person last named an address for the purchase's mail.
fn address_named_at(machine: &Machine) -> Option<Timestamp> {
    let named = machine.facts.iter().filter(|fact| {
        let verb = fact.decision().map(|d| &d.verb);
        matches!(verb, Some(Verb::Address { email }) if !email.is_empty())
    });
    named.map(|fact| fact.received).max()
}

/// Whether a mail that was refused for good goes to the address that a person named since: one with a key, or one that is
/// still true. What a person addressed by itself (`resend --to`) went where it was to go.
fn is_due_again(notice: &Notice, named_at: Option<Timestamp>, calls: &[DueNotice]) -> bool {
    let still_true = || calls.iter().any(|c| c.is(notice) && c.skip.is_none());
    notice.status == NoticeStatus::Undeliverable
        && notice.addressed_to().is_none()
        && named_at.is_some_and(|at| at > notice.at)
        && (notice.kind == NoticeKind::LicenseIssued || still_true())
}

/// Where a notice goes, resolved when it is sent; one that a person addressed goes there.
/// The addresses are asked in the order of rule 43.
#[must_use]
pub fn recipient(notice: &Notice, folded: &Folded, on_record: Option<&str>) -> Option<String> {
    let named = notice.addressed_to().map(str::to_owned);
    named.or_else(|| usual_recipient(notice.kind, folded, on_record))
}

fn usual_recipient(kind: NoticeKind, folded: &Folded, on_record: Option<&str>) -> Option<String> {
    match kind {
        NoticeKind::LicenseIssued | NoticeKind::LicenseDelayed => {
            folded.contact.key_holder(on_record)
        }
        NoticeKind::PaymentFailed
        | NoticeKind::GraceEnding
        | NoticeKind::Suspended
        | NoticeKind::Restored
        | NoticeKind::Ended
        | NoticeKind::Refunded
        | NoticeKind::Disputed
        | NoticeKind::ActionRequired
        | NoticeKind::TrialEnding
        | NoticeKind::Extended
        | NoticeKind::Expiring
        | NoticeKind::Shortened
        | NoticeKind::TimeRestored => folded.contact.payer(on_record),
    }
}

/// What came of sending a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailed {
    /// The mail server took it.
    Sent {
        /// Whom it went to.
        to: String,
    },
    /// Try again.
    Again {
        /// What happened.
        why: String,
    },
    /// The mail server does not take this mail, whatever it does with others; it may yet.
    Rejected {
        /// What the server said.
        why: String,
    },
    /// The address was refused for good.
    Undeliverable {
        /// What the server said.
        why: String,
    },
}

/// Takes in what came of a notice.
pub fn mailed(machine: &mut Machine, id: u32, mailed: &Mailed, context: &DecisionContext<'_>) {
    let Some(notice) = machine
        .notices
        .iter_mut()
        // It may have been under way when what it says was held.
        .find(|n| n.id == id && n.status.is_open())
    else {
        return;
    };
    notice.attempts += 1;
    match mailed {
        Mailed::Sent { to } => {
            (notice.status, notice.at, notice.to, notice.error) =
                (NoticeStatus::Sent, context.now, Some(to.clone()), None);
        }
        Mailed::Again { why } => {
            notice.error = Some(why.clone());
            notice.due = next_try(context.now, notice.attempts, context.jitter, None);
        }
        Mailed::Rejected { why } => {
            notice.error = Some(why.clone());
            notice.refusals += 1;
            notice.due = next_try(context.now, notice.attempts, context.jitter, None);
        }
        Mailed::Undeliverable { why } => {
            (notice.status, notice.at, notice.error) =
                (NoticeStatus::Undeliverable, context.now, Some(why.clone()));
        }
    }
}
