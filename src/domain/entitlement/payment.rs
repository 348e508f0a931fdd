//! What the buyer of a one-time purchase should hold.

use std::collections::BTreeSet;

use super::{Ctx, Entitlement, LOOKUP_TAKES, PURCHASE, Want, Why, Wished, takes_away};
use crate::domain::fact::{Bought, Priced};
use crate::domain::fold::{ItemKey, PaymentFold};
use crate::domain::id::PlanName;
use crate::domain::plan::Plan;
use crate::domain::time::Timestamp;

/// One thing that was sold.
struct Sold<'a> {
    key: ItemKey,
    aliases: BTreeSet<ItemKey>,
    quantity: u32,
    plan: Option<&'a Plan>,
}

impl Ctx<'_> {
    pub(super) fn payment(&self, p: &PaymentFold) -> Entitlement {
        let mut out = Entitlement::default();
        let at = p.paid_at.unwrap_or(self.now);
        let judged = self.decided.judged_at(at);
        let named = p.wants.plan.as_deref().map(|n| (n, self.revisions.plan_named(n, judged)));
        if let Some((name, None)) = named {
            out.report(at, format!("the purchase's metadata names the plan `{name}`, which no config knew"));
        }
        let lines = self.sold(p, named.and_then(|(_, plan)| plan), judged);
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
        // What a purchase holds never shrinks: a license beyond that is one that was made under another name of it.
        out.complete = p.paid_at.is_some() && !lines.is_empty();
        for Sold { key, aliases, quantity, plan } in lines {
            let wished = self.wished(plan, &p.wants);
            let want = self.payment_want(p, &wished, plan.map(|p| &p.name));
            for mut seat in self.seats(&key, &aliases, &wished, quantity.max(1)) {
                (seat.want, seat.why) = want;
                seat.since = p.paid_at;
                out.seats.push(seat);
            }
        }
        out
    }

    /// What was sold: the plan that the metadata names, else each line that a plan names, else what the metadata asks for.
    fn sold<'r>(&'r self, p: &PaymentFold, named: Option<&'r Plan>, judged: Timestamp) -> Vec<Sold<'r>> {
        let whole = |quantity, plan, aliases| vec![Sold { key: PURCHASE.to_owned(), aliases, quantity, plan }];
        if named.is_some() {
            // It may have been served already by the name of a line, before the metadata was heard of.
            let names = p.lines.iter().enumerate().chain(p.invoiced.iter().enumerate());
            let names = names.map(|(n, l)| line_key(l.line.as_deref(), &l.price, n)).collect();
            return whole(p.lines.first().map_or(1, |l| l.quantity), named, names);
        }
        let mut lines: Vec<Sold<'_>> = Vec::new();
        for (n, line) in p.lines.iter().enumerate() {
            if let Some(plan) = self.revisions.plan_for(&line.price, judged) {
                let key = line_key(line.line.as_deref(), &line.price, n);
                lines.push(Sold { key, aliases: aliases(p, line), quantity: line.quantity, plan: Some(plan) });
            }
        }
        if lines.is_empty() && p.wants.app_id.is_some() {
            return whole(1, None, BTreeSet::new());
        }
        lines
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

/// Other names under which a line may have been served already: the purchase as a whole, and the invoice's line of its price.
fn aliases(p: &PaymentFold, line: &Bought) -> BTreeSet<ItemKey> {
    let same = p.invoiced.iter().enumerate().filter(|(_, l)| same_price(&l.price, &line.price));
    let names = same.map(|(n, l)| line_key(l.line.as_deref(), &l.price, n));
    names.chain([PURCHASE.to_owned()]).collect()
}

fn same_price(a: &Priced, b: &Priced) -> bool {
    match (&a.id, &b.id) {
        (Some(a), Some(b)) => a == b,
        _ => a.product.is_some() && a.product == b.product,
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
