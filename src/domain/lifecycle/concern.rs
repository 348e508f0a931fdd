//! Which items a grace, or an open renewal, is for: it keeps alive what its invoice should have paid. Each item has its own
//! end (rule 21), and a renewal is one of a licensed item (rule 25): what is paid by another invoice, or was paid since, goes
//! its own way.

use std::collections::BTreeSet;

use super::Cause;
use super::course::Course;
use super::deadlines::is_owed;
use super::grace::{Cause as FailureCause, Concern, Episode, FailureTime, GraceOutcome};
use super::role::{LicensedLine, Role};
use super::subscription::SubscriptionState as S;
use super::subscription_life::{OpenRenewal, SubscriptionLife};
use crate::domain::fact::Fact;
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::time::Timestamp;

impl Episode {
    /// Whether it is for an item whose paid time ends at `paid`; no item: what the metadata asks for, which lives by all.
    fn is_for(&self, item: Option<&ItemKey>, paid: Option<Timestamp>, now: Timestamp) -> bool {
        let known = &self.concern;
        let meant = item.is_none_or(|key| {
            let billed = known.items.as_ref().is_none_or(|all| all.contains(key));
            billed && !known.recovered.contains(key)
        });
        // An item that is paid is no concern of another one's failure, once that has lapsed or Stripe has given up; one that
        // lives by what a person added alone never is: a grace keeps what was paid for (rule 20).
        let runs = self.lapsed.is_none() && !self.gave_up;
        meant && self.is_open() && paid.is_some_and(|end| end <= now || runs)
    }
}

impl SubscriptionLife {
    /// The unsettled grace of an item whose paid time ends at `paid`.
    #[must_use]
    pub fn grace_of(
        &self,
        item: Option<&ItemKey>,
        paid: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<&Episode> {
        let mut all = self.episodes.iter().rev();
        all.find(|e| e.is_for(item, paid, now))
    }

    /// The open renewals that carry an item, or, without one, what the metadata asks for.
    pub fn renewals_of(
        &self,
        item: Option<&ItemKey>,
    ) -> impl Iterator<Item = &OpenRenewal> + Clone {
        let of_it = move |o: &&OpenRenewal| {
            let items = o.items.as_ref();
            items.is_none_or(|items| item.is_none_or(|key| items.contains(key)))
        };
        self.open_renewals.iter().filter(of_it)
    }

    fn is_graced(&self, item: &ItemKey, now: Timestamp) -> bool {
        self.grace_of(Some(item), self.paid_end(item), now)
            .is_some()
    }

    fn open_episodes(&mut self) -> impl Iterator<Item = &mut Episode> {
        self.episodes.iter_mut().filter(|e| e.is_open())
    }
}

impl Course<'_, '_> {
    /// The items that a grace would be for that begins at an instant. Beside one that is open, it is for those only that the
    /// other is not for: no later failure gives them more time (rule 25).
    pub(super) fn concern_of(&self, cause: &FailureCause, at: Timestamp) -> Concern {
        let billed = match cause {
            FailureCause::Invoice(id) => self.billed_by(id),
            FailureCause::FailureAt(_) => None,
        };
        let another_s = |key: &ItemKey| {
            let billed = billed.as_ref().is_none_or(|all| all.contains(key));
            !billed && self.is_carried(key, at)
        };
        let is_unpaid = |key: &&ItemKey| {
            let ended = self.life.paid_end(key).is_some_and(|end| end <= at);
            ended && !self.life.is_graced(key, at) && !another_s(key)
        };
        let licensed = self.objects.subscription.licensed_at(at);
        let mut unpaid: BTreeSet<ItemKey> = licensed.filter(is_unpaid).cloned().collect();
        let items = if self.life.open_episode().is_some() {
            unpaid.retain(|key| billed.as_ref().is_some_and(|all| all.contains(key)));
            Some(unpaid.clone())
        } else {
            billed.map(|all| all.union(&unpaid).cloned().collect())
        };
        Concern {
            items,
            unpaid,
            recovered: BTreeSet::new(),
        }
    }

