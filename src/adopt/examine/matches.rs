//! Which licenses belong to which purchase: by id alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Candidate, Shop};
use crate::adopt::gather::Gathered;
use crate::adopt::licenses::LicenseIndex;
use crate::adopt::table::{BadLine, KeyTable};
use crate::domain::adoption::{Metadata, Suggestion};

/// Which licenses belong to which purchase.
#[derive(Debug, Default)]
pub struct Matches {
    pub(super) of: BTreeMap<String, Vec<usize>>,
    taken: HashMap<usize, String>,
    /// Addresses by which some license may be meant.
    addresses: BTreeSet<String>,
    /// Purchases with a license whose label fits another purchase as well: the label says nothing of whose it is.
    ambiguous: BTreeSet<String>,
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
        let labels = free.filter_map(|(_, l)| l.license.label.as_ref());
        let addresses = labels.filter(|l| l.contains('@'));
        self.addresses.extend(addresses.map(|l| l.to_lowercase()));
    }

    /// By what some license may be meant for a purchase that has none.
    pub(super) fn suggestion(&self, object: &str, email: Option<&String>) -> Option<Suggestion> {
        if self.ambiguous.contains(object) {
            return Some(Suggestion::Label);
        }
        let meant = email.is_some_and(|email| self.addresses.contains(email));
        meant.then_some(Suggestion::Address)
    }

    /// Whether some purchase has it.
    #[must_use]
    pub fn has(&self, license: usize) -> bool {
        self.taken.contains_key(&license)
    }
}

/// The licenses that carry a label of some purchase, each with all the purchases that its label fits: a vendor's own form may
/// hold what two purchases have in common.
fn labelled<'a>(
    candidates: &'a BTreeMap<String, Candidate>,
    licenses: &LicenseIndex,
    free: &dyn Fn(usize, &str) -> bool,
) -> BTreeMap<usize, Vec<&'a String>> {
    let mut fit: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
    for (object, candidate) in candidates {
        let labelled = candidate.labels.iter().flat_map(|l| licenses.labelled(l));
        for license in labelled.filter(|l| free(*l, object)) {
            let objects = fit.entry(license).or_default();
            if objects.last() != Some(&object) {
                objects.push(object);
            }
        }
    }
    fit
}

/// Matches by id alone: labels, then metadata that holds a key, then the vendor's table. Lines of the table that name
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
    for (license, objects) in labelled(candidates, licenses, &free) {
        match objects.as_slice() {
            [object] => {
                all.take(license, object);
            }
            _ if all.has(license) => {}
            several => {
                let objects = several.iter().map(|object| (*object).clone());
                all.ambiguous.extend(objects);
            }
        }
    }
    let metadata = |object: &String| gathered.purchases.get(object).map(|p| &p.metadata);
    for object in candidates.keys() {
        let values = metadata(object).into_iter().flat_map(Metadata::values);
        let keys = values.flatten().filter_map(|v| licenses.keyed(v));
        for license in keys.filter(|l| free(*l, object)) {
            all.take(license, object);
        }
    }
    for mut row in std::mem::take(&mut table.rows) {
        let named = gathered.names.get(&row.stripe_id).unwrap_or(&row.stripe_id);
        let unused = match licenses.keyed(row.key.reveal()) {
            None => BadLine::NotAtService,
            Some(_) if row.stripe_id.is_empty() => {
                all.addresses
                    .extend(row.email.as_ref().map(|e| e.to_lowercase()));
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
    all
}
