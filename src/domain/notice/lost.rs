//! Licenses that a lost dispute ended, where no mail had told that it was open: it was lost from the beginning, as debits are, or
//! the policy kept the license until then.

use super::{About, DueNotice, MailReason, Notice, NoticeKind, STALE, Skipped};
use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::condition::dispute;
use crate::domain::context::Situation;
use crate::domain::entitlement::{SeatDue, Why};
use crate::domain::lifecycle::Life;
use crate::domain::object::dispute::DisputeState;
use crate::domain::time::Timestamp;

impl Notice {
    /// The reason that a mail about a dispute gives where it was lost before that was told.
    #[must_use]
    pub fn lost(&self, life: &Life) -> Option<MailReason> {
        let About::Dispute(id) = &self.about else {
            return None;
        };
        let is_lost = life.disputes().get(id)?.state == DisputeState::Lost;
        (self.kind == NoticeKind::Disputed && is_lost).then_some(MailReason::Lost)
    }
}

impl Situation<'_> {
    /// A license that a lost dispute ended: one mail for a dispute, whatever becomes of it (rule 39).
    pub(super) fn lost(&self, out: &mut Vec<DueNotice>) {
        let seats = self.due.seats.iter();
        let mut ended = seats.filter(|s| s.why == Why::DisputeLost).peekable();
        let Some(known) = self.known_since().filter(|_| ended.peek().is_some()) else {
            return;
        };
        let policy = |at| self.terms().policy(self.plan(), at);
        let paid_since = |at| ended.clone().all(|seat| self.is_paid_since(seat, at));
        let Some((id, at)) = dispute::lost(self.folded.life.disputes(), policy, paid_since) else {
            return;
        };
        let due = at + self.notice_delay(at);
        let mut call = DueNotice::new(NoticeKind::Disputed, About::Dispute(id.clone()), due).of(at);
        if known > at + STALE {
            call.skip = Some(Skipped::FoundLate);
        } else if self.ended_long_ago() && !self.machine.notices.iter().any(|n| call.is(n)) {
            call.skip = Some(Skipped::LongOver);
        }
        self.claim(call, Why::DisputeLost, out);
    }

    fn is_paid_since(&self, seat: &SeatDue, at: Timestamp) -> bool {
        let Life::Subscription(life) = &self.folded.life else {
            return false;
        };
        let paid = life.paid.get(&seat.item);
        paid.is_some_and(|p| p.periods.iter().any(|period| period.paid_at > at))
    }

    /// Whether the last license that a lost dispute ended has been over for more than a day.
    fn ended_long_ago(&self) -> bool {
        let lost = self.matched().filter(|(s, _)| s.why == Why::DisputeLost);
        let lost: Vec<u32> = lost.filter_map(|(_, g)| Some(g?.number)).collect();
        let ended = |a: &&Action| {
            let is_end = matches!(a.act, Act::Revoke { .. }) && a.outcome == ActionOutcome::Done;
            is_end && lost.contains(&a.license)
        };
        let ended = self.machine.actions.iter().filter(ended);
        let last = ended.map(|a| a.at).max();
        last.is_some_and(|last| self.now > last + STALE)
    }
}
