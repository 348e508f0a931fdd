//! Licenses that ended or stopped, and work again.

use super::stake;
use super::{About, DueNotice, Notice, NoticeKind, NoticeStatus, Part, STALE, Skipped};
use crate::domain::action::{Act, GrantStatus};
use crate::domain::condition::dispute;
use crate::domain::context::Situation;
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::lifecycle::{Episode, GraceOutcome, Life, PaidTime, SubscriptionLife};
use crate::domain::machine::Grant;
use crate::domain::money::Money;
use crate::domain::policy::AtGraceEnd;
use crate::domain::service_move::ServiceMove;
use crate::domain::time::Timestamp;

impl Notice {
    /// The money that a mail about a refund speaks of: what went back, which may be a part of the price.
    #[must_use]
    pub fn money_back<'l>(&self, life: &'l Life) -> Option<&'l Money> {
        match (life, &self.about) {
            (Life::Payment(p), _) => p.money_back.as_ref(),
            (Life::Subscription(s), About::Invoice(invoice)) => s.money_back.get(invoice),
            (Life::Subscription(_), _) => None,
        }
    }
}

impl Situation<'_> {
    /// The end that a cancellation brings, told when the license runs out.
    pub(super) fn ended(&self, s: &SubscriptionLife, out: &mut Vec<DueNotice>) {
        if s.ended.as_ref().is_none_or(|e| e.never_began) || !self.has_license() {
            return;
        }
        let told_by_failure = |e: &&Episode| {
            let settled = matches!(e.outcome, GraceOutcome::Recovered(_));
            !settled && e.policy.at_grace_end != AtGraceEnd::Keep
        };
        let lapsed = s.episodes.iter().filter(told_by_failure);
        let lapsed = lapsed.filter_map(|e| e.lapsed).max();
        // rule 16: what was paid beyond the lapse ends anew.
        if let Some(end) = self.last_end().filter(|end| Some(*end) > lapsed) {
            let told = s.ended.as_ref().map_or(end, |e| e.told);
            let mut call = DueNotice::new(NoticeKind::Ended, About::End, end.max(told));
            if self.now > call.due + STALE {
                call.skip = Some(Skipped::LongOver);
            }
            self.claim(call, Why::Ending, out);
        }
    }

    /// When the last of the licenses runs out that the subscription's end brings to one.
    fn last_end(&self) -> Option<Timestamp> {
        let ends = |seat: &SeatDue| match (seat.want, seat.why) {
            (Want::Live { until }, Why::Ending) => until,
            _ => None,
        };
        self.due.seats.iter().filter_map(ends).max()
    }

    /// Licenses that a refund or a dispute stopped.
    pub(super) fn stopped(&self, out: &mut Vec<DueNotice>) {
        let Some(known) = self.known_since() else {
            return;
        };
        let skip = |at| (known > at + STALE).then_some(Skipped::FoundLate);
        let stopped_by = |why: Why| self.due.seats.iter().any(|s| s.why == why);
        if stopped_by(Why::Refunded) {
            let (about, at) = self.money_back();
            let at = at.unwrap_or(self.now);
            let due = at + self.notice_delay(at);
            let call = DueNotice {
                skip: skip(at),
                ..DueNotice::new(NoticeKind::Refunded, about, due).of(at)
            };
            self.claim(call, Why::Refunded, out);
        }
        if stopped_by(Why::Disputed)
            && let Some((id, at)) = dispute::open(self.folded.life.disputes())
        {
            let due = at + self.notice_delay(at);
            let call = DueNotice {
                skip: skip(at),
                ..DueNotice::new(NoticeKind::Disputed, About::Dispute(id.clone()), due).of(at)
            };
            self.claim(call, Why::Disputed, out);
        }
    }

    /// Since when there is a license whose stop can be told.
    pub(super) fn known_since(&self) -> Option<Timestamp> {
        // A license that was found ended had been ended by others, who told the customer or did not.
        let by_us = |g: &Grant| {
            self.machine
                .actions
                .iter()
                .any(|a| matches!(a.act, Act::Revoke { .. }) && a.license == g.number)
        };
        let ours = |g: &&Grant| !g.adopted || g.status != GrantStatus::Revoked || by_us(g);
        let ours = self.machine.grants.iter().filter(ours);
        ours.map(|g| g.since).min()
    }

    /// Whose money went back that took the license, and when.
    fn money_back(&self) -> (About, Option<Timestamp>) {
        let purchase = About::Purchase(self.machine.object().clone());
        match &self.folded.life {
            Life::Payment(p) => (purchase, p.returned.1),
            Life::Subscription(s) => {
                let taken = s.paid.values().filter_map(PaidTime::taken_by);
                let taken = taken.max_by_key(|(_, since)| *since);
                let newest = || {
                    let steps = s.returned.iter();
                    let last = steps.filter_map(|(i, steps)| Some((i, steps.last()?.1)));
                    last.max_by_key(|(_, at)| *at)
                };
                match taken.or_else(newest) {
                    Some((invoice, at)) => (About::Invoice(invoice.clone()), Some(at)),
                    None => (purchase, None),
                }
            }
        }
    }

    /// Whether a stop that was told is undone: nothing is stopped any more, and what works works. A failure's stop is undone
    /// by its own recovery; another item's license may have ended meanwhile.
    fn is_undone(&self, about: &About) -> bool {
        let stopped = [Why::Lapsed, Why::Refunded, Why::Disputed, Why::DisputeLost];
        if self.due.seats.iter().any(|s| stopped.contains(&s.why)) {
            return false;
        }
        // rule 16: an invoice that is paid after the end pays for its period.
        let after_end = |seat: &SeatDue| seat.why == Why::Ending && seat.want.live_at(self.now);
        if *about == About::End {
            // Where one is kept for ever, another one's end stands.
            let is_over = self.last_end().is_some_and(|end| end <= self.now);
            return !is_over && self.due.seats.iter().any(after_end) && self.all_live();
        }
        let episodes = match &self.folded.life {
            Life::Payment(_) => &[],
            Life::Subscription(s) => s.episodes.as_slice(),
        };
        match episodes
            .iter()
            .rev()
            .find(|e| About::failure(&e.cause) == *about)
        {
            Some(episode) => match episode.outcome {
                GraceOutcome::Recovered(_) => self.all_live(),
                GraceOutcome::Ended(_) => {
                    let seats = self.due.seats.iter();
                    let mut meant = seats.filter(|s| stake::is_meant(episode, s)).peekable();
                    meant.peek().is_some() && meant.all(after_end) && self.all_live()
                }
                GraceOutcome::Open => false,
            },
            None => self.all_live_and_no_other(),
        }
    }

    /// Whether what works is a license that was made since: the mail with its key says so, and it is not the same key as
    /// before.
    fn has_new_key_since(&self, stop: Timestamp) -> bool {
        let is_new = |g: &Grant| {
            let is_told = g.service_move != Some(ServiceMove::Untold);
            g.since > stop && is_told && !g.adopted && !g.moved_in
        };
        let mut matched = self.matched().filter_map(|(_, grant)| grant);
        matched.any(|g| g.live_at(self.now) && is_new(g))
    }

    /// What the same had stopped before, and came back, is another return.
    fn part_of_return(&self, stop: &Notice) -> Part {
        let of_all = |n: &&Notice| !matches!(n.part, Part::License(_));
        let returns = |n: &&Notice| n.kind == NoticeKind::Restored && n.about == stop.about;
        let notices = self.machine.notices.iter().filter(returns).filter(of_all);
        Part::nth(notices.filter(|n| n.id < stop.id).count())
    }

    /// Every stop that was told and is undone.
    pub(super) fn restored(&self, out: &mut Vec<DueNotice>) {
        let stops = [
            NoticeKind::Suspended,
            NoticeKind::Ended,
            NoticeKind::Refunded,
            NoticeKind::Disputed,
        ];
        let told = self
            .machine
            .notices
            .iter()
            .filter(|n| stops.contains(&n.kind) && n.status == NoticeStatus::Sent)
            .filter(|n| n.part != Part::Kept);
        for stop in told {
            if !self.is_undone(&stop.about) || self.some_are_told_back(stop) {
                self.some_restored(stop, out);
            } else if !self.has_new_key_since(stop.at) {
                let mut call = DueNotice::new(NoticeKind::Restored, stop.about.clone(), self.now);
                call.part = self.part_of_return(stop);
                let live = self.matched().filter_map(|(_, grant)| grant);
                out.push(call.of(self.came_about(live, stop.at)));
            }
        }
    }
}
