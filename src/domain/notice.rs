//! Notices: which e-mails are due, each once per (machine, kind, episode), and which are no longer true.

mod resent;

use minicbor::{Decode, Encode};

use super::action::{Act, Action, ActionOutcome, GrantStatus};
use super::condition::Disputed;
use super::entitlement::{Entitlement, SeatDue, Want, Why};
use super::fold::{Episode, Folded, Life, Outcome, SideFailure, SubscriptionFold};
use super::machine::{Grant, Machine};
use super::policy::{AtGraceEnd, DunningMail, choices};
use super::reconcile::{is_for, match_seats};
use super::revision::Revisions;
use super::subscription::State as S;
use super::time::{Span, Timestamp};

/// Keys of one purchase that are ready within this time share a mail.
const GATHER: Span = Span::from_minutes(2);
/// A paid key that is later than this is told of.
const DELAYED: Span = Span::from_minutes(30);
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
    /// What it belongs to: the failed invoice, the dispute, the keys' numbers.
    #[n(2)]
    pub episode: String,
    /// Tells notices of one kind and episode apart (the reminder's offset).
    #[n(3)]
    pub part: String,
    /// What became of it.
    #[n(4)]
    pub status: NoticeStatus,
    /// When it was sent, or decided.
    #[n(5)]
    pub at: Timestamp,
    /// Whom it went to.
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
    /// What the mail server said last, or why it was skipped.
    #[n(10)]
    pub error: Option<String>,
}

/// A notice that the facts call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// What it says.
    pub kind: NoticeKind,
    /// What it belongs to.
    pub episode: String,
    /// Tells notices of one kind and episode apart.
    pub part: String,
    /// When it is to be sent.
    pub due: Timestamp,
    /// The licenses that it carries.
    pub seats: Vec<u32>,
    /// Why it is not sent any more; `None` while it is true.
    pub skip: Option<&'static str>,
    /// Whom a person named as its recipient.
    pub to: Option<String>,
}

impl Called {
    fn new(kind: NoticeKind, episode: &str, due: Timestamp) -> Self {
        Self { kind, episode: episode.to_owned(), part: String::new(), due, seats: Vec::new(), skip: None, to: None }
    }

    /// Whether a kept notice is this one.
    #[must_use]
    pub fn is(&self, notice: &Notice) -> bool {
        self.kind == notice.kind && self.episode == notice.episode && self.part == notice.part
    }
}

struct Ctx<'a> {
    machine: &'a Machine,
    folded: &'a Folded,
    due: &'a Entitlement,
    revisions: &'a Revisions,
    now: Timestamp,
}

