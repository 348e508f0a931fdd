//! One history under two sets of rules, and what differs for the customers. The JSON shape is documented in docs/replay.md.

mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::history::Line;
use super::world::SimulationError;
use crate::domain::machine::LicenseStatus;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::read::view::LicenseView;
use side::{Side, rounded};

/// One value under the rules that are in force, and under the other ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// Under the revisions as they are.
    pub present: T,
    /// Under the other config, as if it had always been in force.
    pub new: T,
}

/// What can happen to a license, as its holder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happens {
    /// It was made.
    Created,
    /// It stopped, and may come back.
    Suspended,
    /// It ended for good.
    Revoked,
    /// It ran out.
    Expired,
    /// It works again.
    Restored,
}

impl Happens {
    /// All of them, in the order of lists.
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::Suspended,
        Self::Revoked,
        Self::Expired,
        Self::Restored,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Restored => "restored",
        }
    }
}

/// Something that happened to a license at another instant, or under one set of rules only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// The license's number.
    pub seat: u32,
    /// The effect that differs.
    pub what: Happens,
    /// When, under each; null: not at all.
    #[serde(flatten)]
    pub at: Both<Option<Timestamp>>,
}

/// A license that is another at the end.
#[derive(Clone, Debug, Serialize)]
pub struct LicenseChange {
    /// Its number.
    pub seat: u32,
    /// What it is under each; null: there is none.
    #[serde(flatten)]
    pub is: Both<Option<LicenseView>>,
}

/// A mail that goes out at another instant, or under one set of rules only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Its kind.
    pub kind: &'static str,
    /// What it belongs to.
    pub episode: String,
    /// When, under each; null: not at all.
    #[serde(flatten)]
    pub at: Both<Option<Timestamp>>,
}

/// A purchase that would have gone otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The purchase.
    pub machine: String,
    /// The customer at Stripe.
    pub customer: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// Its state at the end.
    pub state: Both<Option<&'static str>>,
    /// What happened to its licenses.
    pub happened: Vec<Happening>,
    /// Its licenses that are others at the end.
    pub licenses: Vec<LicenseChange>,
    /// Its mails.
    pub mails: Vec<Mail>,
    /// Days on which its licenses worked, summed over the licenses.
    pub license_days: Both<f64>,
}

impl Difference {
    fn is_none(&self) -> bool {
        self.happened.is_empty()
            && self.licenses.is_empty()
            && self.mails.is_empty()
            && self.state.present == self.state.new
            && (self.license_days.present - self.license_days.new).abs() < f64::EPSILON
    }
}

/// Sums over all purchases, also those that go alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Purchases.
    pub machines: u64,
    /// Those that go otherwise.
    pub differ: u64,
    /// How often each thing happened to a license.
    pub happened: BTreeMap<&'static str, Both<u64>>,
    /// Mails.
    pub mails: Both<u64>,
    /// Days on which licenses worked.
    pub license_days: Both<f64>,
}

/// The stretch of time that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What was before counts for the states but is not compared.
    pub since: Timestamp,
    /// The end of the histories.
    pub until: Timestamp,
}

/// What came of the purchases of one comparison.
#[derive(Debug, Default)]
pub struct Compared {
    /// Those that go otherwise.
    pub differences: Vec<Difference>,
    /// Of every one, what counts for the totals.
    all: Vec<Counted>,
}

/// What one purchase counts for.
#[derive(Debug)]
struct Counted {
    happened: [Both<u64>; Happens::ALL.len()],
    mails: Both<u64>,
    license_days: Both<f64>,
}

/// Plays one history, purchases that share a customer together, under both rules, and says what differs.
///
/// # Errors
/// [`SimulationError`].
pub fn compare(
    lines: &[Line],
    rules: &Both<Arc<Rules>>,
    window: Window,
) -> Result<Compared, SimulationError> {
    let mut sides = Both {
        present: Side::play(lines, &rules.present, window)?,
        new: Side::play(lines, &rules.new, window)?,
    };
    let names: BTreeSet<String> = sides
        .present
        .keys()
        .chain(sides.new.keys())
        .cloned()
        .collect();
    let mut out = Compared::default();
    for name in names {
        let both = Both {
            present: sides.present.remove(&name).unwrap_or_default(),
            new: sides.new.remove(&name).unwrap_or_default(),
        };
        out.all.push(Counted::of(&both));
        let difference = difference(name, &both, window);
        if !difference.is_none() {
            out.differences.push(difference);
        }
    }
    Ok(out)
}

impl Compared {
    /// Adds what came of further purchases.
    pub fn append(&mut self, mut more: Self) {
        self.differences.append(&mut more.differences);
        self.all.append(&mut more.all);
    }
}

