//! Keys that are to be mailed, and keys that are late.

use super::{About, DueNotice, Notice, NoticeKind, NoticeStatus, Skipped};
use crate::domain::action::{Action, ActionOutcome, GrantStatus};
use crate::domain::context::Situation;
use crate::domain::entitlement::SeatDue;
use crate::domain::machine::Grant;
use crate::domain::matching::{is_for, match_seats};
use crate::domain::service_move::left_for;
use crate::domain::time::Span;

/// Keys of one purchase that are ready within this time share a mail (rule 40).
const GATHER: Span = Span::from_minutes(2);
/// A buyer is mailed about a paid key that takes longer than this; the seller hears of it earlier (`Action::is_late`).
const DELAYED: Span = Span::from_minutes(30);

impl Situation<'_> {
    /// Keys that no mail has carried yet. Those of one purchase that come within two minutes go together.
    pub(super) fn keys(&self, out: &mut Vec<DueNotice>) {
        let first = |m: &&Notice| m.kind == NoticeKind::LicenseIssued && m.about != About::Resend;
        let carried = |n: u32| {
            self.machine
                .notices
                .iter()
                .filter(first)
                .any(|m| m.seats.contains(&n))
        };
        let fresh: Vec<&Grant> = self
            .machine
            .grants
            .iter()
            .filter(|g| !g.adopted || self.is_promised(g))
            .filter(|g| !g.moved_in && g.service_move.is_none())
            .filter(|g| !carried(g.number))
            .collect();
        let Some(first) = fresh.iter().map(|g| g.since).min() else {
            return;
        };
        let waiting = self.machine.actions.iter().any(|a| {
            a.act.creates()
                && a.outcome == ActionOutcome::Pending
                && self.due.seats.iter().any(|s| is_for(a, s))
        });
        let seats: Vec<u32> = fresh.iter().map(|g| g.number).collect();
        let mut call = DueNotice::new(NoticeKind::LicenseIssued, About::Keys(seats.clone()), first);
        if waiting {
            call.due = first + GATHER;
        }
        if fresh.iter().all(|g| g.status == GrantStatus::Revoked) {
            call.skip = Some(Skipped::EndedBeforeMailed);
        }
        call.seats = seats;
        out.push(call);
    }

    /// Whether a mail promised the key before it was found: whoever made it then, it is mailed.
    fn is_promised(&self, grant: &Grant) -> bool {
        let promises = |m: &Notice| {
            m.kind == NoticeKind::LicenseDelayed
                && m.status == NoticeStatus::Sent
                && m.at <= grant.since
        };
        // An adoption mails nothing.
        self.machine.adopted_at != Some(grant.since) && self.machine.notices.iter().any(promises)
    }

    pub(super) fn delayed(&self, out: &mut Vec<DueNotice>) {
        let matched = match_seats(self.machine, self.due);
        // Whoever has a key of the service of before waits for none.
        let missing = |(seat, grant): &(&SeatDue, Option<usize>)| {
            let waits = grant.is_none() && seat.want.live_at(self.now);
            waits && left_for(self.machine, seat).is_none()
        };
        // Late is what waits for the service, counted from when we set out to make it.
        let asked = |seat: &SeatDue| {
            let open =
                |a: &&Action| matches!(a.outcome, ActionOutcome::Pending | ActionOutcome::Refused);
            let creates = self
                .machine
                .actions
                .iter()
                .filter(|a| a.act.creates() && is_for(a, seat));
            creates.filter(open).map(Action::set_out_at).min()
        };
        let since = self
            .due
            .seats
            .iter()
            .zip(matched)
            .filter(missing)
            .filter_map(|(s, _)| asked(s))
            .min();
        if let Some(since) = since {
            out.push(DueNotice::new(
                NoticeKind::LicenseDelayed,
                About::FirstKey,
                since + DELAYED,
            ));
        }
    }
}
