//! Which licenses are read by themselves, because what a list says of them, or does not, is not enough.

use std::collections::BTreeMap;

use super::{Candidate, Examining, Matches, Shop};
use crate::adopt::licenses::LicenseIndex;
use crate::domain::adoption::{Asking, Class};
use crate::domain::machine::Grant;

/// The licenses that are held here and that work, or should: those that are paid for first.
pub fn held<'a>(
    shop: &Shop<'_>,
    candidates: &'a BTreeMap<String, Candidate>,
) -> impl Iterator<Item = &'a Grant> {
    let (asking, now) = (shop.asking, shop.now);
    // An adoption asks for a license only where one is to be gone on with.
    let asked = move |c: &&Candidate| asking == Asking::Audit || c.unread;
    let paid = candidates
        .values()
        .filter(asked)
        .filter(move |c| c.is_live(now));
    let over = candidates
        .values()
        .filter(asked)
        .filter(move |c| !c.is_live(now));
    paid.chain(over).flat_map(move |c| c.held(now))
}

/// The licenses of which something is about to be said by their list's word alone that somebody may act upon.
#[must_use]
pub fn doubtful(
    shop: &Shop<'_>,
    candidates: &BTreeMap<String, Candidate>,
    licenses: &LicenseIndex,
    matches: &Matches,
) -> Vec<usize> {
    let examining = Examining::new(shop, candidates, licenses, matches);
    let is_said = |object: &str, candidate: &Candidate| {
        let own = examining.own(object);
        let examined = examining.examined(object, candidate, &own);
        let class = examined.judge(shop.asking).map(|judged| judged.class);
        let is_held = shop.asking == Asking::Audit && !candidate.machine.grants.is_empty();
        class.is_some_and(|c| c == Class::RevokedElsewhere || (is_held && c.is_difference()))
    };
    let of = candidates.iter().filter(|(object, c)| is_said(object, c));
    let of = of.filter_map(|(object, _)| matches.of.get(object));
    of.flatten().copied().collect()
}
