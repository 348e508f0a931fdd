//! Working keys that belong to no purchase that their source lists. Several sources may sell licenses of one application: only
//! when each was looked at is it known whose such a key is not.

use std::collections::HashSet;

use super::found::{Found, Sold, StrayKey};

/// Adds the keys that no source's lists name to the reports, each once: to that of the source that lists its purchase as not
/// paid, else to the first.
pub fn settle_strays(all: &mut [Found]) {
    let strays: Vec<Vec<StrayKey>> = all
        .iter_mut()
        .map(|found| std::mem::take(&mut found.strays))
        .collect();
    let listed = strays.iter().flatten().filter(|s| s.is_listed);
    let listed: HashSet<u64> = listed.map(|s| s.key).collect();
    let mut told = HashSet::new();
    for (n, strays) in strays.into_iter().enumerate() {
        for stray in strays {
            let others = all.iter().enumerate().filter(|(of, _)| *of != n);
            let is_sold = others.map(|(_, f)| &f.sold).any(|sold| stray.is_of(sold));
            let is_others = !stray.is_listed && listed.contains(&stray.key);
            if is_sold || is_others || !told.insert(stray.key) {
                continue;
            }
            match stray.row {
                Some(row) => all[n].judged.report.add(row),
                None => all[n].unlabelled += 1,
            }
        }
        all[n].judged.report.sort();
    }
}

impl StrayKey {
    fn is_of(&self, sold: &Sold) -> bool {
        let object = self.object.as_ref();
        sold.keys.contains(&self.key) || object.is_some_and(|o| sold.purchases.contains(o))
    }
}
