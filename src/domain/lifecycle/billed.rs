//! What an invoice pays for: each line to its own end, credits first, and what a cut list does not show.

use super::course::Course;
use super::paid_time::{PaidPeriod, PaidTime};
use super::role::Role;
use crate::domain::finding::Finding;
use crate::domain::id::ItemKey;
use crate::domain::object::{Invoice, ItemThen};
use crate::domain::time::Timestamp;

impl<'f> Course<'_, 'f> {
    /// Counts what an invoice pays for: credits first, then each line to its own end (rule 17). Whether some of it reaches
    /// beyond the instant.
    pub(super) fn pay(&mut self, at: Timestamp, invoice: &Invoice<'f>) -> bool {
        let lines = self
            .roles
            .get(&invoice.shown.id)
            .map(|(_, lines)| lines.clone())
            .unwrap_or_default();
        let is_changed = |key: &ItemKey| {
            lines
                .iter()
                .any(|(k, l)| k == key && l.line.proration && l.charges)
        };
        for (key, credit) in lines.iter().filter(|(_, l)| l.line.amount < 0) {
            let (from, to) = (credit.line.start, credit.line.end);
            let changed = is_changed(key);
            let paid = self.paid_mut(key);
            paid.credit(from, to);
            if !changed {
                paid.replace(from, to);
            }
        }
        let mut paid: Vec<(ItemKey, PaidPeriod)> = Vec::new();
        for (key, billed) in lines.iter().filter(|(_, l)| l.charges && !l.trial) {
            let (start, end, proration) =
                (billed.line.start, billed.line.end, billed.line.proration);
            paid.push((
                key.clone(),
                PaidPeriod {
                    invoice: invoice.shown.id.clone(),
                    start,
                    end,
                    holds: end,
                    paid_at: at,
                    proration,
                    returned: None,
                },
            ));
        }
        self.pay_unshown(at, invoice, &mut paid);
        if !paid.is_empty() {
            self.life.began = self.life.began.or(Some(at));
        }
        for (key, period) in &paid {
            self.paid_mut(key).pay(period.clone());
        }
        self.money_back(at);
        self.names_no_price(at, invoice);
        self.sold_beside(at, invoice);
        self.sells_at(at)
            && paid.iter().any(|(key, _)| {
                self.life
                    .paid
                    .get(key)
                    .and_then(PaidTime::end)
                    .is_some_and(|end| end > at)
            })
    }

    /// Rule 14: a paid renewal whose list of lines is cut pays for licensed items that it does not show, to the end of the
    /// period that the newest snapshot has for them.
    fn pay_unshown(
        &mut self,
        at: Timestamp,
        invoice: &Invoice<'f>,
        paid: &mut Vec<(ItemKey, PaidPeriod)>,
    ) {
        if invoice.lines.lines_whole || self.role_of(invoice) == Role::Side {
            return;
        }
        let subscription = &self.objects.subscription;
        let licensed = subscription
            .items
            .iter()
            .filter(|(_, h)| h.is_licensed_at(at))
            .map(|(key, _)| key);
        let carriers = self
            .life
            .carriers
            .iter()
            .filter(|_| self.life.asked.is_some());
        for key in licensed.chain(carriers) {
            let Some((start, end)) = self.period_billed(key, at) else {
                continue;
            };
            if !paid.iter().any(|(shown, p)| shown == key && !p.proration) {
                let id = invoice.shown.id.clone();
                paid.push((
                    key.clone(),
                    PaidPeriod {
                        invoice: id,
                        start,
                        end,
                        holds: end,
                        paid_at: at,
                        proration: false,
                        returned: None,
                    },
                ));
                self.findings
                    .add(at, Finding::LinesCut(invoice.shown.id.clone()));
            }
        }
    }

    /// The period of an item that an invoice bills without showing it: the snapshot's of that time. An item that a cut
    /// snapshot did not show either may have been there; where it came into sight later, its period then tells.
    fn period_billed(&self, key: &ItemKey, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let subscription = &self.objects.subscription;
        let then = subscription
            .version_at(at)
            .or_else(|| subscription.versions.first())?;
        let of = |items: &[ItemThen]| items.iter().find(|i| i.key == *key).map(|i| i.period);
        let later = subscription
            .versions
            .iter()
            .filter(|v| !then.whole && v.at > then.at);
        let came_into_sight = || {
            later
                .into_iter()
                .find_map(|v| of(&v.items))
                .flatten()
                .filter(|p| p.0 <= at && at < p.1)
        };
        of(&then.items).unwrap_or_else(came_into_sight)
    }

    /// Rule 17: lines that name no price at all pay for nothing by themselves.
    fn names_no_price(&mut self, at: Timestamp, invoice: &Invoice<'_>) {
        let lines = &invoice.lines.lines;
        let named = |l: &crate::domain::fact::InvoiceLine| {
            l.price.id.is_some() || l.price.product.is_some()
        };
        if !lines.is_empty()
            && !lines.iter().any(named)
            && let Some(until) = lines.iter().filter(|l| l.amount >= 0).map(|l| l.end).max()
        {
            self.findings.add(
                at,
                Finding::NoPriceNamed {
                    invoice: invoice.shown.id.clone(),
                    until,
                },
            );
        }
    }

    /// Rule 8: what a subscription's invoice sells once is no item of it, and has no license here. Where a plan names it, somebody may
    /// wait for a key.
    fn sold_beside(&mut self, at: Timestamp, invoice: &Invoice<'_>) {
        let items = &self.objects.subscription.items;
        let is_beside = |l: &&crate::domain::fact::InvoiceLine| {
            let once = !l.of_subscription && !l.proration && l.amount >= 0;
            once && items.key_of_line(l).is_none()
        };
        let beside = invoice.lines.lines.iter().filter(is_beside);
        // A plan for the rest names whatever a fee is called.
        let plans = beside
            .filter_map(|l| self.terms.plan_for(&l.price, at))
            .filter(|p| !p.is_rest());
        for plan in plans {
            let (invoice, plan) = (invoice.shown.id.clone(), plan.name.clone());
            self.findings.add(at, Finding::SoldBeside { invoice, plan });
        }
    }

    /// Items as invoices bill them, where no snapshot tells.
    /// One event is enough where it says everything (rule 6).
    pub(super) fn billed_items(&self) -> Vec<ItemThen> {
        let mut in_order: Vec<&Invoice<'_>> = self.objects.invoices.values().collect();
        in_order.sort_by_key(|i| (i.first_at, &i.shown.id));
        let mut items: Vec<ItemThen> = Vec::new();
        for invoice in in_order {
            let lines = self
                .roles
                .get(&invoice.shown.id)
                .map(|(_, lines)| lines.as_slice())
                .unwrap_or_default();
            for (key, billed) in lines.iter().filter(|(_, l)| l.charges) {
                let (quantity, period) = (
                    billed.line.quantity.unwrap_or(1),
                    Some((billed.line.start, billed.line.end)),
                );
                items.retain(|i| i.key != *key);
                items.push(ItemThen {
                    key: key.clone(),
                    quantity,
                    metered: false,
                    period,
                });
            }
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        items
    }
}