    /// Whether a sent renewal of an item has time to be paid (rule 32): what becomes of the item is that invoice's affair.
    fn is_carried(&self, key: &ItemKey, at: Timestamp) -> bool {
        let renews = |id: &InvoiceId| self.billed_by(id).is_some_and(|all| all.contains(key));
        self.sent_renewals()
            .any(|(due, i)| due > at && is_owed(i, at) && renews(&i.shown.id))
    }

    /// Whether each licensed item that had time and has none is carried by a sent renewal.
    fn only_carried_are_unpaid(&self, at: Timestamp) -> bool {
        let licensed = self.objects.subscription.licensed_at(at);
        let ended = |key: &&ItemKey| self.life.paid_end(key).is_some_and(|end| end <= at);
        let mut unpaid = licensed.filter(ended).peekable();
        unpaid.peek().is_some() && unpaid.all(|key| self.is_carried(key, at))
    }

    /// The items that a renewal charges.
    fn billed_by(&self, id: &InvoiceId) -> Option<BTreeSet<ItemKey>> {
        self.renewed_by(id, |line| line.charges && !line.trial)
    }

    /// The items that a renewal has lines for which count, where all its lines are known and items have licenses of their own.
    pub(super) fn renewed_by(
        &self,
        id: &InvoiceId,
        counts: impl Fn(&LicensedLine<'_>) -> bool,
    ) -> Option<BTreeSet<ItemKey>> {
        let (role, lines) = self.roles.get(id)?;
        let whole = self.objects.invoices.get(id)?.lines.lines_whole;
        let known = *role == Role::Renewal && whole && self.life.asked.is_none();
        let base = lines.iter().filter(|(_, l)| !l.line.proration && counts(l));
        known.then(|| base.map(|(key, _)| key.clone()).collect())
    }

    /// A renewal fails while a grace is open: items that this one is not for get their own.
    pub(super) fn fail_beside(
        &mut self,
        failed: FailureTime,
        invoice: &InvoiceId,
        told_by: impl FnOnce() -> Cause,
    ) {
        let cause = FailureCause::Invoice(invoice.clone());
        let open = self.life.open_episode().is_some();
        // Of one invoice is told once, whatever became of its grace.
        let told = self.life.episodes.iter().any(|e| e.cause == cause);
        let may = open && !told && self.life.ended.is_none() && !self.is_excused();
        if may && !self.concern_of(&cause, failed.at).unpaid.is_empty() {
            self.begin_grace(failed, cause, told_by);
        }
    }

    /// Notes what was paid since a grace began. Of several that are open, one that has nothing unpaid any more is over; a
    /// single one ends with its subscription's state, also where only items are unpaid whose own renewal has time to be paid.
    pub(super) fn recover(&mut self, fact: &Fact) {
        let open = self.life.open_episodes().count();
        if open == 0 {
            return;
        }
        let is_paid = |key: &&ItemKey| self.life.paid_end(key).is_some_and(|end| end > fact.at);
        let paid: Vec<ItemKey> = self.life.paid.keys().filter(is_paid).cloned().collect();
        for episode in self.life.open_episodes() {
            let concern = &mut episode.concern;
            for key in &paid {
                if concern.unpaid.remove(key) {
                    concern.recovered.insert(key.clone());
                }
            }
            if open > 1 && concern.unpaid.is_empty() && !concern.recovered.is_empty() {
                episode.outcome = GraceOutcome::Recovered(fact.at);
            }
        }
        self.recover_beside_carried(fact);
    }

    fn recover_beside_carried(&mut self, fact: &Fact) {
        let mut open = self.life.episodes.iter().filter(|e| e.is_open());
        let (Some(only), None) = (open.next(), open.next()) else {
            return;
        };
        let over = only.concern.unpaid.is_empty() && !only.concern.recovered.is_empty();
        let late = self.state().is_some_and(S::owes);
        if over && late && self.only_carried_are_unpaid(fact.at) {
            self.settled_by(fact);
        }
    }
}
