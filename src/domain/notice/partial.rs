//! Licenses that work again beside others that stay stopped: a refund or a dispute had stopped them all, and some were paid
//! for since.

use super::{DueNotice, Notice, NoticeKind, Part};
use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::context::Situation;
use crate::domain::machine::Grant;

impl Situation<'_> {
    /// Those that work again and were not told of, while the stop is not undone for all of them.
    pub(super) fn some_restored(&self, stop: &Notice, out: &mut Vec<DueNotice>) {
        let is_of_money = matches!(stop.kind, NoticeKind::Refunded | NoticeKind::Disputed);
        // Those that come back together are told of together.
        if !is_of_money || !self.all_live() {
            return;
        }
        let is_said = |number| {
            let same = |c: &DueNotice| c.kind == NoticeKind::Restored && c.seats.contains(&number);
            out.iter().any(same)
        };
        let back: Vec<&Grant> = self
            .matched()
            .filter(|(seat, _)| seat.want.live_at(self.now))
            .filter_map(|(_, grant)| grant)
            .filter(|g| self.was_reinstated_since(g, stop))
            .filter(|g| !self.is_told_back(g.number, stop) && !is_said(g.number))
            .collect();
        let Some(first) = back.first() else { return };
        let mut call = DueNotice::new(NoticeKind::Restored, stop.about.clone(), self.now);
        call.part = Part::License(first.number);
        call.seats = back.iter().map(|g| g.number).collect();
        let since = self.came_about(back.iter().copied(), stop.at);
        out.push(call.of(since));
    }

    /// Whether a return was told of some of the licenses alone that a stop was about.
    pub(super) fn some_are_told_back(&self, stop: &Notice) -> bool {
        let of_some = |n: &Notice| is_after(n, stop) && matches!(n.part, Part::License(_));
        let of_it = |n: &Notice| n.about == stop.about && of_some(n);
        self.machine.notices.iter().any(of_it)
    }

    fn was_reinstated_since(&self, grant: &Grant, stop: &Notice) -> bool {
        let reinstates = |a: &Action| {
            let done = a.outcome == ActionOutcome::Done && a.at >= stop.at;
            done && a.license == grant.number && matches!(a.act, Act::Reinstate { .. })
        };
        self.machine.actions.iter().any(reinstates)
    }

    fn is_told_back(&self, number: u32, stop: &Notice) -> bool {
        let tells = |n: &Notice| {
            let of_all = n.seats.is_empty() && n.about == stop.about;
            is_after(n, stop) && (of_all || n.seats.contains(&number))
        };
        self.machine.notices.iter().any(tells)
    }
}

fn is_after(notice: &Notice, stop: &Notice) -> bool {
    notice.kind == NoticeKind::Restored && notice.id > stop.id
}
