//! Whether what a mail says of a license's end or stop is so at the license service: while the work is held, refused or under
//! way the mail waits, and where a person gave the work up it is never said.

use super::{About, DueNotice, Notice, NoticeKind, NoticeStatus, Part, Skipped};
use crate::domain::context::Situation;
use crate::domain::entitlement::{SeatDue, Why};
use crate::domain::explain::{Rest, end_of};
use crate::domain::machine::{Grant, Machine};
use crate::domain::time::Timestamp;

/// What became of the licenses that a mail says have ended or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// They did, as far as the service takes it from us.
    True,
    /// One still works, and its end is to come or waits for somebody.
    Waits,
    /// They go on: a person gave their end up.
    GivenUp,
}

/// What becomes of a license that still works and should not, or not so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Left {
    /// Its end is to come, or waits for somebody.
    Waits,
    /// A person gave its end up.
    GivenUp,
}

/// What becomes of a license that still works, by what would take it, or time of it.
#[must_use]
pub(in crate::domain) fn left(machine: &Machine, grant: &Grant, now: Timestamp) -> Option<Left> {
    if !grant.live_at(now) || grant.is_left() {
        return None;
    }
    Some(match end_of(machine, grant, now)? {
        Rest::GivenUp => Left::GivenUp,
        Rest::OnItsWay | Rest::SellerKnows | Rest::Paused => Left::Waits,
    })
}

impl Notice {
    /// Whether only a part of the licenses ended that its mail is about: the end of the others was given up.
    #[must_use]
    pub fn is_partly(&self, machine: &Machine, now: Timestamp) -> bool {
        let given_up = |g: &Grant| left(machine, g, now) == Some(Left::GivenUp);
        let says_end = matches!(self.kind, NoticeKind::Refunded | NoticeKind::Disputed);
        says_end && self.part != Part::Kept && machine.grants.iter().any(given_up)
    }
}

impl Situation<'_> {
    /// Says that licenses ended or stopped, as soon and as far as that is so.
    pub(super) fn claim(&self, mut call: DueNotice, why: Why, out: &mut Vec<DueNotice>) {
        call.part = self.part_of(call.kind, &call.about, why);
        match self.claimed(why) {
            Claim::True => {}
            Claim::Waits => call.waits = true,
            Claim::GivenUp => return self.given_up(call, out),
        }
        out.push(call);
    }

    /// Its end was given up: nothing says that it came. That the money went back, or is disputed, is told all the same.
    fn given_up(&self, call: DueNotice, out: &mut Vec<DueNotice>) {
        let tells_more = matches!(call.kind, NoticeKind::Refunded | NoticeKind::Disputed);
        if tells_more && !self.machine.notices.iter().any(|n| is_told(n, &call)) {
            out.push(DueNotice {
                part: Part::Kept,
                ..call.clone()
            });
        }
        let open = |n: &Notice| call.is(n) && n.status.is_open();
        if self.machine.notices.iter().any(open) {
            out.push(DueNotice {
                skip: Some(Skipped::EndGivenUp),
                ..call
            });
        }
    }

    /// Where the end was given up once and comes after all, or what ended came back and ends again, its mail is another one.
    fn part_of(&self, kind: NoticeKind, about: &About, why: Why) -> Part {
        let of_it = |n: &&Notice| n.kind == kind && n.about == *about;
        let given_up = |n: &&Notice| n.skipped == Some(Skipped::EndGivenUp);
        let notices = self.machine.notices.iter().filter(of_it);
        let given_up = notices.clone().filter(given_up).count();
        let mut told = notices.filter(|n| n.status == NoticeStatus::Sent && n.part != Part::Kept);
        let told_before = match told.next_back() {
            None => 0,
            Some(last) => told.count() + usize::from(self.came_back_since(last, why)),
        };
        Part::nth(given_up + told_before)
    }

    /// Whether what a refund, a dispute or the subscription's end had stopped, as a mail said, worked again since then: that was
    /// told, or the license that it stops now was made since. A failed payment brings one stop, and one return (rule 41).
    fn came_back_since(&self, stop: &Notice, why: Why) -> bool {
        let is_of_money = matches!(stop.kind, NoticeKind::Refunded | NoticeKind::Disputed);
        if !is_of_money && stop.about != About::End {
            return false;
        }
        let is_stopped = |number: &u32| {
            let mut stopped = self.matched().filter(|(seat, _)| seat.why == why);
            stopped.any(|(_, grant)| grant.is_some_and(|g| g.number == *number))
        };
        let is_return = |n: &Notice| {
            n.kind == NoticeKind::Restored
                && n.about == stop.about
                && n.id > stop.id
                && n.status == NoticeStatus::Sent
                && (n.seats.is_empty() || n.seats.iter().any(is_stopped))
        };
        let is_new = |(seat, grant): (&SeatDue, Option<&Grant>)| {
            let made = |g: &Grant| g.since > stop.at && !g.adopted && !g.moved_in;
            seat.why == why && grant.is_some_and(made)
        };
        self.machine.notices.iter().any(is_return) || self.matched().any(is_new)
    }

    fn claimed(&self, why: Why) -> Claim {
        let meant = |(seat, _): &(&SeatDue, Option<&Grant>)| {
            seat.why == why && !seat.want.live_at(self.now)
        };
        let grants: Vec<&Grant> = self
            .matched()
            .filter(meant)
            .filter_map(|(_, g)| g)
            .collect();
        let is_flawed = self.machine.held.is_some();
        if is_flawed && grants.iter().any(|g| g.live_at(self.now)) {
            return Claim::Waits;
        }
        let left: Vec<Option<Left>> = grants
            .iter()
            .map(|g| left(self.machine, g, self.now))
            .collect();
        if left.contains(&Some(Left::Waits)) {
            Claim::Waits
        } else if !left.is_empty() && left.iter().all(|l| *l == Some(Left::GivenUp)) {
            Claim::GivenUp
        } else {
            Claim::True
        }
    }
}

/// Whether the customer was told already of what a call is about, in whichever words.
fn is_told(notice: &Notice, call: &DueNotice) -> bool {
    let told = notice.kind == call.kind && notice.about == call.about;
    told && notice.status == NoticeStatus::Sent && notice.part != Part::Kept
}
