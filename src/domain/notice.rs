//! Notices: which e-mails are due, each once per (machine, kind, what it is about), and which are no longer true.

mod about;
mod claims;
mod ends;
mod failures;
mod keys;
mod lost;
mod partial;
mod reach;
mod resent;
mod skipped;
mod stake;
mod stops;

use minicbor::{Decode, Encode};

pub use about::{About, Part};
pub(super) use claims::{Left, left};
pub use reach::Undelivered;
pub use skipped::Skipped;
pub use stake::grace_keeps;

use super::context::Situation;
use super::entitlement::SeatDue;
use super::lifecycle::Life;
use super::machine::{Grant, Machine};
use super::matching::paired_seats;
use super::policy::choices;
use super::time::{Span, Timestamp};

/// A notice about something that has been over for longer is not sent any more.
const STALE: Span = Span::from_days(1);

choices! {
    /// What a notice says.
    NoticeKind {
        /// Here is your key.
        0 LicenseIssued = "license_issued",
        /// Your key is late.
        1 LicenseDelayed = "license_delayed",
        /// Your payment failed.
        2 PaymentFailed = "payment_failed",
        /// Your grace ends soon.
        3 GraceEnding = "grace_ending",
        /// Your license stopped.
        4 Suspended = "suspended",
        /// Your license works again.
        5 Restored = "restored",
        /// Your license ended.
        6 Ended = "ended",
        /// Your money went back, and your license ended.
        7 Refunded = "refunded",
        /// Your license stopped because of a dispute.
        8 Disputed = "disputed",
        /// Your bank wants you to confirm.
        9 ActionRequired = "action_required",
        /// Your trial ends soon.
        10 TrialEnding = "trial_ending",
        /// Your license was extended.
        11 Extended = "extended",
        /// Your license ends soon.
        12 Expiring = "expiring",
        /// The time that a purchase had added to your license was taken back.
        13 Shortened = "shortened",
        /// The time that a purchase had added to your license counts again.
        14 TimeRestored = "time_restored",
    }
    /// What became of a notice.
    NoticeStatus {
        /// It waits for its mail server.
        0 Pending = "pending",
        /// The mail server took it.
        1 Sent = "sent",
        /// It was no longer true, or a later one said more.
        2 Skipped = "skipped",
        /// Nobody knows where to send it.
        3 NoAddress = "no_address",
        /// The address was refused for good.
        4 Undeliverable = "undeliverable",
        /// It says that a license ended or stopped, and that is to come or held.
        5 Waiting = "waiting",
    }
}

impl NoticeStatus {
    /// Whether it may still be sent by itself.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Waiting)
    }
}

/// An e-mail as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Notice {
    /// Its number within the machine.
    #[n(0)]
    pub id: u32,
    /// What it says.
    #[n(1)]
    pub kind: NoticeKind,
    /// What it is about: the failed invoice, the dispute, the keys' numbers.
    #[n(2)]
    pub about: About,
    /// Tells notices of one kind about one thing apart.
    #[n(3)]
    pub part: Part,
    /// What became of it.
    #[n(4)]
    pub status: NoticeStatus,
    /// When it was sent, or decided.
    #[n(5)]
    pub at: Timestamp,
    /// Whom it went to; until it is sent: the address that a person named, if any ([`addressed_to`](Self::addressed_to)).
    #[n(6)]
    pub to: Option<String>,
    /// The numbers of the licenses that it carries.
    #[n(7)]
    pub seats: Vec<u32>,
    /// How often it was tried.
    #[n(8)]
    pub attempts: u32,
    /// When it is due next.
    #[n(9)]
    pub due: Timestamp,
    /// What the mail server said last, if that was no success.
    #[n(10)]
    pub error: Option<String>,
    /// Why it was skipped.
    #[n(11)]
    pub skipped: Option<Skipped>,
    /// How often the mail server refused this mail alone, with words that leave open whether it ever takes it.
    #[n(12)]
    #[cbor(default)]
    pub refusals: u32,
}

/// What a mail gives as the reason of what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailReason {
    /// A payment stayed open.
    Payment,
    /// No license that it is about works.
    Stopped,
    /// The license goes on.
    Kept,
    /// A part of the licenses goes on.
    Partly,
    /// A dispute was lost, and no mail had told that it was open.
    Lost,
}

impl MailReason {
    /// The word in templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Stopped => "stopped",
            Self::Kept => "kept",
            Self::Partly => "partly",
            Self::Lost => "lost",
        }
    }
}

impl Notice {
    /// The address that a person named for it, while it is not sent.
    #[must_use]
    pub fn addressed_to(&self) -> Option<&str> {
        self.to
            .as_deref()
            .filter(|_| self.status != NoticeStatus::Sent)
    }

    /// The reason that its mail gives: an end that is not the subscription's own was brought by a failed payment.
    #[must_use]
    pub fn reason(&self) -> Option<MailReason> {
        if self.part == Part::Kept {
            return Some(MailReason::Kept);
        }
        let by_failure = self.kind == NoticeKind::Ended && self.about != About::End;
        by_failure.then_some(MailReason::Payment)
    }

