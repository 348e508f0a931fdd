//! Queries for parked events whose links are asked for at Stripe. There is no machine yet that could carry the work, so a
//! name that somebody waits for has a small record of its own, with its place among what is due. A link that is found
//! comes in as a fact and claims what is parked (`unpark.rs`), which ends the query. When the next query is due is
//! `domain/parked_query.rs`.

use crate::domain::action::Outcome;
use crate::domain::fact::Fact;
use crate::domain::id::Scope;
use crate::domain::parked_query::{ParkedQuery, subject};
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, RecordError, View};
use crate::engine::write::transaction::Transaction;
use crate::engine::write::working::Committed;
use crate::store::{Direction, Read};

fn get(
    tx: &Transaction<'_, '_>,
    scope: &Scope,
    name: &str,
) -> Result<Option<ParkedQuery>, RecordError> {
    record::get(tx.working, &key::parked_query(scope, name))
}

fn put(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    name: &str,
    search: &ParkedQuery,
) -> Result<(), RecordError> {
    if let Some(at) = search.due {
        tx.working
            .put(key::due_parked_query(at, scope, name), Vec::new());
    }
    Ok(record::put(
        tx.working,
        key::parked_query(scope, name),
        search,
    )?)
}

/// Begins the query for what was just parked, unless its name is searched for already.
pub(in crate::engine) fn begin(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    fact: &Fact,
) -> Result<(), RecordError> {
    let Some(name) = subject(fact) else {
        return Ok(());
    };
    let name = name.as_str();
    if get(tx, scope, name)?.is_some_and(|s| s.due.is_some()) {
        return Ok(());
    }
    put(tx, scope, name, &ParkedQuery::begun(tx.context.at))
}

/// Ends the query for a claimed fact.
pub(in crate::engine) fn end(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    fact: &Fact,
) -> Result<(), RecordError> {
    match subject(fact) {
        Some(name) => forget(tx, scope, name.as_str()),
        None => Ok(()),
    }
}

fn forget(tx: &mut Transaction<'_, '_>, scope: &Scope, name: &str) -> Result<(), RecordError> {
    if let Some(search) = get(tx, scope, name)? {
        if let Some(at) = search.due {
            tx.working.delete(key::due_parked_query(at, scope, name));
        }
        tx.working.delete(key::parked_query(scope, name));
    }
    Ok(())
}

/// Takes in what came of a query. Returns whether there was such a query.
pub(in crate::engine) fn answered(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    name: &str,
    outcome: &Outcome,
) -> Result<bool, RecordError> {
    let Some(mut search) = get(tx, scope, name)? else {
        return Ok(false);
    };
    if let Some(at) = search.due {
        tx.working.delete(key::due_parked_query(at, scope, name));
    }
    if tx
        .working
        .range(&key::under(Table::Parked, scope, &[name]), 1)?
        .is_empty()
    {
        // Nobody waits for it any more.
        tx.working.delete(key::parked_query(scope, name));
        return Ok(true);
    }
    search.learn(outcome, tx.context.at, tx.context.jitter);
    put(tx, scope, name, &search)?;
    Ok(true)
}

/// How the query for a parked name's purchase stands.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn of(
    reader: &dyn Read,
    scope: &Scope,
    name: &str,
) -> Result<Option<ParkedQuery>, RecordError> {
    record::get(&Committed(reader), &key::parked_query(scope, name))
}

/// The first fact that waits for a name.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn waiting(reader: &dyn Read, scope: &Scope, name: &str) -> Result<Option<Fact>, RecordError> {
    let first = reader.range(
        &key::under(Table::Parked, scope, &[name]),
        Direction::Forward,
        1,
    )?;
    match first.first().and_then(|(k, _)| key::event_of(k)) {
        Some(event) => record::get(&Committed(reader), &key::waiting(scope, &event)),
        None => Ok(None),
    }
}
