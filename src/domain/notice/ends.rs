//! Licenses that were extended by another purchase, and those that run out without anything that renews them.

use std::collections::BTreeMap;

use super::{About, DueNotice, Notice, NoticeKind, NoticeStatus, Part, Skipped, left};
use crate::domain::action::{Act, Action, ActionOutcome, GrantStatus};
use crate::domain::context::Situation;
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::extension::{Adds, Extension, ExtensionStanding};
use crate::domain::id::MachineId;
use crate::domain::lifecycle::Life;
use crate::domain::machine::Grant;
use crate::domain::time::Timestamp;

impl Situation<'_> {
    /// Each purchase that extends licenses is confirmed once, when the service has confirmed their new ends.
    pub(super) fn extended(&self, out: &mut Vec<DueNotice>) {
        let counts = |e: &Extension| e.standing == ExtensionStanding::Counts;
        for (from, licenses) in self.extended_by(counts) {
            let about = About::Purchase(from.object().clone());
            let mut call = DueNotice::new(NoticeKind::Extended, about, self.now);
            call.seats = licenses.iter().map(|(_, grant)| grant.number).collect();
            let paid = self.counting().filter(|e| e.from == *from).map(|e| e.since);
            let grants = licenses.iter().map(|(_, grant)| *grant);
            call.happened = self.came_about(grants, paid.max().unwrap_or(self.now));
            let known = self.machine.notices.iter().any(|n| call.is(n));
            if known || licenses.iter().all(|(seat, grant)| reaches(seat, grant)) {
                out.push(call);
            }
        }
    }

    /// When what a mail says of licenses came about: now, where one got time by our own hand since the cause; else with the
    /// cause itself, for then it was found to be so.
    pub(super) fn came_about<'g>(
        &self,
        mut grants: impl Iterator<Item = &'g Grant>,
        cause: Timestamp,
    ) -> Timestamp {
        let gave = |grant: &Grant| {
            let gives = |a: &Action| match a.act {
                Act::SetExpiry { .. } | Act::Reinstate { .. } => a.shortens != Some(true),
                Act::Create(_)
                | Act::Suspend { .. }
                | Act::Revoke { .. }
                | Act::SetDevices { .. }
                | Act::ResetDevices { .. }
                | Act::Read { .. }
                | Act::Recover(_)
                | Act::Query(_) => false,
            };
            let is_done = |a: &&Action| a.outcome == ActionOutcome::Done && a.at >= cause;
            let mut of_it = self.machine.actions.iter().filter(is_done);
            of_it.any(|a| a.license == grant.number && gives(a))
        };
        if grants.any(gave) { self.now } else { cause }
    }

    /// Time that was confirmed to the customer and taken back since, when the service has confirmed the earlier end.
    pub(super) fn shortened(&self, out: &mut Vec<DueNotice>) {
        let taken_back = |e: &Extension| e.standing != ExtensionStanding::Counts;
        for (from, licenses) in self.extended_by(taken_back) {
            let about = About::Purchase(from.object().clone());
            let was_told = self.told_last(&about, NoticeKind::Extended)
                || self.told_last(&about, NoticeKind::TimeRestored);
            let is_done = |(seat, grant): &(&SeatDue, &Grant)| !exceeds(seat, grant, self.now);
            // Where the license's own money went back too, the mail about that says more.
            let says_more = licenses.iter().any(|(seat, _)| seat.why == Why::Refunded);
            if was_told && !says_more && licenses.iter().all(is_done) {
                let mut call = self.next_time(NoticeKind::Shortened, about);
                call.seats = licenses.iter().map(|(_, grant)| grant.number).collect();
                out.push(call);
            }
        }
    }

    /// Time whose end was told and that counts again, as after a dispute that was won, when the service has confirmed it.
    pub(super) fn time_restored(&self, out: &mut Vec<DueNotice>) {
        let counts = |e: &Extension| e.standing == ExtensionStanding::Counts;
        for (from, licenses) in self.extended_by(counts) {
            let about = About::Purchase(from.object().clone());
            if !self.told_last(&about, NoticeKind::Shortened) {
                continue;
            }
            let mut call = self.next_time(NoticeKind::TimeRestored, about);
            call.seats = licenses.iter().map(|(_, grant)| grant.number).collect();
            let known = self.machine.notices.iter().any(|n| call.is(n));
            if known || licenses.iter().all(|(seat, grant)| reaches(seat, grant)) {
                out.push(call);
            }
        }
    }

    /// Whether this is what the customer was told last of the time that a purchase added.
    fn told_last(&self, about: &About, kind: NoticeKind) -> bool {
        let of_time = [
            NoticeKind::Extended,
            NoticeKind::Shortened,
            NoticeKind::TimeRestored,
        ];
        let closed = |n: &&Notice| {
            n.status != NoticeStatus::Pending && n.skipped != Some(Skipped::NoLongerTrue)
        };
        let is_meant = |n: &&Notice| n.about == *about && of_time.contains(&n.kind);
        let mut latest = self.machine.notices.iter().rev().filter(is_meant);
        let last = latest.find(closed);
        last.is_some_and(|n| n.kind == kind && n.status == NoticeStatus::Sent)
    }

    /// A notice that may be due several times about one thing: each time that it was settled before, it is another one.
    fn next_time(&self, kind: NoticeKind, about: About) -> DueNotice {
        let settled =
            |n: &&Notice| n.kind == kind && n.about == about && n.status != NoticeStatus::Pending;
        let before = self.machine.notices.iter().filter(settled).count();
        let mut call = DueNotice::new(kind, about, self.now);
        call.part = Part::nth(before);
        call
    }

    /// The licenses that other purchases extend, by purchase.
    fn extended_by(
        &self,
        is_meant: impl Fn(&Extension) -> bool,
    ) -> BTreeMap<&MachineId, Vec<(&SeatDue, &Grant)>> {
        let mut by: BTreeMap<&MachineId, Vec<(&SeatDue, &Grant)>> = BTreeMap::new();
        for extension in self.machine.extensions.iter().filter(|e| is_meant(e)) {
            let of_extension = |(seat, _): &(&SeatDue, Option<&Grant>)| extension.is_of(seat);
            if let Some((seat, Some(grant))) = self.matched().find(of_extension) {
                by.entry(&extension.from).or_default().push((seat, grant));
            }
        }
        by
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
                // An end that is held, or was given up, is not told ahead.
                && left(self.machine, grant, self.now).is_none()
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
        let policy = self.terms().policy(seat.plan.as_ref(), bought);
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

/// Whether a license still works beyond what it should, as far as the service confirmed.
fn exceeds(seat: &SeatDue, grant: &Grant, now: Timestamp) -> bool {
    match (seat.want, grant.expires_at) {
        (Want::Live { until: None }, _) => false,
        (Want::Live { until: Some(_) }, None) => grant.live_at(now),
        (Want::Live { until: Some(until) }, Some(is)) => {
            grant.live_at(now) && is.whole_s() > until.whole_s()
        }
        (Want::Suspended | Want::Revoked | Want::Nothing, _) => grant.live_at(now),
    }
}
