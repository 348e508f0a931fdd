//! Which licenses belong to which purchase: by id alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::addresses::addresses_in;
use super::{Candidate, Shop};
use crate::adopt::gather::Gathered;
use crate::adopt::licenses::LicenseIndex;
use crate::adopt::table::{BadLine, KeyTable};
use crate::domain::adoption::Suggestion;
use crate::domain::time::{Span, Timestamp};

/// Which licenses belong to which purchase.
#[derive(Debug, Default)]
pub struct Matches {
    pub(super) of: BTreeMap<String, Vec<usize>>,
    taken: HashMap<usize, String>,
    /// The licenses that may be meant by an address.
    addresses: BTreeMap<String, Vec<usize>>,
    /// Purchases with a license whose label fits another purchase as well: the label says nothing of whose it is.
    ambiguous: BTreeMap<String, Vec<usize>>,
}

impl Matches {
    fn take(&mut self, license: usize, purchase: &str) -> bool {
        match self.taken.get(&license) {
            Some(holder) => holder == purchase,
            None => {
                self.taken.insert(license, purchase.to_owned());
                let of = self.of.entry(purchase.to_owned()).or_default();
                of.push(license);
                true
            }
        }
    }

    /// Notes the addresses that labels of licenses without a purchase hold: by each of them some license may be meant.
    pub fn suggest(&mut self, licenses: &LicenseIndex) {
        let free = licenses.all.iter().enumerate();
        let free = free.filter(|(n, _)| !self.taken.contains_key(n));
        let labels = free.filter_map(|(n, l)| Some((n, l.license.label.as_ref()?)));
        for (license, label) in labels {
            for address in addresses_in(label) {
                self.addresses.entry(address).or_default().push(license);
            }
        }
    }

    /// Takes what purchases name in a way of their own, where it is known whose it is.
    fn take_named(
        &mut self,
        candidates: &BTreeMap<String, Candidate>,
        licenses: &LicenseIndex,
        names: &dyn Fn(&str, &Candidate) -> Vec<usize>,
        now: Timestamp,
    ) {
        let mut shared = Vec::new();
        for (license, named) in named(candidates, names, now) {
            match named {
                _ if self.has(license) => {}
                Named::One(object) => {
                    self.take(license, object);
                }
                Named::OneCustomer(purchases) => {
                    let ends = licenses.all[license].license.expires_at.known().flatten();
                    let apart =
                        |(object, c): (_, &Candidate)| (c.ends_apart(ends), license, object);
                    shared.extend(purchases.into_iter().map(apart));
                }
                Named::Ambiguous(purchases) => {
                    for (object, _) in purchases {
                        let fitting = self.ambiguous.entry(object.to_owned());
                        fitting.or_default().push(license);
                    }
                }
            }
        }
        self.take_shared(shared);
    }

    /// One customer's keys go to that customer's purchases: one to each, where its end is nearest, and what is left over likewise.
    fn take_shared(&mut self, mut shared: Vec<(Span, usize, &str)>) {
        shared.sort_unstable();
        for (_, license, object) in &shared {
            if !self.has(*license) && !self.of.contains_key(*object) {
                self.take(*license, object);
            }
        }
        // More keys than purchases.
        for (_, license, object) in shared {
            if !self.has(license) {
                self.take(license, object);
            }
        }
    }

    /// The licenses of purchases that have more than they bought and hold none here yet.
    #[must_use]
    pub fn doubled(&self, candidates: &BTreeMap<String, Candidate>) -> Vec<usize> {
        let doubled = self.of.iter().filter(|(object, licenses)| {
            let candidate = candidates.get(*object);
            candidate.is_some_and(|c| c.is_doubled(licenses.len()))
        });
        doubled.flat_map(|(_, licenses)| licenses.clone()).collect()
    }

    /// By what some license may be meant for a purchase that has none, and which one.
    pub(super) fn suggestion(
        &self,
        object: &str,
        email: Option<&String>,
    ) -> Option<(Suggestion, usize)> {
        let by_label = (Suggestion::Label, self.ambiguous.get(object));
        let by_address = email.and_then(|email| self.addresses.get(email));
        let by = [by_label, (Suggestion::Address, by_address)].into_iter();
        // One that has found its purchase is not meant any more.
        let free = |of: &Vec<usize>| of.iter().copied().find(|license| !self.has(*license));
        let mut meant = by.filter_map(|(by, of)| Some((by, free(of?)?)));
        meant.next()
    }

    /// Whether some purchase has it.
    #[must_use]
    pub fn has(&self, license: usize) -> bool {
        self.taken.contains_key(&license)
    }
}

/// A purchase that names a license: its id, and what it comes to.
type NamingPurchase<'a> = (&'a str, &'a Candidate);

