//! Looks at everything that is stored: every machine is folded again, every record read, every index held against what it
//! indexes, both ways. It names what differs; [`mend`] puts it right.
//!
//! `check` is a function of one entry over a view, so that the same question is asked while a server runs and inside the
//! transaction that mends.

mod check;
mod wrong;

use bytes::Bytes;

use crate::domain::action::Action;
use crate::domain::hold::Distrust;
use crate::domain::machine::Machine;
use crate::domain::notice::Notice;
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Receipt, Rules};
use crate::engine::read::view;
use crate::engine::record::key::Table;
use crate::engine::record::{self, RecordError, gaps, standing};
use crate::engine::write::transaction::{Transaction, TxContext};
use crate::engine::write::working::{Committed, Working};
use crate::store::{KeyRange, Read};
pub use wrong::Wrong;

/// An entry that seems wrong is looked at again until nothing was committed meanwhile, but not more often than this.
const WAKE_UPS_MAX: usize = 1_000;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Keys.
    pub keys: u64,
    /// Machines among them.
    pub machines: u64,
}

/// By what machines are folded.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The rules in force.
    pub rules: &'a Rules,
    /// The instant.
    pub now: Timestamp,
    /// Why nobody is stopped by time alone at present.
    pub stops_held: Option<Distrust>,
}

/// Looks at everything, and hands over what is wrong. `go_on` is asked now and then.
///
/// # Errors
/// The store's.
pub fn verify(
    reader: &dyn Read,
    given: Given<'_>,
    go_on: &dyn Fn() -> bool,
    found: &mut dyn FnMut(Wrong),
) -> Result<Seen, RecordError> {
    let mut seen = Seen::default();
    let all = KeyRange::prefix(b"");
    view::walk(reader, all, |key, first| {
        seen.keys += 1;
        seen.machines += u64::from(key.first() == Some(&(Table::Machine as u8)));
        for wrong in steady(reader, key, first, given)? {
            found(wrong);
        }
        Ok(seen.keys % 256 != 0 || go_on())
    })?;
    Ok(seen)
}

/// What is wrong with an entry at one instant: what was written meanwhile would look wrong.
fn steady(
    reader: &dyn Read,
    key: &[u8],
    first: Bytes,
    given: Given<'_>,
) -> Result<Vec<Wrong>, RecordError> {
    let mut first = Some(first);
    for _ in 0..WAKE_UPS_MAX {
        let before = reader.seq()?;
        let Some(value) = first else {
            return Ok(Vec::new());
        };
        let wrong = one(reader, key, value, given)?;
        if wrong.is_empty() || reader.seq()? == before {
            return Ok(wrong);
        }
        first = reader.get(key)?.map(|value| value.bytes);
    }
    // A store as busy as that shows it in the next run.
    Ok(Vec::new())
}

fn one(
    reader: &dyn Read,
    key: &[u8],
    first: Bytes,
    given: Given<'_>,
) -> Result<Vec<Wrong>, RecordError> {
    let mut wrong = check::entry(&Committed(reader), key, first.clone())?;
    if key.first() == Some(&(Table::Machine as u8)) && wrong.is_empty() {
        let machine: Machine = record::whole(&Committed(reader), key, first)?;
        wrong.extend(folds_otherwise(reader, &machine, given)?);
    }
    Ok(wrong)
}

/// Whether a machine's facts lead to something else than its record. What time alone changes comes when it is due.
fn folds_otherwise(
    reader: &dyn Read,
    machine: &Machine,
    given: Given<'_>,
) -> Result<Option<Wrong>, RecordError> {
    if machine.held.is_some() || machine.wake_at.is_some_and(|at| at <= given.now) {
        return Ok(None);
    }
    let gaps = gaps::read(&Committed(reader))?;
    let orders = standing::orders(&Committed(reader))?;
    let mut working = Working::new(reader);
    let context = TxContext {
        rules: given.rules,
        at: given.now,
        jitter: 0,
        stops_held: given.stops_held,
        gaps: &gaps,
        standing: &orders,
        live_licenses: 0,
    };
    let wake_up = Input::WakeUp {
        machine: machine.id.clone(),
    };
    Transaction::new(&mut working, context).input(&wake_up)?;
    let woken = record::machine(&working, &machine.id)?;
    let differs = woken.is_none_or(|woken| !leads_to_the_same(machine, &woken));
    Ok(differs.then(|| Wrong::Differs(machine.id.clone())))
}

/// Whether two states of a machine decide alike. That an action is held, due or superseded by now is none of its facts:
/// an order for the whole shop changes it, and the sweep follows.
fn leads_to_the_same(one: &Machine, other: &Machine) -> bool {
    let actions = |m: &Machine| {
        let action = |a: &Action| (a.id, a.license, a.act.as_str());
        m.actions.iter().map(action).collect::<Vec<_>>()
    };
    let notices = |m: &Machine| {
        let notice = |n: &Notice| (n.id, n.kind, n.about.clone());
        m.notices.iter().map(notice).collect::<Vec<_>>()
    };
    one.facts == other.facts
        && one.grants == other.grants
        && one.journal == other.journal
        && one.held == other.held
        && one.last_number == other.last_number
        && actions(one) == actions(other)
        && notices(one) == notices(other)
}

/// Puts right what an entry shows to be wrong, if it still is.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn mend(
    working: &mut Working<'_>,
    key: &[u8],
) -> Result<Receipt, RecordError> {
    let Some(first) = record::View::get(&*working, key)? else {
        return Ok(Receipt::Unknown);
    };
    for wrong in check::entry(working, key, first)? {
        for (key, value) in wrong.mended() {
            match value {
                Some(value) => working.put(key, value),
                None => working.delete(key),
            }
        }
    }
    Ok(Receipt::Done)
}

/// The input that mends something; `None`: only a person can.
#[must_use]
pub fn remedy(wrong: &Wrong) -> Option<Input> {
    if let Wrong::Differs(machine) = wrong {
        return Some(Input::WakeUp {
            machine: machine.clone(),
        });
    }
    (!wrong.mended().is_empty()).then(|| Input::Mend {
        key: wrong.found_at().to_vec(),
    })
}
