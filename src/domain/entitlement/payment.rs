//! What the buyer of a one-time purchase should hold.

use std::collections::BTreeSet;

use super::{Ctx, Entitlement, LOOKUP_TAKES, PURCHASE, Want, Why, Wished, takes_away};
use crate::domain::fact::Priced;
use crate::domain::fold::{ItemKey, PaymentFold};
use crate::domain::id::PlanName;
use crate::domain::plan::Plan;

impl Ctx<'_> {
    pub(super) fn payment(&self, p: &PaymentFold) -> Entitlement {
        let mut out = Entitlement { complete: false, ..Entitlement::default() };
        let at = p.paid_at.unwrap_or(self.now);
        let judged = self.decided.judged_at(at);
        let named = p.wants.plan.as_deref().map(|n| (n, self.revisions.plan_named(n, judged)));
        if let Some((name, None)) = named {
            out.report(at, format!("the purchase's metadata names the plan `{name}`, which no config knew"));
        }
        let mut lines: Vec<(ItemKey, u32, Option<&Plan>)> = Vec::new();
        for (n, line) in p.lines.iter().enumerate() {
            if let Some(plan) = self.revisions.plan_for(&line.price, judged) {
                lines.push((line_key(line.line.as_deref(), &line.price, n), line.quantity, Some(plan)));
            }
        }
        if lines.is_empty() {
            if let Some((_, Some(plan))) = named {
                lines.push((PURCHASE.to_owned(), p.lines.first().map_or(1, |l| l.quantity), Some(plan)));
            } else if p.wants.app_id.is_some() {
                lines.push((PURCHASE.to_owned(), 1, None));
            }
        }
        // A look-up may be under way that says what was bought.
        let told_by = p.paid_learned.filter(|_| !p.lines_told).map_or(at, |learned| learned + LOOKUP_TAKES);
        if lines.is_empty() && p.paid_at.is_some() && self.now < told_by {
            out.wake = Some(told_by);
        } else if lines.is_empty() && p.paid_at.is_some() {
            out.report(
                at,
                "paid, but nothing to hand out: the purchase names neither a plan nor an application".to_owned(),
            );
        }
        for (key, quantity, plan) in lines {
            let wished = self.wished(plan, &p.wants);
            let want = self.payment_want(p, &wished, plan.map(|p| &p.name));
            for mut seat in self.seats(&key, &BTreeSet::from([PURCHASE.to_owned()]), &wished, quantity.max(1)) {
                (seat.want, seat.why) = want;
                seat.since = p.paid_at;
                out.seats.push(seat);
            }
        }
        out
    }

    fn payment_want(&self, p: &PaymentFold, wished: &Wished, plan: Option<&PlanName>) -> (Want, Why) {
        let Some(paid_at) = p.paid_at else { return (Want::Nothing, Why::NotPaid) };
        let until = wished
            .template
            .duration
            .map(|d| paid_at + d)
            .max(self.decided.extended.filter(|_| wished.template.duration.is_some()));
        if !self.decided.kept {
            if let Some(at) = p.returned_at
                && takes_away(p.returned, &self.policy(plan, at))
            {
                return (Want::Revoked, Why::Refunded);
            }
            if let Some(stop) = self.disputed(&p.disputed, plan, |_| false) {
                return stop;
            }
        }
        (Want::Live { until }, Why::Due)
    }
}

/// The name of a purchase's line: its own id, else its price (with its place, where a price stands twice).
fn line_key(line: Option<&str>, price: &Priced, n: usize) -> ItemKey {
    match (line, &price.id) {
        (Some(line), _) => line.to_owned(),
        (None, Some(price)) => price.as_str().to_owned(),
        (None, None) => format!("line {}", n + 1),
    }
}
