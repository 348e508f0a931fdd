//! Searches: parked events whose links are asked for at Stripe. There is no machine yet that could carry the work, so a
//! name that somebody waits for has a small record of its own, with its place among what is due. A link that is found
//! comes in as a fact and claims what is parked (`claim.rs`), which ends the search.

use minicbor::{Decode, Encode};

use super::key::{self, Table};
use super::record::{self, RecordError, View};
use super::transact::Transaction;
use super::working::Committed;
use crate::domain::action::Outcome;
use crate::domain::fact::{Fact, Name};
use crate::domain::id::Scope;
use crate::domain::retry::next_try;
use crate::domain::time::{Span, Timestamp};
use crate::store::{Direction, Read};

/// Most links come by themselves, within seconds of what needs them.
pub const FIRST_LOOK: Span = Span::from_s(10);
/// So long after an answer without a link the next look waits; after the last one the search is given up. The longest
/// way of a link at Stripe itself is a delayed payment's invoice, made when its session is complete.
const WAITS: [Span; 4] = [Span::from_minutes(1), Span::from_minutes(10), Span::from_hours(1), Span::from_days(1)];

/// How the search for a name's purchase stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Search {
    /// When Stripe is asked next; `None`: it was given up.
    #[n(0)]
    pub due: Option<Timestamp>,
    /// Tries in a row that were not answered.
    #[n(1)]
    pub attempts: u32,
    /// Answers that held no link.
    #[n(2)]
    pub answered: u32,
    /// What Stripe said last, if that was no answer.
    #[n(3)]
    pub error: Option<String>,
}

fn get(tx: &Transaction<'_, '_>, scope: &Scope, name: &str) -> Result<Option<Search>, RecordError> {
    record::get(tx.working, &key::search(scope, name))
}

fn put(tx: &mut Transaction<'_, '_>, scope: &Scope, name: &str, search: &Search) -> Result<(), RecordError> {
    if let Some(at) = search.due {
        tx.working.put(key::due_search(at, scope, name), Vec::new());
    }
    Ok(record::put(tx.working, key::search(scope, name), search)?)
}

/// Begins the search for what was just parked, unless its name is searched for already.
pub(super) fn begin(tx: &mut Transaction<'_, '_>, scope: &Scope, fact: &Fact) -> Result<(), RecordError> {
    let Some(name) = subject(fact) else { return Ok(()) };
    let name = name.as_str();
    if get(tx, scope, name)?.is_some_and(|s| s.due.is_some()) {
        return Ok(());
    }
    let search = Search { due: Some(tx.now.at + FIRST_LOOK), attempts: 0, answered: 0, error: None };
    put(tx, scope, name, &search)
}

/// The name by which a parked fact is searched for: its payment, else its charge.
#[must_use]
pub fn subject(fact: &Fact) -> Option<Name> {
    fact.names().into_iter().find(|n| matches!(n, Name::PaymentIntent(_) | Name::Charge(_)))
}

/// Ends the search for a claimed fact.
pub(super) fn end(tx: &mut Transaction<'_, '_>, scope: &Scope, fact: &Fact) -> Result<(), RecordError> {
    match subject(fact) {
        Some(name) => forget(tx, scope, name.as_str()),
        None => Ok(()),
    }
}

fn forget(tx: &mut Transaction<'_, '_>, scope: &Scope, name: &str) -> Result<(), RecordError> {
    if let Some(search) = get(tx, scope, name)? {
        if let Some(at) = search.due {
            tx.working.delete(key::due_search(at, scope, name));
        }
        tx.working.delete(key::search(scope, name));
    }
    Ok(())
}

/// Takes in what came of a look. Returns whether there was such a search.
pub(super) fn looked(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    name: &str,
    outcome: &Outcome,
) -> Result<bool, RecordError> {
    let Some(mut search) = get(tx, scope, name)? else { return Ok(false) };
    if let Some(at) = search.due {
        tx.working.delete(key::due_search(at, scope, name));
    }
    if tx.working.range(&key::under(Table::Parked, scope, &[name]), 1)?.is_empty() {
        // Nobody waits for it any more.
        tx.working.delete(key::search(scope, name));
        return Ok(true);
    }
    let (now, dice) = (tx.now.at, tx.now.dice);
    match outcome {
        Outcome::Refused { why, service_wide } => {
            search.attempts += 1;
            search.error = Some(why.clone());
            search.due = service_wide.then(|| next_try(now, search.attempts.max(8), dice, None));
        }
        Outcome::Again { after, why } => {
            search.attempts += 1;
            search.error = Some(why.clone());
            search.due = Some(next_try(now, search.attempts, dice, *after));
        }
        Outcome::Answered | Outcome::Done(_) | Outcome::Unknown { .. } | Outcome::Absent { .. } | Outcome::Gone => {
            let wait = usize::try_from(search.answered).ok().and_then(|n| WAITS.get(n));
            search.due = wait.map(|w| now + *w);
            (search.attempts, search.answered, search.error) = (0, search.answered + 1, None);
        }
    }
    put(tx, scope, name, &search)?;
    Ok(true)
}

/// How the search for a parked name's purchase stands.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn of(reader: &dyn Read, scope: &Scope, name: &str) -> Result<Option<Search>, RecordError> {
    record::get(&Committed(reader), &key::search(scope, name))
}

/// The first fact that waits for a name.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn waiting(reader: &dyn Read, scope: &Scope, name: &str) -> Result<Option<Fact>, RecordError> {
    let first = reader.range(&key::under(Table::Parked, scope, &[name]), Direction::Forward, 1)?;
    match first.first().and_then(|(k, _)| key::event_of(k)) {
        Some(event) => record::get(&Committed(reader), &key::waiting(scope, &event)),
        None => Ok(None),
    }
}
