//! Where the end of a license that others made for a seat may stand, and which ends speak for another item's license.

use std::collections::BTreeMap;

use super::SAME_PERIOD;
use crate::domain::action::NewLicense;
use crate::domain::fact::{Fact, Invoice, Subscription};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// The start and the end of a period.
type Period = (Timestamp, Timestamp);

/// What a license's end says about whose it is. A subscription's yearly item has another license than its monthly one, both
/// under labels that name the subscription alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belongs {
    /// Its end is of this seat's own period: where it ends now, where the one before ended, or where it is to end.
    Here,
    /// It says nothing.
    Unsaid,
    /// Its end is of the period of another item.
    Elsewhere,
}

/// Where the end of a license that others made for a seat may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatEnds {
    /// Where it is to stand; `None`: for life.
    until: Option<Timestamp>,
    /// The latest period of its item.
    own: Option<Period>,
    /// The latest periods of the other items.
    others: Vec<Period>,
}

impl SeatEnds {
    /// Those of the seat for which a license is to be made or found, by what its purchase was told.
    #[must_use]
    pub fn of(machine: &Machine, new: &NewLicense) -> Self {
        let mut periods = latest_periods(&machine.facts);
        let own = periods.remove(new.seat.item.as_str());
        // A seat that stands for the whole purchase may be carried by any of the items.
        let others = own.map(|own| periods.into_values().filter(|p| *p != own).collect());
        Self {
            until: new.expires_at,
            own,
            others: others.unwrap_or_default(),
        }
    }

    /// Those of a seat of which just this was told.
    #[cfg(test)]
    pub fn told(until: Option<Timestamp>, own: Option<Period>, others: Vec<Period>) -> Self {
        Self { until, own, others }
    }

    /// What a license's end (`None`: not told; within, `None`: for life) says about whose it is.
    #[must_use]
    pub fn belongs(&self, ends: Option<Option<Timestamp>>) -> Belongs {
        let Some(ends) = ends else {
            return Belongs::Unsaid;
        };
        let near = |period: &Period, end| same(period.0, end) || same(period.1, end);
        match (ends, self.until) {
            (None, None) => Belongs::Here,
            (None, Some(_)) => Belongs::Unsaid,
            (Some(ends), until) => {
                let is_own = until.is_some_and(|until| same(until, ends))
                    || self.own.is_some_and(|own| near(&own, ends));
                if is_own {
                    Belongs::Here
                } else if self.others.iter().any(|other| near(other, ends)) {
                    Belongs::Elsewhere
                } else {
                    Belongs::Unsaid
                }
            }
        }
    }
}

fn same(a: Timestamp, b: Timestamp) -> bool {
    (a - b).ms().abs() <= SAME_PERIOD.ms()
}

/// The latest period of each item, as snapshots show it and invoices bill it.
fn latest_periods(facts: &[Fact]) -> BTreeMap<&str, Period> {
    let mut latest: BTreeMap<&str, Period> = BTreeMap::new();
    for (item, period) in facts.iter().flat_map(periods) {
        let known = latest.entry(item).or_insert(period);
        if (period.1, period.0) > (known.1, known.0) {
            *known = period;
        }
    }
    latest
}

fn periods(fact: &Fact) -> Vec<(&str, Period)> {
    let shown = fact.subscription().map(shown);
    shown
        .or_else(|| fact.invoice().map(billed))
        .unwrap_or_default()
}

fn shown(snapshot: &Subscription) -> Vec<(&str, Period)> {
    let periods = snapshot.items.iter().filter_map(|item| {
        let period = item.period_start.zip(item.period_end)?;
        Some((item.id.as_ref()?.as_str(), period))
    });
    periods.collect()
}

fn billed(invoice: &Invoice) -> Vec<(&str, Period)> {
    // A proration covers a part of a period only.
    let lines = invoice.lines.iter().filter(|line| !line.proration);
    let periods =
        lines.filter_map(|line| Some((line.item.as_ref()?.as_str(), (line.start, line.end))));
    periods.collect()
}
