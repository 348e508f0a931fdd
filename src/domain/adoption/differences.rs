//! What an audit found to differ: of each class how many and how much money, and the first purchases.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};

use super::class::{Class, Judged};
use crate::domain::id::PlanName;
use crate::domain::money::Money;
use crate::domain::no_use::Dismissal;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Differences, DifferingPurchase, AuditNote);

/// So many purchases are named; the rest is counted.
pub const ROWS_MAX: usize = 5;

/// What an audit found to differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Each class, in order, with how many there are of it.
    pub classes: Vec<(Class, u32)>,
    /// What was last paid for the purchases of a class, in each currency.
    pub money: Vec<(Class, Money)>,
    /// The first purchases: of each class one before any has a second, so that no class hides another.
    pub first: Vec<DifferingPurchase>,
    /// A code of all purchases with their classes: where as many others differ, that is news.
    pub code: u64,
    /// A person's note on what an audit found.
    pub noted: Option<AuditNote>,
}

/// That a person looked at what an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuditNote {
    /// Who, and why it is left.
    #[n(0)]
    pub by: Dismissal,
    /// The instant.
    #[n(1)]
    pub at: Timestamp,
    /// The code of what was found.
    #[n(2)]
    pub code: u64,
}

/// A purchase that differs, or a key that belongs to none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DifferingPurchase {
    /// What it comes to, and what would be done.
    #[n(0)]
    pub judged: Judged,
    /// The purchase; of a key that belongs to none, the one that its label names.
    #[n(1)]
    pub machine: Option<String>,
    /// The plan that it bought.
    #[n(2)]
    pub plan: Option<PlanName>,
    /// What was last paid for it.
    #[n(3)]
    pub paid: Option<Money>,
    /// The last four characters of its key.
    #[n(4)]
    pub key: Option<String>,
}

impl Differences {
    /// Of all purchases that differ, those of one class in a row.
    #[must_use]
    pub fn of(all: &[DifferingPurchase]) -> Self {
        let mut by_class: BTreeMap<Class, Vec<&DifferingPurchase>> = BTreeMap::new();
        for row in all {
            by_class.entry(row.judged.class).or_default().push(row);
        }
        let mut sums: BTreeMap<(Class, &str), i64> = BTreeMap::new();
        for (row, paid) in all.iter().filter_map(|row| Some((row, row.paid.as_ref()?))) {
            let sum = sums.entry((row.judged.class, &paid.currency)).or_default();
            *sum = sum.saturating_add(paid.minor);
        }
        let money = sums.into_iter().map(|((class, currency), minor)| {
            let currency = currency.to_owned();
            (class, Money { minor, currency })
        });
        let most = by_class.values().map(Vec::len).max().unwrap_or_default();
        let in_turn = (0..most.min(ROWS_MAX))
            .flat_map(|n| by_class.values().filter_map(move |rows| rows.get(n)));
        let mut first: Vec<DifferingPurchase> =
            in_turn.take(ROWS_MAX).map(|row| (*row).clone()).collect();
        first.sort_by(|a, b| (a.judged.class, &a.machine).cmp(&(b.judged.class, &b.machine)));
        let count = |rows: &Vec<_>| u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Self {
            classes: by_class.iter().map(|(c, rows)| (*c, count(rows))).collect(),
            money: money.collect(),
            first,
            code: code(all),
            noted: None,
        }
    }

    /// Whether a person looked at just these.
    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.noted.as_ref().is_some_and(|n| n.code == self.code)
    }

    /// How many differ beyond those that are named.
    #[must_use]
    pub fn more(&self) -> usize {
        let all: u64 = self.classes.iter().map(|(_, n)| u64::from(*n)).sum();
        usize::try_from(all)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.first.len())
    }
}

impl Sentence for Differences {
    /// Each class with its count and its money: `3 two_keys (87.00 USD)`.
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (class, count)) in self.classes.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {class}")?;
            let money = self.money.iter().filter(|(of, _)| of == class);
            let money: Vec<String> = money.map(|(_, money)| money.to_string()).collect();
            if !money.is_empty() {
                write!(f, " ({})", money.join(", "))?;
            }
        }
        Ok(())
    }
}

impl Sentence for DifferingPurchase {
    /// `two_keys stripe/sub_1, pro, 29.00 USD: nothing: …`
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.judged.class)?;
        let machine = self.machine.clone();
        let key = self.key.as_ref().map(|key| format!("key {key}"));
        let plan = self.plan.as_ref().map(ToString::to_string);
        let paid = self.paid.as_ref().map(ToString::to_string);
        let named: Vec<String> = [machine, key, plan, paid].into_iter().flatten().collect();
        write!(f, "{}: {}", named.join(", "), self.judged)
    }
}

impl Sentence for AuditNote {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, at) = (&self.by, self.at);
        write!(f, "{by} at {at}, when other purchases differed")
    }
}

/// One of which the order is no part.
fn code(all: &[DifferingPurchase]) -> u64 {
    let one = |row: &DifferingPurchase| {
        let name = row.machine.as_deref().or(row.key.as_deref());
        let bytes = [row.judged.class.as_str(), "/", name.unwrap_or_default()].concat();
        // FNV-1a.
        bytes.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    all.iter().map(one).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: Class, n: u32, paid: Option<(i64, &str)>) -> DifferingPurchase {
        DifferingPurchase {
            judged: Judged {
                class,
                waits: None,
                unread: false,
                keys: (1, 1),
                remark: None,
                repair: Some(class.repair(true, false)),
                meant: None,
            },
            machine: Some(format!("stripe/sub_{n}")),
            plan: Some(PlanName::from("pro")),
            paid: paid.map(|(minor, currency)| Money {
                minor,
                currency: currency.to_owned(),
            }),
            key: Some("…1234".to_owned()),
        }
    }

    #[test]
    fn each_class_has_its_money_by_currency_and_a_row() {
        let (late, two) = (Class::PaidWithoutKey, Class::TwoKeys);
        let mut all: Vec<_> = (1..=7).map(|n| row(late, n, Some((2900, "usd")))).collect();
        all.push(row(late, 8, Some((500, "jpy"))));
        all.push(row(two, 9, None));
        let found = Differences::of(&all);
        assert_eq!(found.classes, [(late, 8), (two, 1)]);
        let money: Vec<String> = found.money.iter().map(|(_, m)| m.to_string()).collect();
        assert_eq!(money, ["500 JPY", "203.00 USD"]);
        let named: Vec<_> = found
            .first
            .iter()
            .filter_map(|r| r.machine.as_deref())
            .collect();
        let expected = [1, 2, 3, 4, 9].map(|n| format!("stripe/sub_{n}"));
        assert_eq!(named, expected);
        assert_eq!(found.more(), 4);
        assert_eq!(
            found.to_string(),
            "8 paid_without_key (500 JPY, 203.00 USD), 1 two_keys"
        );
        assert_eq!(
            found.first[4].to_string(),
            "two_keys stripe/sub_9, key …1234, pro: nothing: only you can know which key the customer uses; revoke the \
             other one at the license service"
        );
    }

    /// As many as yesterday, but not the same.
    #[test]
    fn another_purchase_of_the_class_has_another_code() {
        let of = |ns: &[u32]| {
            let all: Vec<_> = ns.iter().map(|n| row(Class::TwoKeys, *n, None)).collect();
            Differences::of(&all).code
        };
        assert_eq!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1, 2]), of(&[1, 3]));
    }
}
