//! What a look found, in the form that programs read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::adoption::{Class, DifferingPurchase, Judged, Repair};
use crate::domain::id::{LicenseKey, PlanName, SourceName};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// One purchase, or one key that belongs to none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRow {
    /// The purchase; of a key that belongs to none, the one that its label names.
    pub machine: Option<String>,
    /// What it comes to.
    pub class: Class,
    /// The customer.
    pub customer: Option<String>,
    /// The plan that its price is sold under.
    pub plan: Option<PlanName>,
    /// The last four characters of its key.
    pub key: Option<String>,
    /// Until when it is paid; `None`: nothing is, or it is for life.
    pub paid_until: Option<Timestamp>,
    /// What was last paid for it, in the currency's minor unit.
    pub amount: Option<i64>,
    /// The currency.
    pub currency: Option<String>,
    /// What would be done.
    pub would: String,
    /// What `keyward audit --repair` does about it; absent: a person must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// The numbers of its licenses that another hand revoked; empty for any other class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<u32>,
    /// What its words are made of, where it was made here.
    #[serde(skip)]
    pub judged: Option<Judged>,
}

impl ReportRow {
    /// The same as the nightly audit keeps it; `None`: nothing differs, or the row was read from elsewhere.
    #[must_use]
    pub fn differing(&self) -> Option<DifferingPurchase> {
        let judged = self.judged.filter(|j| j.class.is_difference())?;
        let paid = self.amount.zip(self.currency.clone());
        Some(DifferingPurchase {
            judged,
            machine: self.machine.clone(),
            plan: self.plan.clone(),
            paid: paid.map(|(minor, currency)| Money { minor, currency }),
            key: self.key.clone(),
        })
    }
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionReport {
    /// Whether it was carried out.
    pub applied: bool,
    /// How many purchases an `--apply` would take in now.
    pub to_do: usize,
    /// How many there are of each class.
    pub classes: BTreeMap<Class, usize>,
    /// All of them, by class.
    pub rows: Vec<ReportRow>,
    /// The sources whose connected accounts sell, too, and of which no list was read: their purchases are not among the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connected_not_read: Vec<SourceName>,
    /// Licenses that the license service's list does not show and that were not read by themselves: whether they work is not known.
    #[serde(default, skip_serializing_if = "is_none")]
    pub not_shown: usize,
}

/// Whether there is none of something.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
const fn is_none(n: &usize) -> bool {
    *n == 0
}

impl AdoptionReport {
    /// Adds a row.
    pub fn add(&mut self, row: ReportRow) {
        *self.classes.entry(row.class).or_default() += 1;
        self.rows.push(row);
    }

    /// Takes in another source's.
    pub fn join(&mut self, other: Self) {
        self.to_do += other.to_do;
        self.not_shown += other.not_shown;
        self.connected_not_read.extend(other.connected_not_read);
        other.rows.into_iter().for_each(|row| self.add(row));
    }

    /// Puts the rows in order.
    pub fn sort(&mut self) {
        self.rows
            .sort_by(|a, b| (a.class, &a.machine, &a.key).cmp(&(b.class, &b.machine, &b.key)));
    }

    /// How many rows tell of a difference.
    #[must_use]
    pub fn differences(&self) -> usize {
        let differ = self
            .classes
            .iter()
            .filter(|(class, _)| class.is_difference());
        differ.map(|(_, n)| n).sum()
    }
}

/// The last four characters of a key.
#[must_use]
pub fn last_four(key: &LicenseKey) -> String {
    let chars: Vec<char> = key.reveal().chars().collect();
    let tail: String = chars[chars.len().saturating_sub(4)..].iter().collect();
    format!("…{tail}")
}
