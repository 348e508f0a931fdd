//! Which licenses a subscription's items are: an item that is replaced hands its license on (rule 14).

use super::Moment;
use crate::shop::calendar::Time;
use crate::shop::catalog::{Plan, plan_of};
use crate::shop::stripe::ledger::Item;

/// A license's way through the items of its subscription.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The items that it was for.
    pub(crate) items: Vec<String>,
    /// What it was for, from each instant on.
    pub(crate) steps: Vec<(Time, Option<Held>)>,
    /// Since when its item has a price that no plan names (rule 15).
    pub(crate) unlicensed: Option<Time>,
    /// It was given up when an item without a plan came: the rules do not say whether that replaces it.
    pub(crate) unclear: bool,
}

/// What a chain is for.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) item: String,
    pub(crate) plan: &'static Plan,
    pub(crate) quantity: u64,
}

impl Chain {
    /// What it is for at an instant; none: given up.
    pub(crate) fn held(&self, at: Time) -> Option<&Held> {
        self.steps.iter().rev().find(|(since, _)| *since <= at).and_then(|(_, held)| held.as_ref())
    }

    /// How many licenses it ever was at once: the least and the most.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = || self.steps.iter().flat_map(|(_, held)| held).map(|h| h.plan.licenses(h.quantity).0);
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }

    /// What it was last for.
    pub(crate) fn last(&self) -> &Held {
        self.steps.iter().rev().find_map(|(_, held)| held.as_ref()).unwrap()
    }
}

fn held(item: &Item) -> Option<Held> {
    plan_of(item.price).map(|plan| Held { item: item.id.clone(), plan, quantity: item.quantity })
}

/// The chains of a subscription until an instant.
pub(crate) fn chains(moment: Moment<'_>, s: usize) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for (at, state) in moment.stripe.subs[s].history.iter().filter(|(at, _)| *at <= moment.at) {
        let mut come: Vec<Held> = state.items.iter().filter_map(held).collect();
        let mut lost: Vec<usize> = Vec::new();
        for (n, chain) in chains.iter_mut().enumerate() {
            let Some(had) = chain.steps.last().unwrap().1.clone() else { continue };
            match come.iter().position(|h| h.item == had.item) {
                Some(place) => chain.steps.push((*at, Some(come.remove(place)))),
                None if state.items.iter().any(|i| i.id == had.item) => {
                    chain.unlicensed = Some(*at);
                    chain.steps.push((*at, None));
                }
                None => lost.push(n),
            }
        }
        // To one of the same plan first, then to any.
        for same in [true, false] {
            lost.retain(|n| {
                let had = chains[*n].last().plan.name;
                let heir = come.iter().position(|h| !same || h.plan.name == had);
                let Some(heir) = heir else { return true };
                let heir = come.remove(heir);
                chains[*n].items.push(heir.item.clone());
                chains[*n].steps.push((*at, Some(heir)));
                false
            });
        }
        let known = |id: &str| before.iter().any(|i| i == id);
        for n in lost {
            chains[n].unclear = state.items.iter().any(|i| !known(&i.id) && plan_of(i.price).is_none());
            chains[n].steps.push((*at, None));
        }
        before = state.items.iter().map(|i| i.id.clone()).collect();
        chains.extend(come.into_iter().map(|h| Chain {
            items: vec![h.item.clone()],
            steps: vec![(*at, Some(h))],
            unlicensed: None,
            unclear: false,
        }));
    }
    chains
}
