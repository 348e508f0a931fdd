//! What an invoice of a subscription is for. It is decided once, from the invoice, and not at each try to collect it
//! (rule 25).

use crate::domain::fact::{BillingReason, InvoiceLine};
use crate::domain::id::ItemKey;
use crate::domain::object::{Invoice, PriceSince, Subscription};
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;

/// What an invoice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The subscription's first that asks for money: a license comes only with its payment, and its failure starts no
    /// grace (rule 20).
    First,
    /// It renews a licensed item: it has a line that is no proration for the item's next period.
    Renewal,
    /// Everything else: upgrades, items by hand, an older period's leftovers.
    Side,
}

/// A line that bills a licensed item's time.
#[derive(Clone, Copy, Debug)]
pub struct LicensedLine<'i> {
    pub line: &'i InvoiceLine,
    /// Whether it charges for time; else it takes time back, or neither.
    pub charges: bool,
    /// Whether it is the zero line of a trial: it pays for nothing (rule 22).
    pub trial: bool,
}

/// An invoice's lines for licensed items, credits among them.
pub fn licensed_lines<'f>(
    subscription: &Subscription<'f>,
    invoice: &Invoice<'f>,
    terms: &Terms<'_>,
) -> Vec<(ItemKey, LicensedLine<'f>)> {
    let lines = subscription.items.lines_of(invoice.lines);
    let at = invoice.first_at;
    let by_use = |key: &ItemKey, l: &InvoiceLine| {
        let history = subscription.items.history(key);
        history.is_some_and(|h| h.bills_use(l))
    };
    let carries = |key: &ItemKey, l: &InvoiceLine| subscription.asked.is_some() && !by_use(key, l);
    lines
        .into_iter()
        .filter(|(key, l)| {
            // Nothing was bought of what has the quantity 0, unless metadata asks for the whole (rules 10, 14).
            if l.quantity == Some(0) && l.amount >= 0 && !carries(key, l) {
                return false;
            }
            let plan = subscription.items.plan_of_line(l, at, terms);
            l.amount < 0
                || carries(key, l)
                || plan.is_some_and(|p| !(by_use(key, l) && p.is_rest()))
        })
        .map(|(key, line)| {
            (
                key,
                LicensedLine {
                    charges: is_charge(subscription, invoice, line),
                    line,
                    trial: is_trial_line(subscription, invoice, line),
                },
            )
        })
        .collect()
}

/// Whether a line charges for time. The amount tells that, but for a proration of what costs nothing: it is a charge for the
/// price that its item has from then on, or where the same change bills that price twice, for the units that were and for
/// those that are. Else it is what is left of a price that was given up.
fn is_charge(subscription: &Subscription<'_>, invoice: &Invoice<'_>, line: &InvoiceLine) -> bool {
    if line.amount != 0 || !line.proration {
        return line.amount >= 0;
    }
    let items = &subscription.items;
    let Some((key, history)) = items
        .key_of_line(line)
        .and_then(|key| Some((key, items.history(key)?)))
    else {
        return true;
    };
    let is_its = |p: &PriceSince| p.price.id == line.price.id;
    let since_then = history.prices.iter().find(|p| p.since >= line.start);
    let lines = items.lines_of(invoice.lines);
    let same_change = |(k, l): &&(ItemKey, &InvoiceLine)| {
        k == key && l.proration && l.start == line.start && l.price.id == line.price.id
    };
    since_then.is_some_and(is_its)
        || !history.prices.iter().any(is_its)
        || lines.iter().filter(same_change).count() > 1
}

/// Whether a line is a trial's zero line. It says so itself where its units would cost something, whichever event comes
/// first, and for the free ones beside it; else a snapshot that names the trial's end tells.
fn is_trial_line(
    subscription: &Subscription<'_>,
    invoice: &Invoice<'_>,
    line: &InvoiceLine,
) -> bool {
    let said = || {
        invoice
            .lines
            .lines
            .iter()
            .any(|l| l.trial && l.end == line.end)
    };
    line.amount == 0 && !line.proration && (said() || subscription.names_trial_end(line.end))
}

/// What an invoice is for. `paid_until` tells an item's paid end by the payments before the invoice, `trial_license` whether a
/// trial handed out a license before it, and `first_in_vain` whether its first invoice came to nothing.
pub fn role(
    subscription: &Subscription<'_>,
    invoice: &Invoice<'_>,
    lines: &[(ItemKey, LicensedLine<'_>)],
    paid_until: impl Fn(&ItemKey) -> Option<Timestamp>,
    trial_license: bool,
    first_in_vain: bool,
) -> Role {
    let base = || {
        lines
            .iter()
            .filter(|(_, l)| !l.line.proration && l.line.amount >= 0 && !l.trial)
    };
    let anything_before = trial_license
        || subscription
            .items
            .iter()
            .any(|(key, _)| paid_until(key).is_some());
    match invoice.shown.reason {
        BillingReason::Create => Role::First,
        BillingReason::Cycle => {
            let turn = base()
                .map(|(_, l)| l.line.start)
                .min()
                .unwrap_or(invoice.first_at);
            let nothing_paid = first_in_vain || subscription.had_trial_by(turn);
            if !anything_before && nothing_paid {
                // After a trial that handed out nothing, or a first invoice that was given up, the first charge is a first
                // payment though Stripe calls it a renewal (rule 20).
                Role::First
            } else if base().next().is_some() || !invoice.lines.lines_whole {
                Role::Renewal
            } else {
                Role::Side
            }
        }
        BillingReason::Update | BillingReason::Manual | BillingReason::Other => {
            let next =
                |key: &ItemKey, start: Timestamp| paid_until(key).is_none_or(|end| start >= end);
            if !anything_before {
                Role::First
            } else if base().any(|(key, l)| next(key, l.line.start)) {
                Role::Renewal
            } else {
                Role::Side
            }
        }
    }
}
