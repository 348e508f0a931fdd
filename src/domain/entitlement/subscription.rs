//! What a subscriber should hold, item by item.

use super::{Ctx, Entitlement, KEEP_AHEAD, PURCHASE, Want, Why, earliest, takes_away};
use crate::domain::fact::Priced;
use crate::domain::fold::{ItemKey, SubscriptionFold};
use crate::domain::id::PlanName;
use crate::domain::plan::Plan;
use crate::domain::policy::{AtGraceEnd, OnCancel, OnPause};
use crate::domain::time::{Span, Timestamp};

impl Ctx<'_> {
    pub(super) fn subscription(&self, s: &SubscriptionFold) -> Entitlement {
        let mut out = Entitlement::default();
        let wants = s.snapshot.as_ref().map(|(_, snap)| snap.wants.clone()).unwrap_or_default();
        let wants = if wants.is_empty() { s.known.asked.clone().unwrap_or_default() } else { wants };
        let mut ends = Vec::new();
        for (key, price, quantity, metered) in items(s) {
            let Some(history) = s.known.history(&key) else { continue };
            let licensed = |(at, p): &&(Timestamp, Priced)| s.known.licenses(p, *at, self.revisions, self.decided);
            let Some((since, last)) = history.prices.iter().rev().find(licensed) else { continue };
            let plan = s.known.plan_of(last, *since, self.revisions, self.decided);
            if metered && plan.is_none_or(Plan::is_rest) {
                continue; // billed by use: nothing was bought in units
            }
            let sells = s.known.licenses(
                &price,
                s.snapshot.as_ref().map_or(*since, |(at, _)| *at),
                self.revisions,
                self.decided,
            );
            let wished = self.wished(plan, &wants);
            let policy_plan = plan.map(|p| &p.name);
            let want = self.item_want(s, &key, policy_plan, sells);
            // What the metadata asks for is one thing, whichever item is taken for it as more becomes known.
            let by_metadata = s.known.only_asked(last, *since, self.revisions, self.decided);
            let mut aliases = history.aliases.clone();
            if by_metadata {
                aliases.insert(key.clone());
            } else if s.known.items.first().is_some_and(|(first, _)| *first == key) {
                aliases.insert(PURCHASE.to_owned());
            }
            let item = if by_metadata { PURCHASE.to_owned() } else { key.clone() };
            ends.extend(s.base_end(&key, self.decided));
            for mut seat in self.seats(&item, &aliases, &wished, quantity) {
                (seat.want, seat.why) = want;
                seat.since = s.began;
                out.seats.push(seat);
            }
        }
        out.complete = s.snapshot.as_ref().is_some_and(|(_, snap)| !snap.items.is_empty());
        let episode = s.open_episode().map(|e| e.ends);
        let kept = s.open_episode().and_then(|e| keep_until(e.ends, self.now)).map(|u| u - KEEP_AHEAD);
        let margins: Vec<_> = ends
            .into_iter()
            .chain(episode)
            .chain(kept)
            .chain(s.processing.iter().copied())
            .chain(s.sent_until)
            .chain(s.speaks_at)
            .collect();
        out.wake = earliest(None, margins, self.now);
        out
    }

    fn item_want(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>, sells: bool) -> (Want, Why) {
        let (want, why) = self.period_want(s, key, plan, sells);
        if want == Want::Nothing || want == Want::Revoked {
            return (want, why);
        }
        if !self.decided.kept {
            if self.refunded(s, key, plan) {
                return (Want::Revoked, Why::Refunded);
            }
            let paid_since = |at| s.covers.get(key).is_some_and(|c| c.spans.iter().any(|span| span.paid_at > at));
            if let Some(stop) = self.disputed(&s.disputed, plan, paid_since) {
                return stop;
            }
        }
        if want == Want::Suspended {
            return (want, why);
        }
        let pause = s.paused.filter(|p| !p.trial_over && s.ended.is_none());
        if pause.is_some_and(|p| self.policy(plan, p.since).on_pause == OnPause::Suspend) {
            return (Want::Suspended, Why::Paused);
        }
        (want, why)
    }

    /// What the paid, granted and promised time says, before refunds, disputes and pauses.
    fn period_want(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>, sells: bool) -> (Want, Why) {
        let Some(base) = s.base_end(key, self.decided) else { return (Want::Nothing, Why::NotPaid) };
        let live = |until| (Want::Live { until: Some(until) }, Why::Due);
        let ends = |until| (Want::Live { until: Some(until) }, Why::Ending);
        // The margin that was promised when it was last paid: an edited file does not reach back.
        let paid_at = s.covers.get(key).and_then(|c| c.spans.last()).map(|span| span.paid_at).or(s.began);
        let margin = self.policy(plan, paid_at.unwrap_or(self.now)).expiry_margin;
        let episode = s.open_episode();
        if let Some(ended) = s.ended.as_ref().filter(|e| !(e.gave_up && episode.is_some())) {
            // Stripe giving up is no cancellation: what was paid all the same lives to its end.
            if ended.never_began || ended.gave_up {
                return ends(base);
            }
            return match self.policy(plan, ended.told).on_cancel {
                OnCancel::PeriodEnd => ends(base),
                OnCancel::Now => ends(base.min(ended.at)),
                OnCancel::Keep => (Want::Live { until: None }, Why::Ending),
            };
        }
        if s.paused.is_some_and(|p| p.trial_over) || !sells {
            return ends(base);
        }
        if let Some(episode) = episode {
            if episode.lapsed.is_none() {
                return live((base + margin).max(episode.ends));
            }
            if base > self.now {
                return live(base + margin); // this item is paid; another one of the subscription is not
            }
            return match (episode.policy.at_grace_end, s.ended.as_ref()) {
                (AtGraceEnd::Suspend, _) => (Want::Suspended, Why::Lapsed),
                (AtGraceEnd::Revoke, _) => (Want::Revoked, Why::Lapsed),
                (AtGraceEnd::Keep, Some(ended)) => ends(episode.ends.max(ended.at)),
                (AtGraceEnd::Keep, None) => (Want::Live { until: keep_until(episode.ends, self.now) }, Why::Due),
            };
        }
        if let Some((planned, policy_at)) = planned_end(s, key).filter(|(end, _)| *end <= base) {
            match self.policy(plan, policy_at).on_cancel {
                OnCancel::PeriodEnd => return ends(base),
                OnCancel::Now => return ends(base.min(planned)),
                OnCancel::Keep => {}
            }
        }
        let ordinary = (base + margin).max(s.sent_until.unwrap_or(base));
        // Looked at when the license would run out, so that an ordinary renewal stays one extend.
        let under_way = s.processing.iter().find(|until| self.now >= ordinary && **until > self.now.max(ordinary));
        live(under_way.copied().unwrap_or(ordinary))
    }

    /// Whether the money of the running period went back: its own invoice's, with no other payment reaching as far.
    fn refunded(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>) -> bool {
        let Some(cover) = s.covers.get(key) else { return false };
        let gone = |invoice: &crate::domain::id::InvoiceId| {
            s.returned.get(invoice).filter(|(r, at)| takes_away(*r, &self.policy(plan, *at))).map(|(_, at)| *at)
        };
        cover.spans.iter().any(|span| {
            gone(&span.invoice).is_some_and(|at| at < span.end)
                && !cover.spans.iter().any(|other| {
                    other.invoice != span.invoice && other.end >= span.end && gone(&other.invoice).is_none()
                })
        })
    }
}

