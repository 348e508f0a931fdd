//! What `move-licenses` asks: the licenses that are at another service than the one that the config names, and the order to
//! make them there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::{Context, decision_id, raw};
use super::failure::Failure;
use super::history::from;
use super::payload::MoveQuery;
use super::response::{Response, changed};
use crate::adopt::last_four;
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{EventId, MachineId, PlanName, SourceName};
use crate::domain::machine::{Grant, LicenseStatus, Machine};
use crate::domain::service_move::{MoveClass, ServiceKind, judge};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::engine::read::applications::{self, SourceApplications};
use crate::engine::read::view;
use crate::engine::record::key::Table;
use crate::engine::record::{self as stored};
use crate::engine::write::working::Committed;

/// Licenses in one page, about.
const ROWS_MAX: usize = 5_000;

/// A license, and what a move would do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRow {
    /// Its purchase.
    pub machine: MachineId,
    /// Its number within the purchase.
    pub number: u32,
    /// The last characters of its key.
    pub key: String,
    pub plan: Option<PlanName>,
    pub status: LicenseStatus,
    /// Its end; null is for life.
    pub expires_at: Option<Timestamp>,
    /// Where it goes.
    pub to: ServiceKind,
    pub class: MoveClass,
}

/// Licenses of a source at another service than the one that a config names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElsewhereRow {
    pub source: SourceName,
    /// Where they are.
    pub at: ServiceKind,
    /// What the config names.
    pub named: ServiceKind,
    pub licenses: u64,
}

/// Answers what `keyward move-licenses` asks.
pub(super) async fn answer(context: &Context, query: MoveQuery) -> Result<Response, Failure> {
    match query {
        MoveQuery::List {
            from,
            source,
            after,
        } => {
            let list = move |context: &Context| list(context, from, source.as_ref(), &after);
            context.read(list).await
        }
        MoveQuery::Count { named } => context.read(move |context| count(context, &named)).await,
        MoveQuery::Applications { named } => {
            let unnamed = move |context: &Context| unnamed(context, &named);
            context.read(unnamed).await
        }
        MoveQuery::Apply {
            from,
            machines,
            tell,
            author,
            reason,
        } => {
            let found = context
                .read(move |context| targets(context, from, machines))
                .await?;
            let at = context.handle.clock().now();
            let order = |(machine, to): (MachineId, ServiceKind)| {
                let (author, reason) = (author.clone(), reason.clone());
                let decision = Decision {
                    verb: Verb::Move { from, to, tell },
                    author,
                    reason,
                };
                let input = Input::Decision {
                    machine: machine.clone(),
                    id: EventId::new(decision_id(at)),
                    decision,
                    at,
                };
                (machine, input)
            };
            let orders: Vec<_> = found.into_iter().map(order).collect();
            let machines: Vec<MachineId> = orders.iter().map(|(m, _)| m.clone()).collect();
            let _ = context.submit_all(orders).await?;
            Ok(changed(machines, 0, 0))
        }
    }
}

/// The service that a purchase's source has by now, where that is another one.
fn target(context: &Context, machine: &Machine, from: ServiceKind) -> Option<ServiceKind> {
    let rules = context.handle.rules();
    let to = ServiceKind::named(rules.source(&machine.source).service)?;
    (to != from).then_some(to)
}

fn list(
    context: &Context,
    at: ServiceKind,
    source: Option<&SourceName>,
    after: &Option<String>,
) -> Result<Response, Failure> {
    let (mut rows, mut next) = (Vec::new(), None);
    let (reader, now) = (context.handle.reader(), context.handle.clock().now());
    view::walk(reader, from(Table::Machine, after)?, |key, first| {
        let machine: Machine = stored::whole(&Committed(reader), key, first)?;
        let is_asked = source.is_none_or(|name| *name == machine.source);
        if let Some(to) = target(context, &machine, at).filter(|_| is_asked) {
            let found = judge(&machine, at, to.keys(), now);
            rows.extend(
                found
                    .into_iter()
                    .map(|(g, class)| row(&machine, g, to, class, now)),
            );
        }
        next = (rows.len() >= ROWS_MAX).then(|| hex::encode(key));
        Ok(next.is_none())
    })?;
    Ok(Response::Page {
        rows: rows.iter().map(raw).collect::<Result<_, _>>()?,
        next,
        at: now,
    })
}

fn count(context: &Context, named: &[(SourceName, ServiceKind)]) -> Result<Response, Failure> {
    let (reader, now) = (context.handle.reader(), context.handle.clock().now());
    let mut elsewhere: BTreeMap<(SourceName, ServiceKind, ServiceKind), u64> = BTreeMap::new();
    view::machines(reader, |machine| {
        let of_source = named.iter().find(|(source, _)| *source == machine.source);
        if let Some((source, is)) = of_source {
            for at in ServiceKind::ALL.into_iter().filter(|at| at != is) {
                let moves = judge(&machine, at, is.keys(), now);
                let known = |(grant, class): &(&Grant, MoveClass)| {
                    *class != MoveClass::Ended && grant.service == Some(at)
                };
                let licenses = moves.iter().filter(|moved| known(moved)).count() as u64;
                if licenses > 0 {
                    *elsewhere.entry((source.clone(), at, *is)).or_default() += licenses;
                }
            }
        }
        true
    })?;
    let rows = elsewhere
        .into_iter()
        .map(|((source, at, named), licenses)| {
            raw(&ElsewhereRow {
                source,
                at,
                named,
                licenses,
            })
        });
    Ok(Response::Page {
        rows: rows.collect::<Result<_, _>>()?,
        next: None,
        at: now,
    })
}

fn unnamed(context: &Context, named: &[SourceApplications]) -> Result<Response, Failure> {
    let at = context.handle.clock().now();
    let rows = applications::unnamed(context.handle.reader(), named, at)?;
    Ok(Response::Page {
        rows: rows.iter().map(raw).collect::<Result<_, _>>()?,
        next: None,
        at,
    })
}

fn row(
    machine: &Machine,
    grant: &Grant,
    to: ServiceKind,
    class: MoveClass,
    now: Timestamp,
) -> MoveRow {
    MoveRow {
        machine: machine.id.clone(),
        number: grant.number,
        key: last_four(&grant.key),
        plan: grant.plan.clone(),
        status: grant.status_at(now),
        expires_at: grant.expires_at,
        to,
        class,
    }
}

/// Those of the purchases that have something to move still, each with where it goes: an order that comes twice moves once.
fn targets(
    context: &Context,
    from: ServiceKind,
    machines: Vec<MachineId>,
) -> Result<Vec<(MachineId, ServiceKind)>, Failure> {
    let (reader, now) = (context.handle.reader(), context.handle.clock().now());
    let mut out = Vec::new();
    for id in machines {
        let Some(machine) = stored::machine(&Committed(reader), &id)? else {
            continue;
        };
        let Some(to) = target(context, &machine, from) else {
            continue;
        };
        let moves = judge(&machine, from, to.keys(), now);
        if moves.iter().any(|(_, class)| class.moves()) {
            out.push((id, to));
        }
    }
    Ok(out)
}
