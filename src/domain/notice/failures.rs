//! Failed payments: the reminders of a grace, its end, failures that start none, and trials that end soon.

use super::stake::{self, Stake};
use super::{About, DueNotice, NoticeKind, Part, Skipped};
use crate::domain::context::Situation;
use crate::domain::entitlement::Why;
use crate::domain::lifecycle::subscription::SubscriptionState as S;
use crate::domain::lifecycle::{Episode, GraceOutcome, SideFailure, SubscriptionLife};
use crate::domain::policy::{AtGraceEnd, DunningMail};
use crate::domain::time::{Span, Timestamp};

impl Situation<'_> {
    pub(super) fn episode(
        &self,
        s: &SubscriptionLife,
        episode: &Episode,
        out: &mut Vec<DueNotice>,
    ) {
        let stake = stake::of(episode, (self.folded, self.due), self.now);
        if stake == Stake::Nothing {
            return;
        }
        let delay = episode.policy.notice_delay;
        let learned = episode.learned.max(episode.started);
        if episode.policy.dunning_mail == DunningMail::Keyward {
            self.reminders((episode, stake), learned, out);
        }
        let Some(lapsed) = episode.lapsed else { return };
        let ended = matches!(episode.outcome, GraceOutcome::Ended(_))
            || (s.state == S::Ended && episode.gave_up);
        let kind = match episode.policy.at_grace_end {
            AtGraceEnd::Keep => return,
            AtGraceEnd::Revoke => NoticeKind::Ended,
            AtGraceEnd::Suspend if ended => NoticeKind::Ended,
            AtGraceEnd::Suspend => NoticeKind::Suspended,
        };
        // A later deletion changes the word for it but sends no second mail.
        let about = About::failure(&episode.cause);
        let told = [NoticeKind::Suspended, NoticeKind::Ended]
            .into_iter()
            .find(|k| self.sent(*k, &about));
        // rule 42: what stopped for another reason, or works on, has not stopped for this.
        if stake == Stake::Later && told.is_none() {
            return;
        }
        let granted = self.folded.decided.grant.flatten();
        let granted = granted.filter(|until| *until <= self.now);
        let due = lapsed.max(learned).max(granted.unwrap_or(lapsed)) + delay;
        let mut call = DueNotice::new(told.unwrap_or(kind), about, due).of(lapsed);
        let stopped = self.due.seats.iter().any(|seat| seat.why == Why::Lapsed);
        // Rule 42: what was paid before it was told says nothing; an end that follows an end is still told, once.
        if matches!(episode.outcome, GraceOutcome::Recovered(_)) && told.is_none() && !stopped {
            call.skip = Some(Skipped::OverBeforeTold);
        } else if !self.has_license() {
            call.skip = Some(Skipped::NoLicense);
        }
        self.claim(call, Why::Lapsed, out);
    }

    /// The reminders of a grace period: of those that came due while nobody could send, the latest speaks for all
    /// (rule 41).
    fn reminders(
        &self,
        (episode, stake): (&Episode, Stake),
        learned: Timestamp,
        out: &mut Vec<DueNotice>,
    ) {
        let delay = episode.policy.notice_delay;
        let over = match episode.outcome {
            GraceOutcome::Open => episode.lapsed,
            GraceOutcome::Recovered(at) | GraceOutcome::Ended(at) => {
                Some(episode.lapsed.map_or(at, |l| l.min(at)))
            }
        };
        let mut calls: Vec<(Timestamp, DueNotice)> = Vec::new();
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
            let about = About::failure(&episode.cause);
            let mut call = DueNotice::new(kind, about, nominal.max(learned + delay)).of(nominal);
            // Of one failed invoice is told once, whatever becomes of its episode.
            call.part = if *offset == Span::ZERO {
                Part::Whole
            } else {
                Part::Offset(*offset)
            };
            calls.push((nominal, call));
        }
        // What had passed when we heard of it is said by the first mail.
        let passed = calls
            .iter()
            .filter(|(nominal, _)| *nominal <= learned)
            .count();
        let first = if calls.first().is_some_and(|(n, _)| *n == episode.started) {
            0
        } else {
            passed.saturating_sub(1)
        };
        let latest_due = calls
            .iter()
            .rposition(|(nominal, c)| *nominal > learned && c.due <= self.now);
        for (n, (nominal, call)) in calls.iter_mut().enumerate() {
            if over.is_some_and(|over| call.due >= over) {
                call.skip = Some(Skipped::SettledBefore);
                if over.is_some_and(|over| *nominal >= over) {
                    continue; // it never came due
                }
            } else if *nominal <= learned && n != first {
                call.skip = Some(Skipped::DueBeforeKnown);
            } else if latest_due.is_some_and(|latest| n < latest) {
                call.skip = Some(Skipped::LaterReminder);
            } else if over.is_some() {
                call.skip = Some(Skipped::Settled);
            } else if stake == Stake::Later && call.kind == NoticeKind::GraceEnding {
                // That the payment failed is so, whatever the license is; that it ends with the grace is not.
                call.skip = Some(Skipped::NoLicense);
            }
        }
        calls.retain(|(nominal, _)| over.is_none_or(|over| *nominal < over));
        out.extend(calls.into_iter().map(|(_, call)| call));
    }

    pub(super) fn side_failure(&self, side: &SideFailure, out: &mut Vec<DueNotice>) {
        let policy = self.terms().policy(self.plan(), side.at);
        if policy.dunning_mail == DunningMail::Stripe {
            return;
        }
        let kind = if side.action_required {
            NoticeKind::ActionRequired
        } else {
            NoticeKind::PaymentFailed
        };
        let about = About::Invoice(side.invoice.clone());
        let due = side.learned.max(side.at) + policy.notice_delay;
        let mut call = DueNotice::new(kind, about, due).of(side.at);
        if side.settled.is_some() {
            call.skip = Some(Skipped::SettledBeforeTold);
        }
        out.push(call);
    }

    pub(super) fn trial_ending(&self, s: &SubscriptionLife, out: &mut Vec<DueNotice>) {
        let Some(trial) = &s.trial_ending else { return };
        if self.is_paid_by_others(trial.trial_end) {
            return;
        }
        let due = trial.learned.max(trial.at) + self.notice_delay(trial.at);
        let about = About::TrialUntil(trial.trial_end);
        let mut call = DueNotice::new(NoticeKind::TrialEnding, about, due).of(trial.at);
        if trial.trial_end <= self.now || s.state != S::Trialing {
            call.skip = Some(Skipped::TrialOver);
        }
        out.push(call);
    }
}