/// Where the expiry stands under `keep` after a grace that ended at `ends`.
fn keep_until(ends: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let steps = (now - ends).ms().max(0) / KEEP_AHEAD.ms() + 2;
    Some(ends + Span::from_ms(KEEP_AHEAD.ms() * steps))
}

/// The planned end as it concerns an item, and since when it is planned.
fn planned_end(s: &SubscriptionFold, key: &str) -> Option<(Timestamp, Timestamp)> {
    let (_, snapshot) = s.snapshot.as_ref()?;
    let since = s.planned_since?;
    let of_item = || {
        let item = snapshot.items.iter().find(|i| s.known.key_of_item(i).is_some_and(|k| k == key))?;
        item.period_end
    };
    let end = if snapshot.cancel_at_period_end { snapshot.cancel_at.or_else(of_item) } else { snapshot.cancel_at };
    Some((end?, since))
}

/// The items that the subscription has now: those of the newest snapshot, else those that invoices bill.
fn items(s: &SubscriptionFold) -> Vec<(ItemKey, Priced, u32, bool)> {
    match s.snapshot.as_ref().filter(|(_, snap)| !snap.items.is_empty()) {
        Some((_, snapshot)) => snapshot
            .items
            .iter()
            .filter_map(|i| {
                let quantity = i.quantity.unwrap_or(1);
                s.known.key_of_item(i).map(|key| (key.clone(), i.price.clone(), quantity, i.metered))
            })
            .collect(),
        None => s
            .line_quantities
            .iter()
            .map(|(key, (price, quantity))| (key.clone(), price.clone(), *quantity, false))
            .collect(),
    }
}
