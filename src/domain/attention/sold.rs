//! What a purchase was sold as, where no plan knows it: its prices, and what would name them in a config.

use crate::domain::fact::{Bought, Fact, FactBody, Priced};
use crate::domain::machine::Machine;

/// So many prices are named; a purchase mostly has one.
const PRICES_MAX: usize = 5;

/// The prices that a purchase names, each once: those of the newest snapshot of its subscription, else of what was bought or
/// billed.
pub(super) fn prices(machine: &Machine) -> Vec<Priced> {
    let snapshot = |f: &'_ Fact| Some((f.at, f.subscription()?.items.clone()));
    let snapshots = machine.facts.iter().filter_map(snapshot);
    let newest = snapshots
        .filter(|(_, items)| !items.is_empty())
        .max_by_key(|(at, _)| *at);
    let mut all: Vec<Priced> = match newest {
        Some((_, items)) => items.into_iter().map(|item| item.price).collect(),
        None => machine.facts.iter().flat_map(sold).collect(),
    };
    let mut known: Vec<Priced> = Vec::new();
    all.retain(|price| *price != Priced::default());
    for price in all {
        if !known.contains(&price) && known.len() < PRICES_MAX {
            known.push(price);
        }
    }
    known
}

fn sold(fact: &Fact) -> Vec<Priced> {
    let bought = |lines: &[Bought]| lines.iter().map(|line| line.price.clone()).collect();
    match &fact.body {
        FactBody::Session(session) => bought(&session.line_items),
        FactBody::LineItems(items) => bought(&items.lines),
        FactBody::Items(items) => items.items.iter().map(|i| i.price.clone()).collect(),
        FactBody::Invoice(invoice) => invoice.lines.iter().map(|l| l.price.clone()).collect(),
        FactBody::Subscription(_)
        | FactBody::Payment(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_) => Vec::new(),
    }
}

/// A price as people read it: its id, and by what else a plan can name it.
pub(super) fn named(price: &Priced) -> String {
    let key = price.lookup_key.as_ref();
    let mut names = vec![
        price.id.as_ref().map(ToString::to_string),
        key.map(|key| format!("lookup key {key}")),
        price.product.as_ref().map(ToString::to_string),
    ];
    names.retain(Option::is_some);
    let names: Vec<String> = names.into_iter().flatten().collect();
    match names.split_first() {
        Some((first, rest)) if !rest.is_empty() => format!("{first} ({})", rest.join(", ")),
        Some((first, _)) => first.clone(),
        None => String::new(),
    }
}

/// The lines of a `[[plan]]` each of which would name a price.
pub(super) fn config_lines(prices: &[Priced]) -> Vec<String> {
    let mut lines = Vec::new();
    for price in prices {
        let by = [
            ("prices", price.id.as_ref().map(ToString::to_string)),
            ("lookup_keys", price.lookup_key.clone()),
            ("products", price.product.as_ref().map(ToString::to_string)),
        ];
        let by = by.into_iter().filter_map(|(key, name)| Some((key, name?)));
        let by: Vec<String> = by
            .map(|(key, name)| format!("{key} = [{name:?}]"))
            .collect();
        if !by.is_empty() {
            lines.push(by.join(" or "));
        }
    }
    lines
}