/// Every notice that the machine's facts call for by now or later, with those that are no longer true marked.
#[must_use]
pub fn called(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    revisions: &Revisions,
    now: Timestamp,
) -> Vec<Called> {
    let ctx = Ctx { machine, folded, due, revisions, now };
    let mut out = Vec::new();
    ctx.keys(&mut out);
    ctx.resent(&mut out);
    ctx.delayed(&mut out);
    if let Life::Subscription(s) = &folded.life {
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
    ctx.restored(&mut out);
    out
}

impl Ctx<'_> {
    fn has_license(&self) -> bool {
        !self.machine.grants.is_empty()
    }

    fn sent(&self, kind: NoticeKind, episode: &str) -> bool {
        self.machine.notices.iter().any(|n| n.kind == kind && n.episode == episode && n.status == NoticeStatus::Sent)
    }

    /// Whether every license that should work does, as far as the service confirmed.
    fn all_live(&self) -> bool {
        let matched = match_seats(self.machine, self.due);
        let wanted = self.due.seats.iter().zip(matched).filter(|(s, _)| s.want.live_at(self.now));
        let mut any = false;
        for (_, grant) in wanted {
            any = true;
            if !grant.is_some_and(|g| self.machine.grants[g].live_at(self.now)) {
                return false;
            }
        }
        any
    }

    /// Keys that no mail has carried yet. Those of one purchase that come within two minutes go together.
    fn keys(&self, out: &mut Vec<Called>) {
        let first = |m: &&Notice| m.kind == NoticeKind::LicenseIssued && m.part.is_empty();
        let carried = |n: u32| self.machine.notices.iter().filter(first).any(|m| m.seats.contains(&n));
        let fresh: Vec<&Grant> =
            self.machine.grants.iter().filter(|g| !g.adopted && !g.moved_in && !carried(g.number)).collect();
        let Some(first) = fresh.iter().map(|g| g.since).min() else { return };
        let waiting = self.machine.actions.iter().any(|a| {
            a.act.creates() && a.outcome == ActionOutcome::Pending && self.due.seats.iter().any(|s| is_for(a, s))
        });
        let seats: Vec<u32> = fresh.iter().map(|g| g.number).collect();
        let names: Vec<String> = seats.iter().map(u32::to_string).collect();
        let mut call = Called::new(NoticeKind::LicenseIssued, &names.join(","), first);
        if waiting {
            call.due = first + GATHER;
        }
        if fresh.iter().all(|g| g.status == GrantStatus::Revoked) {
            call.skip = Some("the license was ended before its key was mailed");
        }
        call.seats = seats;
        out.push(call);
    }

    fn delayed(&self, out: &mut Vec<Called>) {
        let matched = match_seats(self.machine, self.due);
        let missing = |(seat, grant): &(&SeatDue, Option<usize>)| grant.is_none() && seat.want.live_at(self.now);
        // Late is what waits for the service, counted from when we set out to make it.
        let asked = |seat: &SeatDue| {
            let open = |a: &&Action| matches!(a.outcome, ActionOutcome::Pending | ActionOutcome::Refused);
            let creates = self.machine.actions.iter().filter(|a| a.act.creates() && is_for(a, seat));
            creates.filter(open).map(|a| a.at).min()
        };
        let since = self.due.seats.iter().zip(matched).filter(missing).filter_map(|(s, _)| asked(s)).min();
        if let Some(since) = since {
            out.push(Called::new(NoticeKind::LicenseDelayed, "first", since + DELAYED));
        }
    }

    fn episode(&self, s: &SubscriptionFold, episode: &Episode, out: &mut Vec<Called>) {
        let delay = episode.policy.notice_delay;
        let learned = episode.learned.max(episode.started);
        if episode.policy.dunning_mail == DunningMail::Keyward {
            self.reminders(episode, learned, out);
        }
        let Some(lapsed) = episode.lapsed else { return };
        let kind = match episode.policy.at_grace_end {
            AtGraceEnd::Keep => return,
            AtGraceEnd::Revoke => NoticeKind::Ended,
            AtGraceEnd::Suspend if s.state == S::Ended && episode.gave_up => NoticeKind::Ended,
            AtGraceEnd::Suspend => NoticeKind::Suspended,
        };
        // A later deletion changes the word for it but sends no second mail.
        let told = [NoticeKind::Suspended, NoticeKind::Ended].into_iter().find(|k| self.sent(*k, &episode.id));
        let mut call = Called::new(told.unwrap_or(kind), &episode.id, lapsed.max(learned) + delay);
        let stopped = self.due.seats.iter().any(|seat| seat.why == Why::Lapsed);
        if episode.outcome != Outcome::Open && told.is_none() && !stopped {
            call.skip = Some("it was over before it was told");
        } else if !self.has_license() {
            call.skip = Some("there is no license that could stop");
        }
        out.push(call);
    }

    /// The reminders of a grace period: of those that came due while nobody could send, the latest speaks for all.
    fn reminders(&self, episode: &Episode, learned: Timestamp, out: &mut Vec<Called>) {
        let delay = episode.policy.notice_delay;
        let over = match episode.outcome {
            Outcome::Open => episode.lapsed,
            Outcome::Recovered(at) | Outcome::Ended(at) => Some(episode.lapsed.map_or(at, |l| l.min(at))),
        };
        let mut calls: Vec<(Timestamp, Called)> = Vec::new();
        for offset in &episode.policy.reminders {
            let nominal = episode.started + *offset;
            if nominal >= episode.ends {
                continue;
            }
            let kind = match (*offset == Span::ZERO, episode.action_required) {
                (true, true) => NoticeKind::ActionRequired,
                (true, false) => NoticeKind::PaymentFailed,
                (false, _) => NoticeKind::GraceEnding,
            };
            let mut call = Called::new(kind, &episode.id, nominal.max(learned + delay));
            call.part = offset.to_string();
            calls.push((nominal, call));
        }
        // What had passed when we heard of it is said by the first mail.
        let passed = calls.iter().filter(|(nominal, _)| *nominal <= learned).count();
        let first =
            if calls.first().is_some_and(|(n, _)| *n == episode.started) { 0 } else { passed.saturating_sub(1) };
        let latest_due = calls.iter().rposition(|(nominal, c)| *nominal > learned && c.due <= self.now);
        for (n, (nominal, call)) in calls.iter_mut().enumerate() {
            if over.is_some_and(|over| call.due >= over) {
                call.skip = Some("the failure was settled before");
                if over.is_some_and(|over| *nominal >= over) {
                    continue; // it never came due
                }
            } else if *nominal <= learned && n != first {
                call.skip = Some("it was due before the failure was known");
            } else if latest_due.is_some_and(|latest| n < latest) {
                call.skip = Some("a later reminder speaks for it");
            } else if over.is_some() {
                call.skip = Some("the failure is settled");
            }
        }
        calls.retain(|(nominal, _)| over.is_none_or(|over| *nominal < over));
        out.extend(calls.into_iter().map(|(_, call)| call));
    }

    fn side_failure(&self, side: &SideFailure, out: &mut Vec<Called>) {
        let policy = self.revisions.policy(self.plan(), self.folded.decided.judged_at(side.at));
        if policy.dunning_mail == DunningMail::Stripe {
            return;
        }
        let kind = if side.action_required { NoticeKind::ActionRequired } else { NoticeKind::PaymentFailed };
        let mut call = Called::new(kind, side.invoice.as_str(), side.learned.max(side.at) + policy.notice_delay);
        if side.settled.is_some() {
            call.skip = Some("it was settled before it was told");
        }
        out.push(call);
    }

    fn plan(&self) -> Option<&super::id::PlanName> {
        self.due.seats.iter().find_map(|s| s.plan.as_ref())
    }

    fn trial_ending(&self, s: &SubscriptionFold, out: &mut Vec<Called>) {
        let Some(trial) = &s.trial_ending else { return };
        let delay = self.revisions.policy(self.plan(), self.folded.decided.judged_at(trial.at)).notice_delay;
        let episode = format!("trial until {}", trial.trial_end);
        let mut call = Called::new(NoticeKind::TrialEnding, &episode, trial.learned.max(trial.at) + delay);
        if trial.trial_end <= self.now || s.state != S::Trialing {
            call.skip = Some("the trial is over");
        }
        out.push(call);
    }

    /// The end that a cancellation brings, told when the license runs out.
    fn ended(&self, s: &SubscriptionFold, out: &mut Vec<Called>) {
        let told_by_failure = |e: &Episode| e.lapsed.is_some() && e.policy.at_grace_end != AtGraceEnd::Keep;
        let over_by_failure =
            s.episodes.iter().any(|e| told_by_failure(e) && !matches!(e.outcome, Outcome::Recovered(_)));
        if s.ended.as_ref().is_none_or(|e| e.never_began) || over_by_failure || !self.has_license() {
            return;
        }
        let ends = self.due.seats.iter().filter_map(|seat| match (seat.want, seat.why) {
            (Want::Live { until: Some(until) }, Why::Ending) => Some(until),
            _ => None,
        });
        if let Some(end) = ends.max() {
            let told = s.ended.as_ref().map_or(end, |e| e.told);
            let mut call = Called::new(NoticeKind::Ended, "end", end.max(told));
            if self.now > call.due + STALE {
                call.skip = Some("it has been over for more than a day");
            }
            out.push(call);
        }
    }

    /// Licenses that a refund or a dispute stopped.
    fn stopped(&self, out: &mut Vec<Called>) {
        // A license that was found ended had been ended by others, who told the customer or did not.
        let by_us = |g: &Grant| {
            self.machine.actions.iter().any(|a| matches!(a.act, Act::Revoke { .. }) && a.license == g.number)
        };
        let ours = |g: &&Grant| !g.adopted || g.status != GrantStatus::Revoked || by_us(g);
        let Some(known) = self.machine.grants.iter().filter(ours).map(|g| g.since).min() else { return };
        let skip = |at| (known > at + STALE).then_some("it was over for more than a day when its license was found");
        let stopped_by = |why: Why| self.due.seats.iter().any(|s| s.why == why);
        let delay = |at| self.revisions.policy(self.plan(), self.folded.decided.judged_at(at)).notice_delay;
        if stopped_by(Why::Refunded) {
            let (episode, at) = match &self.folded.life {
                Life::Payment(p) => (self.machine.object().to_string(), p.returned_at),
                Life::Subscription(s) => s
                    .returned
                    .iter()
                    .max_by_key(|(_, (_, at))| *at)
                    .map_or((self.machine.object().to_string(), None), |(i, (_, at))| {
                        (i.as_str().to_owned(), Some(*at))
                    }),
            };
            let at = at.unwrap_or(self.now);
            out.push(Called { skip: skip(at), ..Called::new(NoticeKind::Refunded, &episode, at + delay(at)) });
        }
        let disputed = match &self.folded.life {
            Life::Payment(p) => &p.disputed,
            Life::Subscription(s) => &s.disputed,
        };
        if stopped_by(Why::Disputed)
            && let Disputed::Open(id, at) | Disputed::Inquiry(id, at) = disputed
        {
            out.push(Called { skip: skip(*at), ..Called::new(NoticeKind::Disputed, id.as_str(), *at + delay(*at)) });
        }
    }

    /// Every stop that was told and is undone.
    fn restored(&self, out: &mut Vec<Called>) {
        let stops = [NoticeKind::Suspended, NoticeKind::Ended, NoticeKind::Refunded, NoticeKind::Disputed];
        let told = self.machine.notices.iter().filter(|n| stops.contains(&n.kind) && n.status == NoticeStatus::Sent);
        // Another seat of the purchase may never have stopped: what was told is undone when nothing is stopped any more.
        let stopped = [Why::Lapsed, Why::Refunded, Why::Disputed, Why::DisputeLost];
        let any_stopped = self.due.seats.iter().any(|s| stopped.contains(&s.why));
        for stop in told {
            if !any_stopped && self.all_live() && stop.episode != "end" {
                out.push(Called::new(NoticeKind::Restored, &stop.episode, self.now));
            }
        }
    }
}
