//! What waits for a person in the whole store: purchases, and events without one.

use std::collections::BTreeMap;

use crate::domain::action::ActionOutcome;
use crate::domain::attention::{
    Attention, Concern, HeldBack, PURCHASE_WITHIN, UnreadableEvents, of_machine,
};
use crate::domain::fact::Fact;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding::plan_of;
use crate::domain::id::SourceName;
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::service_move::ServiceKind;
use crate::domain::standing::{Author, Standing, StandingOrder, StandingOrders};
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventHead, RecordError, audits};
use crate::engine::route::awaited::Awaited;
use crate::engine::route::reparse;
use crate::engine::write::working::Committed;
use crate::store::{Direction, KeyRange, Read};

use super::view;

/// Where a walk over all purchases goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineCursor(Option<Vec<u8>>);

impl MachineCursor {
    /// Whether the walk is over, or has not begun.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }
}

/// What waits of the next so many purchases. A record that cannot be read is reported where it is used.
///
/// # Errors
/// The store's.
pub fn stretch(
    reader: &dyn Read,
    cursor: &mut MachineCursor,
    limit: usize,
    mut visit: impl FnMut(&Machine),
) -> Result<(), RecordError> {
    let mut range = KeyRange::prefix(&[Table::Machine as u8]);
    range.start = cursor.0.take().unwrap_or(range.start);
    let entries = reader.range(&range, Direction::Forward, limit)?;
    let next = entries.last().filter(|_| entries.len() == limit);
    cursor.0 = next.map(|(key, _)| [key.as_slice(), &[0]].concat());
    for (key, value) in entries {
        if let Ok(machine) = record::whole::<Machine>(&Committed(reader), &key, value.bytes) {
            visit(&record::checked(machine));
        }
    }
    Ok(())
}

/// What waits of a purchase, with the other purchases that wait for a license which it ends.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn of_purchase(
    reader: &dyn Read,
    revisions: &Revisions,
    machine: &Machine,
    now: Timestamp,
) -> Result<Vec<Attention>, RecordError> {
    let mut found = of_machine(machine, now);
    let view = Committed(reader);
    let mut awaited = Awaited::new(&view, machine);
    for attention in &mut found {
        if let Concern::HeldAction {
            action, awaiting, ..
        } = &mut attention.concern
            && let Some(end) = machine.actions.iter().find(|a| a.id == action.number)
        {
            *awaiting = awaited.by(end, revisions, now)?;
        }
    }
    Ok(found)
}

/// Everything that waits, of every purchase and event, the oldest first; each purchase is shown to whoever counts.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn all(
    reader: &dyn Read,
    revisions: &Revisions,
    now: Timestamp,
    mut visit: impl FnMut(&Machine),
) -> Result<Vec<Attention>, RecordError> {
    let mut found = parked(reader, now)?;
    let machines = KeyRange::prefix(&[Table::Machine as u8]);
    view::walk(reader, machines, |key, first| {
        let machine = record::whole::<Machine>(&Committed(reader), key, first)?;
        let machine = record::checked(machine);
        visit(&machine);
        found.extend(of_purchase(reader, revisions, &machine, now)?);
        Ok(true)
    })?;
    found.sort_by_key(|attention| attention.since);
    Ok(found)
}

/// A store that was restored and only observes since.
///
/// # Errors
/// The store's.
pub fn restored(
    reader: &dyn Read,
    orders: &StandingOrders,
    rules: &Rules,
) -> Result<Option<Attention>, RecordError> {
    let order = orders.observes(None).filter(|o| o.by == Author::Restore);
    let Some(order) = order else {
        return Ok(None);
    };
    let embedded = ServiceKind::Embedded.as_str();
    let mut sources = rules.sources.values();
    let has_keys = sources.any(|s| s.service == embedded);
    let mark = record::restored::read(&Committed(reader))?.filter(|_| has_keys);
    Ok(Some(Attention {
        since: order.at,
        concern: Concern::Restored {
            why: order.reason.clone(),
            unknown_keys: mark.map(|mark| (mark.taken, mark.at)),
        },
    }))
}

/// How much each order of the shop's holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldCount(BTreeMap<HeldBack, u64>);

impl HeldCount {
    /// Adds what is held of a purchase.
    pub fn add(&mut self, machine: &Machine, rules: &Rules) {
        for action in &machine.actions {
            if action.outcome != ActionOutcome::Held {
                continue;
            }
            let by = match action.held.as_ref().map(Hold::by) {
                Some(HeldBy::Pause) => {
                    HeldBack::Service(rules.source(&machine.source).service.to_owned())
                }
                Some(HeldBy::Observe) => {
                    *self.0.entry(HeldBack::Shop).or_default() += 1;
                    match plan_of(machine, action) {
                        Some(plan) => HeldBack::Plan(plan.clone()),
                        None => continue,
                    }
                }
                Some(_) | None => continue,
            };
            *self.0.entry(by).or_default() += 1;
        }
    }
}