    /// The reason that its mail gives where the time that it says was taken back was all that its licenses had.
    #[must_use]
    pub fn stopped(&self, machine: &Machine, now: Timestamp) -> Option<MailReason> {
        let mut licenses = machine.grants.iter();
        let works = licenses.any(|g| self.seats.contains(&g.number) && g.live_at(now));
        (self.kind == NoticeKind::Shortened && !works).then_some(MailReason::Stopped)
    }

    /// Why it was not sent, in words: ours, or the mail server's.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        if self.status == NoticeStatus::Waiting {
            return Some("the license's end is held, or still to come".to_owned());
        }
        self.skipped
            .map(|skipped| skipped.to_string())
            .or_else(|| self.error.clone())
    }
}

/// A notice that the facts call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueNotice {
    /// What it says.
    pub kind: NoticeKind,
    /// What it is about.
    pub about: About,
    /// Tells notices of one kind about one thing apart.
    pub part: Part,
    /// When it is to be sent.
    pub due: Timestamp,
    /// When what it tells happened, however late that was heard of.
    pub happened: Timestamp,
    /// The licenses that it carries.
    pub seats: Vec<u32>,
    /// Why it is not sent any more; `None` while it is true.
    pub skip: Option<Skipped>,
    /// Whether what it says is to come, or held: it is not sent before.
    pub waits: bool,
    /// Whom a person named as its recipient.
    pub to: Option<String>,
}

impl DueNotice {
    fn new(kind: NoticeKind, about: About, due: Timestamp) -> Self {
        Self {
            kind,
            about,
            part: Part::Whole,
            due,
            happened: due,
            seats: Vec::new(),
            skip: None,
            waits: false,
            to: None,
        }
    }

    /// The same, of what happened before.
    fn of(self, happened: Timestamp) -> Self {
        Self { happened, ..self }
    }

    /// Whether a kept notice is this one.
    #[must_use]
    pub fn is(&self, notice: &Notice) -> bool {
        self.kind == notice.kind && self.about == notice.about && self.part == notice.part
    }
}

/// Every notice that the machine's facts call for by now or later, with those that are no longer true marked.
#[must_use]
pub fn due_notices(ctx: &Situation<'_>) -> Vec<DueNotice> {
    let mut out = Vec::new();
    ctx.keys(&mut out);
    ctx.resent(&mut out);
    ctx.delayed(&mut out);
    ctx.extended(&mut out);
    ctx.shortened(&mut out);
    ctx.time_restored(&mut out);
    ctx.expiring(&mut out);
    if let Life::Subscription(s) = &ctx.folded.life {
        for episode in &s.episodes {
            ctx.episode(s, episode, &mut out);
        }
        for side in &s.side_failures {
            ctx.side_failure(side, &mut out);
        }
        ctx.trial_ending(s, &mut out);
        ctx.ended(s, &mut out);
    }
    ctx.stopped(&mut out);
    ctx.lost(&mut out);
    ctx.restored(&mut out);
    out
}

impl Situation<'_> {
    fn has_license(&self) -> bool {
        !self.machine.grants.is_empty()
    }

    fn sent(&self, kind: NoticeKind, about: &About) -> bool {
        self.machine
            .notices
            .iter()
            .any(|n| n.kind == kind && n.about == *about && n.status == NoticeStatus::Sent)
    }

    fn plan(&self) -> Option<&super::id::PlanName> {
        self.due.seats.iter().find_map(|s| s.plan.as_ref())
    }

    fn notice_delay(&self, at: Timestamp) -> Span {
        self.terms().policy(self.plan(), at).notice_delay
    }

    /// Whether every license that should work does, as far as the service confirmed, and there is one.
    fn all_live(&self) -> bool {
        let mut wanted = self
            .matched()
            .filter(|(seat, _)| seat.want.live_at(self.now))
            .peekable();
        let live = |grant: Option<&Grant>| grant.is_some_and(|g| g.live_at(self.now));
        wanted.peek().is_some() && wanted.all(|(_, grant)| live(grant))
    }

    /// The same, and there is no license that should not work.
    fn all_live_and_no_other(&self) -> bool {
        let other = |(seat, grant): (&SeatDue, Option<&Grant>)| {
            !seat.want.live_at(self.now) && grant.is_some()
        };
        self.all_live() && !self.matched().any(other)
    }

    /// Each seat with the license that stands for it.
    fn matched(&self) -> impl Iterator<Item = (&SeatDue, Option<&Grant>)> {
        paired_seats(self.machine, self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::InvoiceId;

    #[test]
    fn a_mail_gives_the_payment_as_reason_where_it_brought_the_end() {
        let notice = |kind, about| Notice {
            id: 1,
            kind,
            about,
            part: Part::Whole,
            status: NoticeStatus::Pending,
            at: Timestamp::from_s(0),
            to: None,
            seats: Vec::new(),
            attempts: 0,
            due: Timestamp::from_s(0),
            error: None,
            skipped: None,
            refusals: 0,
        };
        let invoice = || About::Invoice(InvoiceId::from("in_1"));
        let payment = Some(MailReason::Payment);
        assert_eq!(notice(NoticeKind::Ended, invoice()).reason(), payment);
        assert_eq!(notice(NoticeKind::Ended, About::End).reason(), None);
        assert_eq!(notice(NoticeKind::Suspended, invoice()).reason(), None);
    }
}
