//! Whether a license ever worked: what may not work when it could be made is not made (rule 5).

use std::collections::BTreeSet;

use super::chain::Chain;
use super::cover::invoices;
use super::subscription::plain;
use super::{Moment, Want};
use crate::shop::calendar::{MINUTE, Time};
use crate::shop::stripe::ledger::Paid;

/// The instants until now at which something happened to a subscription.
pub(crate) fn changes(moment: Moment<'_>, s: usize) -> BTreeSet<Time> {
    let stripe = moment.stripe;
    let of_it = |of: Paid| matches!(of, Paid::Invoice(i, _) if stripe.invoices[i].sub == s);
    let states = stripe.subs[s].history.iter().map(|(at, _)| *at);
    let invoiced = invoices(moment, s).flat_map(|(_, i)| {
        let once = [i.paid, i.voided, i.uncollectible, i.overdue];
        once.into_iter().flatten().chain(i.failed.clone())
    });
    let refunded = stripe.refunds.iter().filter(|r| of_it(r.of));
    let disputed = stripe.disputes.iter().filter(|d| of_it(d.of));
    let moved = refunded
        .flat_map(|r| &r.steps)
        .chain(disputed.flat_map(|d| &d.steps))
        .map(|(at, _)| *at);
    let about = &stripe.subs[s].id;
    let said = stripe.decisions.iter().filter(|d| d.about == *about);
    let all = states
        .chain(invoiced)
        .chain(moved)
        .chain(said.map(|d| d.at));
    all.filter(|at| *at <= moment.at).collect()
}

/// Whether a license worked at any time until an instant; none: the rules leave that open, or it worked for a moment only.
pub(crate) fn lived(moment: Moment<'_>, s: usize, chain: &Chain) -> Option<bool> {
    let mut answer = Some(false);
    for at in changes(moment, s) {
        let want = |at: Time| plain(Moment { at, ..moment }, s, chain).0;
        match want(at) {
            // Events take up to 20 seconds.
            Want::Live(_) | Want::LiveFrom(_) if want(at + MINUTE).is_live() => return Some(true),
            Want::Live(_) | Want::LiveFrom(_) | Want::Open(_) => answer = None,
            Want::Stopped(_) | Want::Nothing => {}
        }
    }
    answer
}
