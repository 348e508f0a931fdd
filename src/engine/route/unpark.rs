//! Links, and claiming what was parked: a machine that gets a name gets everything that waits for it, and so on.

use super::parked_query;
use crate::domain::decide;
use crate::domain::fact::Fact;
use crate::domain::id::{EventId, Scope};
use crate::domain::machine::Machine;
use crate::domain::routing::names_to_link;
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError, View};
use crate::engine::write::transaction::Transaction;

/// The most events that one link claims in one batch. Far above any honest number: one payment has a handful.
const CLAIMS_MAX: usize = 500;

/// Links a fact's names to a machine, and claims what waits for any of them, through several links too.
pub(in crate::engine) fn link(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    fact: &Fact,
    fresh: bool,
) -> Result<(), RecordError> {
    let mut names: Vec<String> = Vec::new();
    if fresh {
        names.push(machine.object().to_string());
    }
    new_names(tx, scope, machine, fact, &mut names)?;
    while let Some(name) = names.pop() {
        if !tx.working.may_be_parked(scope, &name) {
            continue;
        }
        let waiting = tx
            .working
            .range(&key::under(Table::Parked, scope, &[&name]), CLAIMS_MAX)?;
        for (entry, _) in waiting {
            let Some(event) = key::event_of(&entry) else {
                continue;
            };
            if let Some(claimed) = claim(tx, scope, machine, &event)? {
                new_names(tx, scope, machine, &claimed, &mut names)?;
            }
        }
    }
    Ok(())
}

/// Links the names of a fact that lead nowhere yet, and lists them.
fn new_names(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &Machine,
    fact: &Fact,
    names: &mut Vec<String>,
) -> Result<(), RecordError> {
    for name in names_to_link(fact, machine.object()) {
        let entry = key::link(scope, name.as_str());
        if tx.working.get(&entry)?.is_none() {
            tx.working
                .put(entry, String::from(&machine.id).into_bytes());
            names.push(name.as_str().to_owned());
        }
    }
    Ok(())
}

/// Takes a parked event in: its fact joins the machine, and the event's record says where it went.
fn claim(
    tx: &mut Transaction<'_, '_>,
    scope: &Scope,
    machine: &mut Machine,
    event: &EventId,
) -> Result<Option<Fact>, RecordError> {
    let waiting = key::waiting(scope, event);
    let Some(fact) = record::get::<Fact>(tx.working, &waiting)? else {
        return Ok(None);
    };
    for name in fact.names() {
        tx.working.delete(key::parked(scope, name.as_str(), event));
    }
    record::delete(tx.working, waiting)?;
    parked_query::end(tx, scope, &fact)?;
    let key = key::event(scope, event);
    if let Some(mut kept) = record::get::<EventRecord>(tx.working, &key)? {
        // rule 4: test mode touches nothing live, and the other way round.
        if let (Some(is), Some(told)) = (machine.livemode, kept.livemode)
            && is != told
        {
            kept.disposition = Disposition::Ignored(Reason::OtherModeThanPurchase);
            record::put(tx.working, key, &kept)?;
            return Ok(None);
        }
        kept.disposition = Disposition::Applied(Some(machine.id.clone()));
        record::put(tx.working, key, &kept)?;
    }
    decide::add_fact(machine, &fact);
    Ok(Some(fact))
}
