//! Licenses that were extended by another purchase, and those that run out without anything that renews them.

use std::collections::BTreeMap;

use super::{About, DueNotice, NoticeKind, Part, Skipped};
use crate::domain::action::GrantStatus;
use crate::domain::context::Situation;
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::extension::{Adds, Extension, ExtensionStanding};
use crate::domain::lifecycle::Life;
use crate::domain::machine::Grant;
use crate::domain::time::Timestamp;

impl Situation<'_> {
    /// Each purchase that extends a license is confirmed once, when the service has confirmed the license's new end.
    pub(super) fn extended(&self, out: &mut Vec<DueNotice>) {
        for extension in self.counting() {
            let seat = self
                .matched()
                .find(|(seat, _)| extension.is_of(seat))
                .and_then(|(seat, grant)| Some((seat, grant?)));
            let Some((seat, grant)) = seat else { continue };
            let about = About::Purchase(extension.from.object().clone());
            let mut call = DueNotice::new(NoticeKind::Extended, about, self.now);
            call.seats = vec![grant.number];
            let known = self.machine.notices.iter().any(|n| call.is(n));
            if known || reaches(seat, grant) {
                out.push(call);
            }
        }
    }

    /// The ends that no renewal will move are told ahead, as the policy says: those of purchases that are paid once, and of
    /// subscriptions that are over and were extended. Whoever cancelled knows when it ends.
    pub(super) fn expiring(&self, out: &mut Vec<DueNotice>) {
        let mut ends: BTreeMap<Timestamp, Vec<(&SeatDue, &Grant)>> = BTreeMap::new();
        for (seat, grant) in self.matched() {
            if let (Want::Live { until: Some(until) }, Some(grant)) = (seat.want, grant)
                && until > self.now
                && grant.live_at(self.now)
                && self.is_final(seat)
            {
                ends.entry(until).or_default().push((seat, grant));
            }
        }
        for (until, licenses) in ends {
            self.expiring_at(until, &licenses, out);
        }
    }

    fn expiring_at(
        &self,
        until: Timestamp,
        licenses: &[(&SeatDue, &Grant)],
        out: &mut Vec<DueNotice>,
    ) {
        let Some((seat, _)) = licenses.first() else {
            return;
        };
        // Judged by the policy under which it was bought, or extended last, as everything else is.
        let extended = self.counting().filter(|e| e.is_of(seat));
        let bought = extended.map(|e| e.since).chain(seat.since).max();
        let bought = bought.unwrap_or(self.now);
        let policy = self
            .revisions
            .policy(seat.plan.as_ref(), self.folded.decided.judged_at(bought));
        let mut calls: Vec<DueNotice> = Vec::new();
        for offset in &policy.expiring {
            let due = until - *offset;
            // Who bought a week does not need to hear at once that it ends in a month's time.
            if due <= bought {
                continue;
            }
            let mut call = DueNotice::new(NoticeKind::Expiring, About::Expiry(until), due);
            call.part = Part::Offset(*offset);
            call.seats = licenses.iter().map(|(_, grant)| grant.number).collect();
            calls.push(call);
        }
        calls.sort_by_key(|c| c.due);
        let latest_due = calls.iter().rposition(|c| c.due <= self.now);
        for call in calls.iter_mut().take(latest_due.unwrap_or(0)) {
            call.skip = Some(Skipped::LaterReminder);
        }
        out.extend(calls);
    }

    /// Whether no renewal will move a license's end.
    fn is_final(&self, seat: &SeatDue) -> bool {
        let renewed = |e: &Extension| matches!(e.adds, Adds::Until(_)) && e.is_of(seat);
        if self.counting().any(renewed) {
            return false;
        }
        match &self.folded.life {
            Life::Payment(_) => true,
            Life::Subscription(s) => s.ended.is_some() && seat.why == Why::Extended,
        }
    }

    fn counting(&self) -> impl Iterator<Item = &Extension> {
        let counts = |e: &&Extension| e.standing == ExtensionStanding::Counts;
        self.machine.extensions.iter().filter(counts)
    }

    /// Whether what is about the subscription's own payments until an instant is about no license, for another purchase pays
    /// for each of them beyond it.
    pub(super) fn is_paid_by_others(&self, until: Timestamp) -> bool {
        let beyond = |seat: &SeatDue| match seat.want {
            Want::Live { until: None } => seat.why == Why::Extended,
            Want::Live { until: Some(end) } => seat.why == Why::Extended && end > until,
            Want::Suspended | Want::Revoked | Want::Nothing => false,
        };
        !self.due.seats.is_empty() && self.due.seats.iter().all(beyond)
    }
}

/// Whether a license works as long as it should, as far as the service confirmed.
fn reaches(seat: &SeatDue, grant: &Grant) -> bool {
    let Want::Live { until } = seat.want else {
        return false;
    };
    let reaches = match (until, grant.expires_at) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(until), Some(is)) => is.whole_s() >= until.whole_s(),
    };
    grant.status == GrantStatus::Live && reaches
}