/// Whose a license is, by the purchases that name it. One that is to have no license at present claims none from one that is:
///
/// | of those that name it, are to have a license | it is |
/// |---|---|
/// | none | the first one's that names it |
/// | one | that one's |
/// | several of one customer | one of these, by their ends |
/// | several of more customers, or of one who is not known | nobody's yet: what they have in common does not say whose |
enum Named<'a> {
    One(&'a str),
    OneCustomer(Vec<NamingPurchase<'a>>),
    Ambiguous(Vec<NamingPurchase<'a>>),
}

impl<'a> Named<'a> {
    fn by(purchases: &BTreeMap<&'a str, &'a Candidate>, now: Timestamp) -> Self {
        let all = purchases
            .iter()
            .map(|(object, candidate)| (*object, *candidate));
        let live: Vec<_> = all.filter(|(_, c)| c.is_live(now)).collect();
        let customers: BTreeSet<_> = live.iter().map(|(_, c)| c.customer.as_ref()).collect();
        let first = purchases.keys().next();
        match (live.as_slice(), first) {
            ([(object, _)], _) | ([], Some(object)) => Self::One(object),
            _ if customers.len() == 1 && !customers.contains(&None) => Self::OneCustomer(live),
            _ => Self::Ambiguous(live),
        }
    }
}

/// The licenses that some purchase names in a way of its own.
fn named<'a>(
    candidates: &'a BTreeMap<String, Candidate>,
    names: &dyn Fn(&str, &Candidate) -> Vec<usize>,
    now: Timestamp,
) -> BTreeMap<usize, Named<'a>> {
    let mut all: BTreeMap<usize, BTreeMap<&str, &Candidate>> = BTreeMap::new();
    for (object, candidate) in candidates {
        for license in names(object, candidate) {
            all.entry(license).or_default().insert(object, candidate);
        }
    }
    let all = all.into_iter();
    all.map(|(license, purchases)| (license, Named::by(&purchases, now)))
        .collect()
}

/// Matches by id alone: what the vendor's table says, then metadata that holds a key, then labels. Lines of the table that name
/// nothing here stay in it, with the reason: they may be another source's.
#[must_use]
pub fn matches(
    shop: &Shop<'_>,
    candidates: &BTreeMap<String, Candidate>,
    gathered: &Gathered,
    licenses: &LicenseIndex,
    table: &mut KeyTable,
) -> Matches {
    let mut all = Matches::default();
    let free = |license: usize, purchase: &str| {
        let holder = shop.known.holder(&licenses.all[license].license.key);
        holder.is_none_or(|id| *id == shop.id(purchase))
    };
    for (object, candidate) in candidates {
        let grants = candidate.machine.grants.iter();
        let own = grants.filter_map(|g| licenses.keyed(g.key.reveal()));
        for license in own.filter(|l| free(*l, object)) {
            all.take(license, object);
        }
    }
    // A label never changes: a table that was written today knows better.
    by_table(&mut all, candidates, gathered, licenses, table, &free);
    let by_metadata = |object: &str, _: &Candidate| {
        let shown = gathered.purchases.get(object);
        let values = shown.into_iter().flat_map(|p| p.metadata.values());
        let keys = values.flatten().filter_map(|v| licenses.keyed(v));
        keys.filter(|l| free(*l, object)).collect()
    };
    all.take_named(candidates, licenses, &by_metadata, shop.now);
    let by_label = |object: &str, candidate: &Candidate| {
        let labelled = candidate.labels.iter().flat_map(|l| licenses.labelled(l));
        labelled.filter(|l| free(*l, object)).collect()
    };
    all.take_named(candidates, licenses, &by_label, shop.now);
    all
}

/// What the vendor's table says.
fn by_table(
    all: &mut Matches,
    candidates: &BTreeMap<String, Candidate>,
    gathered: &Gathered,
    licenses: &LicenseIndex,
    table: &mut KeyTable,
    free: &dyn Fn(usize, &str) -> bool,
) {
    for mut row in std::mem::take(&mut table.rows) {
        let named = gathered.names.get(&row.stripe_id).unwrap_or(&row.stripe_id);
        let unused = match licenses.keyed(row.key.reveal()) {
            None => BadLine::NotAtService,
            Some(license) if row.stripe_id.is_empty() => {
                if let Some(email) = &row.email {
                    let meant = all.addresses.entry(email.to_lowercase());
                    meant.or_default().push(license);
                }
                row.unused = None;
                table.rows.push(row);
                continue;
            }
            Some(_) if gathered.unpaid.contains(named) => BadLine::NotPaid,
            Some(_) if !candidates.contains_key(named) => BadLine::NotAtStripe,
            Some(license) if free(license, named) && all.take(license, named) => continue,
            Some(_) => BadLine::Held,
        };
        // What an earlier source says of it in particular stays.
        row.unused = match row.unused {
            Some(earlier @ (BadLine::NotPaid | BadLine::Held)) => Some(earlier),
            _ => Some(unused),
        };
        table.rows.push(row);
    }
}
