//! Which licenses a subscription's items are: an item that is replaced hands its license on (rule 14); what metadata asks for
//! belongs to the subscription (rule 10).

use super::Moment;
use crate::shop::calendar::Time;
use crate::shop::catalog::{plan_of, price_of};
use crate::shop::kinds::{Kind, open};
use crate::shop::stripe::ledger::{Item, Line, State};

/// A license's way through the items of its subscription.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The items that it was for; none: any that is not billed by use, for metadata asks for it.
    pub(crate) items: Option<Vec<String>>,
    /// What it was for, from each instant on.
    pub(crate) steps: Vec<(Time, Option<Held>)>,
    /// Since when its item has a price that no plan names (rule 15).
    pub(crate) unlicensed: Option<Time>,
    /// Why the rules do not say what becomes of it.
    pub(crate) unclear: Option<&'static str>,
    /// It came when the subscription ran already and another license was held.
    pub(crate) added: Option<Time>,
}

/// What a chain is for.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) item: String,
    /// None: metadata.
    pub(crate) plan: Option<&'static str>,
    /// How many licenses.
    pub(crate) count: u64,
    /// The devices of each.
    pub(crate) devices: u64,
}

impl Chain {
    fn new(at: Time, held: Held) -> Self {
        let items = Some(vec![held.item.clone()]);
        Self {
            items,
            steps: vec![(at, Some(held))],
            unlicensed: None,
            unclear: None,
            added: None,
        }
    }

    /// What it is for at an instant; none: given up.
    pub(crate) fn held(&self, at: Time) -> Option<&Held> {
        self.steps
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)
            .and_then(|(_, held)| held.as_ref())
    }

    /// How many licenses it ever was at once: the least and the most.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = || {
            self.steps
                .iter()
                .flat_map(|(_, held)| held)
                .map(|h| h.count)
        };
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }

    /// What it was last for.
    pub(crate) fn last(&self) -> &Held {
        self.steps
            .iter()
            .rev()
            .find_map(|(_, held)| held.as_ref())
            .unwrap()
    }

    /// Whether an item of a state is one of its.
    pub(crate) fn is_for(&self, item: &Item) -> bool {
        match &self.items {
            Some(items) => items.contains(&item.id),
            None => !price_of(item.price).metered,
        }
    }

    /// Whether a line bills this license's item for a licensed price.
    pub(crate) fn billed(&self, line: &Line) -> bool {
        let (Some(item), Some(price)) = (&line.item, line.price) else {
            return false;
        };
        match &self.items {
            // No units: it pays for nothing and fails for nothing (rule 14); to metadata a quantity of 0 is nothing (rule 10).
            Some(items) => items.contains(item) && plan_of(price.id).is_some() && line.quantity > 0,
            None => !price.metered,
        }
    }
}

fn held(item: &Item) -> Option<Held> {
    let plan = plan_of(item.price)?;
    let (count, devices) = plan.licenses(item.quantity);
    Some(Held {
        item: item.id.clone(),
        plan: Some(plan.name),
        count,
        devices,
    })
}

/// The chains of a subscription until an instant.
pub(crate) fn chains(moment: Moment<'_>, s: usize) -> Vec<Chain> {
    let sub = &moment.stripe.subs[s];
    if let Some(devices) = sub.metadata {
        let held = Held {
            item: String::new(),
            plan: None,
            count: 1,
            devices,
        };
        return vec![Chain {
            items: None,
            ..Chain::new(sub.created, held)
        }];
    }
    let (mut chains, mut before) = (Vec::new(), None);
    for (at, state) in sub.history.iter().filter(|(at, _)| *at <= moment.at) {
        step(&mut chains, *at, state, before);
        before = Some(state);
    }
    chains
}

fn step(chains: &mut Vec<Chain>, at: Time, state: &State, before: Option<&State>) {
    let mut come: Vec<Held> = state.items.iter().filter_map(held).collect();
    let mut lost: Vec<usize> = Vec::new();
    for (n, chain) in chains.iter_mut().enumerate() {
        let Some(had) = chain.steps.last().unwrap().1.clone() else {
            continue;
        };
        match come.iter().position(|h| h.item == had.item) {
            Some(place) => chain.steps.push((at, Some(come.remove(place)))),
            None if state.items.iter().any(|i| i.id == had.item) => {
                chain.unlicensed = Some(at);
                chain.steps.push((at, None));
            }
            None => lost.push(n),
        }
    }
    // To one of the same plan first, then to any. An item that had no plan and now has one replaces nothing.
    let fresh = |h: &Held| before.is_none_or(|b| b.items.iter().all(|i| i.id != h.item));
    for same in [true, false] {
        lost.retain(|n| {
            let had = chains[*n].last().plan;
            let Some(heir) = come
                .iter()
                .position(|h| fresh(h) && (!same || h.plan == had))
            else {
                return true;
            };
            let heir = come.remove(heir);
            chains[*n]
                .items
                .iter_mut()
                .for_each(|items| items.push(heir.item.clone()));
            if !open(Kind::ItemReplaced) {
                chains[*n].unclear = Some("closed kind");
            }
            chains[*n].steps.push((at, Some(heir)));
            false
        });
    }
    let known = |id: &str| before.is_some_and(|b| b.items.iter().any(|i| i.id == id));
    for n in lost {
        if state
            .items
            .iter()
            .any(|i| !known(&i.id) && plan_of(i.price).is_none())
        {
            chains[n].unclear = Some("replaced by an item without a plan");
        }
        chains[n].steps.push((at, None));
    }
    let held_already = chains.iter().any(|c| c.steps.last().unwrap().1.is_some());
    let comes_back = chains.iter().any(|c| c.unlicensed.is_some());
    for held in come {
        if comes_back {
            chains
                .iter_mut()
                .for_each(|c| c.unclear = Some("a plan comes back after one was lost"));
        }
        let was_known = known(&held.item);
        let mut chain = Chain::new(at, held);
        chain.added = (held_already && before.is_some()).then_some(at);
        if comes_back {
            chain.unclear = Some("a plan comes back after one was lost");
        } else if was_known {
            chain.unclear = Some("an item got a plan in its life");
        } else if chain.added.is_some() && !open(Kind::ItemAdded) {
            chain.unclear = Some("closed kind");
        }
        chains.push(chain);
    }
}
