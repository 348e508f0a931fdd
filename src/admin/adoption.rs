//! What `adopt` and `audit` need of a store: its purchases as they are, the labels that were read, and the door for what is
//! taken in.

use std::collections::BTreeMap;

use super::context::{Context, decision_id};
use super::failure::Failure;
use super::held_work::{ChosenRepair, held_for_repair};
use super::history::{from, packed, unpacked};
use super::request::{AdoptionQuery, Differing};
use super::response::{Changed, Response};
use crate::adopt::{AdoptedPurchase, delivered};
use crate::domain::adoption::{Repair, is_untouched};
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{EventId, LicenseKey, MachineId, SourceName};
use crate::domain::machine::Machine;
use crate::domain::operator::{Order, Repaired};
use crate::domain::standing::{Author, Standing, StandingOrder};
use crate::domain::time::{Span, Timestamp};
use crate::effects::services::Services;
use crate::engine::input::{Adopting, Input, Receipt};
use crate::engine::read::{noted_keys, view};
use crate::engine::record::key::Table;
use crate::engine::record::{self as stored, labels};
use crate::engine::write::working::Committed;
use tokio::task::JoinSet;

/// An `adopt --apply` that goes on within this is one run: it is noted once.
const ONE_RUN: Span = Span::from_hours(1);
/// A page of purchases ends when it is longer than this, in bytes.
const PAGE_LEN: usize = 2 << 20;

/// Answers what `keyward adopt` and `keyward audit` ask.
pub(super) async fn answer(
    context: &Context,
    running: Option<&Services>,
    query: AdoptionQuery,
) -> Result<Response, Failure> {
    match query {
        AdoptionQuery::Machines { after } => {
            context.read(move |context| machines(context, &after)).await
        }
        AdoptionQuery::Labels => context.read(kept_labels).await,
        AdoptionQuery::Apply { purchases } => apply(context, running, &purchases).await,
        AdoptionQuery::Deliver { source, events } => {
            let now = context.handle.clock().now();
            for event in events {
                if let Some(input) = delivered(&event, &source, now) {
                    context.handle.submit_waiting(input).await?;
                }
            }
            Ok(done(Vec::new()))
        }
        AdoptionQuery::Repair {
            repair,
            takes,
            purchases,
            author,
            reason,
        } => {
            mend(
                context,
                ChosenRepair { repair, takes },
                purchases,
                Authorship { author, reason },
            )
            .await
        }
        AdoptionQuery::Undo => undo(context, running).await,
        AdoptionQuery::Remember { labels } => {
            context.handle.submit_waiting(Input::Labels(labels)).await?;
            Ok(done(Vec::new()))
        }
    }
}

fn done(machines: Vec<String>) -> Response {
    Response::Changed(Changed {
        machines,
        ..Changed::default()
    })
}

/// Takes purchases in, each in a batch of its own; several share a sync. Names those of which something was new.
async fn apply(
    context: &Context,
    running: Option<&Services>,
    purchases: &[String],
) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    let (mut under_way, mut taken) = (JoinSet::new(), Vec::new());
    for text in purchases {
        let purchase: AdoptedPurchase = unpacked(text)
            .map_err(|why| Failure::ours(format!("a purchase cannot be read: {why}")))?;
        note_adoption(context, purchase.machine.source()).await?;
        // No look for another purchase's license may take these meanwhile.
        if let Some(services) = running {
            purchase
                .licenses
                .iter()
                .for_each(|license| services.hold(&license.key));
        }
        let (handle, input) = (context.handle.clone(), purchase.input(now));
        under_way.spawn(async move { handle.submit_waiting(input).await });
    }
    while let Some(done) = under_way.join_next().await {
        let receipt = done.map_err(|e| Failure::ours(e.to_string()))??;
        if let Receipt::Applied(Some(machine)) = receipt {
            taken.push(machine.to_string());
        }
    }
    Ok(done(taken))
}

/// Who ordered something, and why.
struct Authorship {
    author: String,
    reason: String,
}

/// Repairs purchases, and tells what of it is held all the same. What is taken in with its history comes by `Apply`.
async fn mend(
    context: &Context,
    chosen: ChosenRepair,
    purchases: Vec<Differing>,
    Authorship { author, reason }: Authorship,
) -> Result<Response, Failure> {
    let at = context.handle.clock().now();
    let mut count = 0;
    for step in steps(chosen) {
        let inputs = purchases.iter().flat_map(|p| {
            let inputs = step.inputs(p, &author, &reason, at);
            inputs.into_iter().map(|input| (p.machine.clone(), input))
        });
        // Each step of a purchase waits for the one before.
        count += context.submit_all(inputs.collect::<Vec<_>>()).await?;
    }
    let machines: Vec<MachineId> = purchases.into_iter().map(|p| p.machine).collect();
    let of = machines.clone();
    let held = context
        .read(move |context| held_for_repair(context, &of, chosen))
        .await?;
    Ok(Response::Changed(Changed {
        machines: machines.iter().map(ToString::to_string).collect(),
        actions: Some(count),
        held,
        ..Changed::default()
    }))
}

/// A part of a repair.
#[derive(Clone, Copy)]
enum RepairStep {
    /// What waits for a yes or was refused is tried, as far as it is meant.
    Try(Repaired),
    /// The licenses are read.
    Read,
    /// A new key takes the old one's place, where that is revoked.
    Rekey,
}