impl Counted {
    fn of(both: &Both<Side>) -> Self {
        let happened = Happens::ALL.map(|what| {
            let count = |side: &Side| {
                side.happened
                    .iter()
                    .filter(|((_, w), _)| *w == what)
                    .map(|(_, at)| at.len() as u64)
                    .sum::<u64>()
            };
            Both {
                present: count(&both.present),
                new: count(&both.new),
            }
        });
        let mails = |side: &Side| side.mails.values().map(|at| at.len() as u64).sum::<u64>();
        Self {
            happened,
            mails: Both {
                present: mails(&both.present),
                new: mails(&both.new),
            },
            license_days: Both {
                present: both.present.days,
                new: both.new.days,
            },
        }
    }
}

impl Totals {
    /// Adds what came of some purchases.
    pub fn add(&mut self, compared: &Compared) {
        self.differ += compared.differences.len() as u64;
        for one in &compared.all {
            self.machines += 1;
            for (what, count) in Happens::ALL.iter().zip(one.happened) {
                let total = self.happened.entry(what.as_str()).or_default();
                total.present += count.present;
                total.new += count.new;
            }
            self.mails.present += one.mails.present;
            self.mails.new += one.mails.new;
            let (days, more) = (&mut self.license_days, one.license_days);
            days.present = rounded(days.present + more.present);
            days.new = rounded(days.new + more.new);
        }
    }
}

fn difference(machine: String, both: &Both<Side>, window: Window) -> Difference {
    let view = both.present.view.as_ref().or(both.new.view.as_ref());
    let state = |side: &Side| side.view.as_ref().and_then(|v| v.state);
    let happened = pairs(&both.present.happened, &both.new.happened);
    let mails = pairs(&both.present.mails, &both.new.mails);
    Difference {
        customer: view.and_then(|v| v.customer.clone()),
        email: view.and_then(|v| v.email.clone()),
        state: Both {
            present: state(&both.present),
            new: state(&both.new),
        },
        happened: happened
            .into_iter()
            .map(|((seat, what), at)| Happening { seat, what, at })
            .collect(),
        licenses: licenses(both, window),
        mails: mails
            .into_iter()
            .map(|((kind, episode), at)| Mail { kind, episode, at })
            .collect(),
        license_days: Both {
            present: both.present.days,
            new: both.new.days,
        },
        machine,
    }
}

/// What happened at other instants, or on one side only; what happened at the same instant on both is no difference.
fn pairs<K: Ord + Clone>(
    present: &BTreeMap<K, Vec<Timestamp>>,
    new: &BTreeMap<K, Vec<Timestamp>>,
) -> Vec<(K, Both<Option<Timestamp>>)> {
    let keys: BTreeSet<&K> = present.keys().chain(new.keys()).collect();
    let mut out = Vec::new();
    for key in keys {
        let mut left = present.get(key).cloned().unwrap_or_default();
        let mut right = Vec::new();
        for at in new.get(key).into_iter().flatten() {
            match left.iter().position(|l| l == at) {
                Some(same) => drop(left.remove(same)),
                None => right.push(*at),
            }
        }
        left.sort_unstable();
        right.sort_unstable();
        for n in 0..left.len().max(right.len()) {
            out.push((
                key.clone(),
                Both {
                    present: left.get(n).copied(),
                    new: right.get(n).copied(),
                },
            ));
        }
    }
    out.sort_by_key(|(_, at)| [at.present, at.new].into_iter().flatten().min());
    out
}

fn licenses(both: &Both<Side>, window: Window) -> Vec<LicenseChange> {
    let all = |side: &Side| -> BTreeMap<u32, LicenseView> {
        side.view
            .iter()
            .flat_map(|v| &v.licenses)
            .map(|l| (l.seat, l.clone()))
            .collect()
    };
    let (mut present, mut new) = (all(&both.present), all(&both.new));
    let seats: BTreeSet<u32> = present.keys().chain(new.keys()).copied().collect();
    let words = |l: &LicenseView| {
        // That a license which was over before would have ended at another instant is no difference within the window.
        let ended = l
            .expires_at
            .filter(|e| *e < window.since && l.status == LicenseStatus::Expired)
            .map(|_| window.since);
        (l.status, ended.or(l.expires_at), l.devices, l.plan.clone())
    };
    let license = |seat| {
        let is = Both {
            present: present.remove(&seat),
            new: new.remove(&seat),
        };
        (is.present.as_ref().map(words) != is.new.as_ref().map(words))
            .then_some(LicenseChange { seat, is })
    };
    seats.into_iter().filter_map(license).collect()
}
