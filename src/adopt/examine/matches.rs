//! Which licenses belong to which purchase: by id alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Candidate, Shop};
use crate::adopt::gather::Gathered;
use crate::adopt::licenses::LicenseIndex;
use crate::adopt::table::{BadLine, KeyTable};
use crate::domain::adoption::Metadata;

/// Which licenses belong to which purchase.
#[derive(Debug, Default)]
pub struct Matches {
    pub(super) of: BTreeMap<String, Vec<usize>>,
    taken: HashMap<usize, String>,
    /// Addresses by which some license may be meant.
    pub(super) addresses: BTreeSet<String>,
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

    /// Whether some purchase has it.
    #[must_use]
    pub fn has(&self, license: usize) -> bool {
        self.taken.contains_key(&license)
    }
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
        let labelled = candidate.labels.iter().flat_map(|l| licenses.labelled(l));
        for license in own.chain(labelled).filter(|l| free(*l, object)) {
            all.take(license, object);
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