/// What a repair is made of.
const fn steps(ChosenRepair { repair, takes }: ChosenRepair) -> &'static [RepairStep] {
    match repair {
        // What adoption holds of what the key lacks goes ahead, too: else what is read would wait behind it.
        Repair::Read => &[RepairStep::Try(Repaired::Lacking), RepairStep::Read],
        // It is taken in through the door of its own: what is held stays held.
        Repair::Hear => &[],
        Repair::Retry if takes => &[RepairStep::Try(Repaired::Taking)],
        Repair::Retry => &[RepairStep::Try(Repaired::Giving)],
        // The decision waits for what the service says of the old key when it is read: one that works stays, and what is revoked
        // already needs no revocation.
        Repair::Rekey => &[RepairStep::Rekey, RepairStep::Read],
    }
}

impl RepairStep {
    fn inputs(self, of: &Differing, author: &str, reason: &str, at: Timestamp) -> Vec<Input> {
        let (machine, author, reason) = (of.machine.clone(), author.to_owned(), reason.to_owned());
        let order = match self {
            Self::Try(which) => Order::Repair {
                which,
                author,
                reason,
            },
            Self::Read => Order::Read,
            Self::Rekey => {
                // The purchase's other licenses work: they are left alone.
                let rekeyed = |number: &u32| Input::Decision {
                    machine: machine.clone(),
                    id: EventId::new(decision_id(at)),
                    decision: Decision {
                        verb: Verb::Rekey {
                            license: Some(*number),
                            at_once: false,
                            if_revoked: true,
                        },
                        author: author.clone(),
                        reason: reason.clone(),
                    },
                    at,
                };
                return of.licenses.iter().map(rekeyed).collect();
            }
        };
        vec![Input::Actions {
            machine,
            action: None,
            order,
        }]
    }
}

/// Notes that purchases of others are taken in: whoever made their licenses may not have stopped.
async fn note_adoption(context: &Context, source: &SourceName) -> Result<(), Failure> {
    let at = context.handle.clock().now();
    if context.handle.standing().has_adopted(source, at - ONE_RUN) {
        return Ok(());
    }
    let order = StandingOrder {
        what: Standing::Adopted {
            source: source.clone(),
        },
        by: Author::Keyward,
        reason: "`keyward adopt --apply`".to_owned(),
        at,
    };
    Ok(context.handle.order(order).await?)
}

/// Forgets what was adopted and is as it was then, and the keys that were noted for the next run.
async fn undo(context: &Context, running: Option<&Services>) -> Result<Response, Failure> {
    let (untouched, mut stay) = context.read(adopted).await?;
    let (mut forgotten, mut noted) = (Vec::new(), 0);
    for (machine, found) in untouched {
        let input = Input::Adopt(Box::new(Adopting::Forget(machine.clone())));
        if context.handle.submit_waiting(input).await? != Receipt::Done {
            // Something was heard of it just now.
            if found.adopted {
                stay.push(machine.to_string());
            }
            continue;
        }
        // Its next event finds them again by their labels.
        if let Some(services) = running {
            found.keys.iter().for_each(|key| services.let_go(key));
        }
        if found.adopted {
            forgotten.push(machine.to_string());
        } else {
            noted += 1;
        }
    }
    Ok(Response::Changed(Changed {
        machines: forgotten,
        noted: Some(noted),
        stay,
        ..Changed::default()
    }))
}

/// What an adoption left, and nothing acted on since.
#[derive(Default)]
struct Untouched {
    /// It was taken in; else only its keys were noted.
    adopted: bool,
    keys: Vec<LicenseKey>,
}

/// What can be forgotten, and the purchases that were adopted and stay: something was heard of them or done since.
fn adopted(context: &Context) -> Result<(BTreeMap<MachineId, Untouched>, Vec<String>), Failure> {
    let reader = context.handle.reader();
    let mut found: BTreeMap<MachineId, Untouched> = BTreeMap::new();
    let mut stay = Vec::new();
    for (machine, keys) in noted_keys::all(reader)? {
        found.entry(machine).or_default().keys.extend(keys);
    }
    view::machines(reader, |machine| {
        if is_untouched(&machine) {
            let of = found.entry(machine.id).or_default();
            of.adopted = true;
            of.keys.extend(machine.grants.into_iter().map(|g| g.key));
        } else if machine.adopted_at.is_some() {
            stay.push(machine.id.to_string());
        }
        true
    })?;
    Ok((found, stay))
}

fn machines(context: &Context, after: &Option<String>) -> Result<Response, Failure> {
    let (mut rows, mut next, mut len) = (Vec::new(), None, 0);
    let reader = context.handle.reader();
    view::walk(reader, from(Table::Machine, after)?, |key, first| {
        let machine: Machine = stored::whole(&Committed(reader), key, first)?;
        let text = packed(&machine);
        len += text.len();
        rows.push(text);
        if len >= PAGE_LEN {
            next = Some(hex::encode(key));
        }
        Ok(next.is_none())
    })?;
    let rows = rows.iter().map(super::context::raw);
    Ok(Response::Page {
        rows: rows.collect::<Result<_, _>>()?,
        next,
        at: context.handle.clock().now(),
    })
}

fn kept_labels(context: &Context) -> Result<Response, Failure> {
    let pairs = labels::read(context.handle.reader())?;
    Ok(Response::Page {
        rows: pairs
            .iter()
            .map(super::context::raw)
            .collect::<Result<_, _>>()?,
        next: None,
        at: context.handle.clock().now(),
    })
}