impl HeldCount {
    /// What an order holds. What a plan's own order holds is not the shop's.
    fn of(&self, what: &HeldBack, orders: &StandingOrders) -> u64 {
        let counted = |what: &HeldBack| self.0.get(what).copied().unwrap_or_default();
        let own = |(what, count): (&HeldBack, &u64)| match what {
            HeldBack::Plan(plan) => {
                let by = orders.observes(Some(plan))?;
                matches!(by.what, Standing::Observe { plan: Some(_) }).then_some(*count)
            }
            HeldBack::Service(_) | HeldBack::Shop => None,
        };
        match what {
            HeldBack::Shop => counted(what) - self.0.iter().filter_map(own).sum::<u64>(),
            HeldBack::Service(_) | HeldBack::Plan(_) => counted(what),
        }
    }
}

/// The orders that hold work back and may be forgotten. A service that the config names no more holds nothing.
#[must_use]
pub fn held_back(
    orders: &StandingOrders,
    rules: &Rules,
    held: Option<&HeldCount>,
) -> Vec<Attention> {
    let waits = |order: &StandingOrder| {
        let what = match &order.what {
            Standing::Pause { service } => {
                rules.sources.values().find(|s| s.service == service)?;
                HeldBack::Service(service.clone())
            }
            Standing::Observe { plan: Some(plan) } => HeldBack::Plan(plan.clone()),
            Standing::Observe { plan: None } => HeldBack::Shop,
            Standing::Live { .. }
            | Standing::Resume { .. }
            | Standing::OtherHandler { .. }
            | Standing::Alone { .. }
            | Standing::Adopted { .. }
            | Standing::Override { .. }
            | Standing::EndOverride { .. }
            | Standing::Erased => return None,
        };
        let holds = held.map(|held| held.of(&what, orders));
        let by = format!("{} ({})", order.by, order.reason);
        Some(Attention {
            since: order.at,
            concern: Concern::HeldBack { what, by, holds },
        })
    };
    orders
        .forgettable(rules.store_since)
        .filter_map(waits)
        .collect()
}

/// What the last audits found and nobody has noted.
///
/// # Errors
/// The store's.
pub fn audited(reader: &dyn Read) -> Result<Vec<Attention>, RecordError> {
    let found = audits::all(reader)?.into_iter();
    let waits = |audit: audits::AuditRecord| Attention {
        since: audit.since,
        concern: Concern::AuditDiffers {
            source: audit.source.clone(),
            found: Box::new(audit.found()),
        },
    };
    let waiting = found.map(waits);
    let is_noted = |waits: &Attention| matches!(&waits.concern, Concern::AuditDiffers { found, .. } if found.is_noted());
    Ok(waiting.filter(|waits| !is_noted(waits)).collect())
}

/// Events that could not be read, of each source that has any. An account's events are its source's.
///
/// # Errors
/// The store's.
pub fn unread(reader: &dyn Read) -> Result<Vec<Attention>, RecordError> {
    let mut found: BTreeMap<SourceName, UnreadableEvents> = BTreeMap::new();
    for one in reparse::all(reader)? {
        match found.get_mut(one.scope.source()) {
            Some(events) => events.add(one),
            None => {
                found.insert(one.scope.source().clone(), UnreadableEvents::of(one));
            }
        }
    }
    let waits = |(source, events): (SourceName, UnreadableEvents)| Attention {
        since: events.since,
        concern: Concern::UnreadableEvents {
            source,
            events: Box::new(events),
        },
    };
    Ok(found.into_iter().map(waits).collect())
}

/// Events that have waited too long for their purchase, and that nobody has looked at.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn parked(reader: &dyn Read, now: Timestamp) -> Result<Vec<Attention>, RecordError> {
    let mut found = Vec::new();
    let waiting = KeyRange::prefix(&[Table::Waiting as u8]);
    view::walk(reader, waiting, |entry, first| {
        let (scope, Some(event)) = (key::scope_of(entry), key::event_of(entry)) else {
            return Ok(true);
        };
        let fact: Fact = record::whole(&Committed(reader), entry, first)?;
        if now - fact.received < PURCHASE_WITHIN {
            return Ok(true);
        }
        let head: Option<EventHead> = record::get(&Committed(reader), &key::event(&scope, &event))?;
        // Others wait without anybody missing them: links for what may come.
        let unseen = head.filter(|head| head.noted.is_none());
        if let Some(Disposition::Parked(names)) = unseen.map(|head| head.disposition) {
            found.push(Attention {
                since: fact.received,
                concern: Concern::Parked {
                    scope,
                    event,
                    names,
                },
            });
        }
        Ok(true)
    })?;
    Ok(found)
}
