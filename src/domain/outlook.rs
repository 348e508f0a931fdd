//! What comes next for a purchase if nothing else happens, and when. Types; what people read of them is their `Display`.

use std::fmt;

use super::action::{Act, Action, ActionOutcome, CreatePhase, GrantStatus};
use super::context::Situation;
use super::guard::name_of;
use super::lifecycle::Life;
use super::lifecycle::grace::{Cause, Episode};
use super::machine::Machine;
use super::notice::{NoticeKind, NoticeStatus, due_notices};
use super::policy::AtGraceEnd;
use super::time::{Span, Timestamp};
use crate::domain::words::{Sentence, sentences};

sentences!(Next, Upcoming);

/// Something that comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A license is read once more at its service.
    Read {
        /// Its number.
        license: u32,
    },
    /// Stripe is asked.
    Query {
        about: String,
        /// Which try it is.
        attempt: u32,
    },
    /// A license is looked for before it is made.
    Recover {
        /// Its number.
        license: u32,
    },
    /// A license is made or changed.
    Act {
        act: &'static str,
        /// Its number.
        license: u32,
        /// Which try it is.
        attempt: u32,
    },
    /// A mail is sent.
    Mail {
        kind: NoticeKind,
        /// Which try it is.
        attempt: u32,
    },
    /// A mail is due if it is still true by then.
    MailIfTrue(NoticeKind),
    /// A grace ends unless it is paid.
    GraceEnds {
        /// What it is for.
        cause: Cause,
        /// What happens then.
        then: AtGraceEnd,
    },
    /// A license expires if nothing extends it.
    Expires {
        /// Its number.
        license: u32,
    },
    /// The purchase is looked at again.
    WakeUp,
}

/// Something that comes next, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// When; what is overdue comes as soon as it can.
    pub at: Timestamp,
    pub what: Next,
    /// Since when it is due, where its instant has come.
    pub due_since: Option<Timestamp>,
    /// What was answered when it was tried last.
    pub last: Option<String>,
}

/// Later than this, something due waits for more than its turn.
const OVERDUE: Span = Span::from_minutes(1);

/// What comes next, given the fold and what should be.
#[must_use]
pub fn outlook(situation: &Situation<'_>) -> Vec<Upcoming> {
    let Situation {
        machine,
        folded,
        now,
        ..
    } = *situation;
    if machine.held.is_some() {
        return Vec::new();
    }
    let pending = machine
        .actions
        .iter()
        .filter(|a| a.outcome == ActionOutcome::Pending);
    let acts: Vec<Upcoming> = pending
        .map(|a| Upcoming {
            last: a.error.clone(),
            ..coming((a.due, work(machine, a, now)), now)
        })
        .collect();
    let mut out: Vec<(Timestamp, Next)> = mails(situation);
    if let Life::Subscription(s) = &folded.life {
        let running = |e: &&Episode| e.is_open() && e.lapsed.is_none();
        let ends = |e: &Episode| Next::GraceEnds {
            cause: e.cause.clone(),
            then: e.policy.at_grace_end,
        };
        out.extend(s.episodes.iter().filter(running).map(|e| (e.ends, ends(e))));
    }
    for grant in machine
        .grants
        .iter()
        .filter(|g| g.status == GrantStatus::Live && !g.is_left())
    {
        let ends = grant.expires_at.filter(|at| *at > now);
        out.extend(ends.map(|at| {
            (
                at,
                Next::Expires {
                    license: grant.number,
                },
            )
        }));
    }
    // What wakes it is mostly one of these.
    let wake = machine
        .wake_at
        .filter(|at| out.iter().all(|(known, _)| known != at))
        .filter(|at| acts.iter().all(|act| act.at != *at));
    out.extend(wake.map(|at| (at, Next::WakeUp)));
    let others = out.into_iter().map(|it| coming(it, now));
    let mut all: Vec<Upcoming> = acts.into_iter().chain(others).collect();
    all.sort_by_key(|u| u.due_since.unwrap_or(u.at));
    all
}

fn coming((at, what): (Timestamp, Next), now: Timestamp) -> Upcoming {
    Upcoming {
        at: at.max(now),
        what,
        due_since: (at <= now).then_some(at),
        last: None,
    }
}

/// The same where an instant to come is spoken of: what comes before it is not what comes next.
#[must_use]
pub fn outlook_after(situation: &Situation<'_>, at: Timestamp) -> Vec<Upcoming> {
    let mut next = outlook(situation);
    next.retain(|n| n.at > at);
    next
}

fn work(machine: &Machine, action: &Action, now: Timestamp) -> Next {
    let (license, attempt) = (action.license, action.attempts + 1);
    match (&action.act, action.phase) {
        (Act::Read { .. }, _) => Next::Read { license },
        (Act::Query(question), _) => Next::Query {
            about: question.about().to_owned(),
            attempt,
        },
        (_, CreatePhase::Recover { .. }) => Next::Recover { license },
        (_, CreatePhase::Ready) => Next::Act {
            act: name_of(machine, action, now),
            license,
            attempt,
        },
    }
}

fn mails(situation: &Situation<'_>) -> Vec<(Timestamp, Next)> {
    let Situation { machine, now, .. } = *situation;
    let waiting = machine
        .notices
        .iter()
        .filter(|n| n.status == NoticeStatus::Pending);
    let waiting = waiting.map(|n| {
        (
            n.due,
            Next::Mail {
                kind: n.kind,
                attempt: n.attempts + 1,
            },
        )
    });
    let calls = due_notices(situation).into_iter().filter(|call| {
        call.skip.is_none() && call.due > now && !machine.notices.iter().any(|n| call.is(n))
    });
    waiting
        .chain(calls.map(|call| (call.due, Next::MailIfTrue(call.kind))))
        .collect()
}

impl Sentence for Next {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { license } => write!(f, "license {license} is read once more"),
            Self::Query { about, attempt } => {
                write!(f, "Stripe is asked about {about}, try {attempt}")
            }
            Self::Recover { license } => {
                write!(f, "license {license} is looked for before it is made")
            }
            Self::Act {
                act,
                license,
                attempt,
            } => write!(f, "{act} for license {license}, try {attempt}"),
            Self::Mail { kind, attempt: 1 } => write!(f, "mail {}", kind.as_str()),
            Self::Mail { kind, attempt } => write!(f, "mail {}, try {attempt}", kind.as_str()),
            Self::MailIfTrue(kind) => write!(f, "mail {}, if it is still true", kind.as_str()),
            Self::GraceEnds { cause, then } => {
                write!(f, "the grace for {cause} ends unless it is paid: ")?;
                f.write_str(match then {
                    AtGraceEnd::Suspend => "the license is suspended",
                    AtGraceEnd::Revoke => "the license is revoked",
                    AtGraceEnd::Keep => "the license stays, as the policy says",
                })
            }
            Self::Expires { license } => {
                write!(f, "license {license} expires, if nothing extends it")
            }
            Self::WakeUp => f.write_str("Keyward looks at it again"),
        }
    }
}

impl Sentence for Upcoming {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match (self.due_since, &self.last) {
            (None, _) => Ok(()),
            (Some(since), _) if self.at - since < OVERDUE => f.write_str(" (due now)"),
            (Some(since), Some(last)) => write!(f, " (due since {since}; last answer: {last})"),
            (Some(since), None) => write!(f, " (due since {since})"),
        }
    }
}
