//! Orders for the whole shop, what they and the guard hold, and a person's word on that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::came_back;
use super::context::{Context, raw};
use super::failure::Failure;
use super::held_by_order::{LeftHeld, by_orders_like, held_still, left_held, with_unplanned};
use super::issue::known_plan;
use super::lists::{self, rows_max};
use super::read;
use super::request::action_name;
use super::response::{Changed, Response};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::holding;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::operator::Order;
use crate::domain::service_move::ServiceKind;
use crate::domain::standing::{Author, Standing, StandingOrder};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::standing;

/// What a person says of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It may go ahead, whatever holds it.
    Approve,
    /// It is given up.
    Drop,
}

impl Settlement {
    /// The order that somebody gives by it.
    pub(super) fn by(self, author: String, reason: String) -> Order {
        match self {
            Self::Approve => Order::Approve { author, reason },
            Self::Drop => Order::Drop { author, reason },
        }
    }
}

/// What of it.
pub(super) enum Which {
    /// The action of this name.
    One(String),
    /// All that this holds. A word on what the guard holds is no word on what waits for other reasons.
    All(HeldBy),
}

impl Which {
    pub(super) fn of(id: Option<String>, held_by: Option<HeldBy>) -> Self {
        id.map_or(Self::All(held_by.unwrap_or(HeldBy::Guard)), Self::One)
    }
}

/// What holds at present, besides the rows of what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The shop's orders, oldest first.
    pub orders: Vec<StandingOrder>,
    /// Whether anything is only observed.
    pub observing: bool,
    /// Since when the guard holds everything that would end a license.
    pub guard_tripped: Option<Timestamp>,
    /// What observe mode held, against what the license service has.
    pub compared: Compared,
}

/// What would have been done in observe mode, against what the license service has by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What would have been done.
    pub would_have_done: u64,
    /// Of it, what the service has already: somebody else did the same.
    pub service_has: u64,
    /// Of it, what the service does not have.
    pub differ: u64,
}

impl Compared {
    fn add(&mut self, action: &Action) {
        if action.held != Some(Hold::Observed) {
            return;
        }
        self.would_have_done += 1;
        match action.outcome {
            ActionOutcome::Held | ActionOutcome::Pending | ActionOutcome::Refused => {
                self.differ += 1
            }
            ActionOutcome::Done | ActionOutcome::Superseded => self.service_has += 1,
            ActionOutcome::Abandoned => {}
        }
    }
}

/// What is held, and by what.
pub(super) fn held(context: &Context, limit: Option<u32>) -> Result<Response, Failure> {
    let max = rows_max(limit);
    let mut newest = BTreeMap::new();
    let (mut more, mut compared) = (0, Compared::default());
    view::machines(context.handle.reader(), |machine| {
        for action in &machine.actions {
            compared.add(action);
            if action.outcome != ActionOutcome::Held {
                continue;
            }
            let row = raw(&lists::row(context, &machine, action));
            newest.insert((action.at, machine.id.clone(), action.id), row);
            if newest.len() > max {
                newest.pop_first();
                more += 1;
            }
        }
        true
    })?;
    let orders = context.handle.standing();
    let guard = standing::guard(&context.handle)?;
    Ok(Response::Held {
        rows: newest.into_values().collect::<Result<_, _>>()?,
        more,
        holding: Holding {
            orders: orders.all().to_vec(),
            observing: orders.observes_anything(),
            guard_tripped: guard.tripped,
            compared,
        },
    })
}

/// Gives an order for the whole shop, and tells which actions it holds or lets go.
pub(super) async fn order(
    context: &Context,
    what: Standing,
    author: String,
    reason: String,
) -> Result<Response, Failure> {
    check(context, &what)?;
    let (before, after) = (what.clone(), what.clone());
    let before = context
        .read(move |context| by_orders_like(context, &before))
        .await?;
    give(context, what, author, reason).await?;
    let concerned = context
        .read(|context| Ok(view::ids(context.handle.reader(), holding::is_concerned)?))
        .await?;
    let wake = |machine: &MachineId| {
        (
            machine.clone(),
            Input::WakeUp {
                machine: machine.clone(),
            },
        )
    };
    context
        .submit_all(concerned.iter().map(wake).collect())
        .await?;
    let LeftHeld {
        by_order: after,
        unplanned,
    } = context
        .read(move |context| left_held(context, &after, &concerned))
        .await?;
    let differ: Vec<_> = before.symmetric_difference(&after).collect();
    let machines: BTreeSet<String> = differ.iter().map(|(m, _)| m.to_string()).collect();
    let count = u32::try_from(differ.len()).unwrap_or(u32::MAX);
    let let_go: Vec<_> = before.difference(&after).cloned().collect();
    let still_held = context
        .read(move |context| held_still(context, &let_go))
        .await?;
    Ok(Response::Changed(Changed {
        machines: machines.into_iter().collect(),
        actions: Some(count - still_held.values().sum::<u32>().min(count)),
        still_held: with_unplanned(still_held, unplanned),
        ..Changed::default()
    }))
}

/// Keeps an order.
pub(super) async fn give(
    context: &Context,
    what: Standing,
    author: String,
    reason: String,
) -> Result<(), Failure> {
    let at = context.handle.clock().now();
    let order = StandingOrder {
        what,
        by: Author::Person(author),
        reason,
        at,
    };
    tracing::warn!(by = %order.by, reason = %order.reason, "{}", order.what);
    Ok(context.handle.order(order).await?)
}

/// Makes sure that there is what the order names.
fn check(context: &Context, what: &Standing) -> Result<(), Failure> {
    match what {
        Standing::Observe { plan: Some(plan) } | Standing::Live { plan: Some(plan) } => {
            known_plan(context, plan)
        }
        Standing::Pause { service } | Standing::Resume { service } => {
            if context.services.values().any(|s| s == service) {
                return Ok(());
            }
            let all: Vec<String> = context
                .services
                .values()
                .map(|s| format!("`{s}`"))
                .collect();
            Err(
                Failure::input(format!("there is no license service `{service}`"))
                    .hint(format!("the config has {}", all.join(", "))),
            )
        }
        Standing::OtherHandler { source }
        | Standing::Alone { source }
        | Standing::Adopted { source } => {
            if context.services.contains_key(source) {
                return Ok(());
            }
            let all: Vec<String> = context.services.keys().map(|s| format!("`{s}`")).collect();
            Err(Failure::input(format!("there is no source `{source}`"))
                .hint(format!("the config has {}", all.join(", "))))
        }
        Standing::Observe { plan: None } | Standing::Live { plan: None } => Ok(()),
        Standing::Override { .. } | Standing::EndOverride { .. } => Err(Failure::input(
            "what a customer has of their own is ordered by `keyward override`",
        )),
        Standing::Erased => Err(Failure::input("a customer is erased by `keyward erase`")),
    }
}

/// A person's word on what is held.
pub(super) async fn settle(
    context: &Context,
    which: Which,
    order: Order,
) -> Result<Response, Failure> {
    let (named, still_held) = match which {
        Which::One(id) => (vec![one(context, &id, &order).await?], BTreeMap::new()),
        Which::All(by) if by.is_settled_by_word() => {
            context.read(move |context| all(context, by)).await?
        }
        Which::All(by) => {
            let by = by.as_str();
            return Err(Failure::input(format!(
                "no word on an action alone settles what is held by `{by}`"
            ))
            .hint("`keyward held` says what holds it"));
        }
    };
    let input = |(machine, action): &(MachineId, u32)| {
        let (machine, action, order) = (machine.clone(), Some(*action), order.clone());
        (
            machine.clone(),
            Input::Actions {
                machine,
                action,
                order,
            },
        )
    };
    let count = context
        .submit_all(named.iter().map(input).collect())
        .await?;
    // A word on something else is no look at what the guard counts.
    let tripped = standing::guard(&context.handle)?.tripped.is_some();
    if tripped && !context.read(is_any_guarded).await? {
        let _ = context.handle.submit_waiting(Input::GuardReset).await?;
    }
    if let Order::Approve { author, reason } | Order::Drop { author, reason } = &order {
        let dropped = matches!(order, Order::Drop { .. });
        let what = if dropped { "dropped" } else { "approved" };
        for (machine, action) in &named {
            tracing::info!(machine.id = %machine, action, by = author, reason, "held work {what}");
        }
    }
    let mut machines: Vec<MachineId> = named.into_iter().map(|(machine, _)| machine).collect();
    machines.dedup();
    Ok(Response::Changed(Changed {
        machines: machines.iter().map(ToString::to_string).collect(),
        actions: Some(count),
        still_held,
        ..Changed::default()
    }))
}

async fn one(context: &Context, id: &str, order: &Order) -> Result<(MachineId, u32), Failure> {
    let (machine, number) = action_name(id).ok_or_else(|| {
        Failure::input(format!("`{id}` names no action"))
            .hint("`keyward held` lists them, like stripe/sub_123#4")
    })?;
    let machine = read::with_action(context, machine, number, order.takes()).await?;
    if matches!(order, Order::Approve { .. }) {
        let held_there = machine.clone();
        let at = context.read(move |c| elsewhere(c, &held_there, number));
        if let Some(at) = at.await? {
            let at = at.as_str();
            return Err(Failure::input(format!(
                "it belongs to the license service `{at}`, and the config names another one: nothing was changed"
            ))
            .hint(format!("`keyward move-licenses --from {at}`")));
        }
        let id = machine.clone();
        context
            .read(move |context| came_back::is_awaited(context, &id, number))
            .await?;
    }
    Ok((machine, number))
}

/// The other license service that a held action belongs to.
fn elsewhere(
    context: &Context,
    machine: &MachineId,
    number: u32,
) -> Result<Option<ServiceKind>, Failure> {
    let machine = view::machine(context.handle.reader(), machine)?;
    let actions = machine.into_iter().flat_map(|m| m.actions);
    let held = actions.filter(|a| a.id == number).find_map(|a| a.held);
    Ok(held.and_then(|held| {
        if let Hold::OtherService { at } = held {
            Some(at)
        } else {
            None
        }
    }))
}

/// Actions by their purchases, and how many others are held by what.
type AllHeld = (Vec<(MachineId, u32)>, BTreeMap<HeldBy, u32>);

/// All that one thing holds, creates first: a license that one of them goes on with is not ended before.
fn all(context: &Context, by: HeldBy) -> Result<AllHeld, Failure> {
    let (mut creates, mut named, mut others) = (Vec::new(), Vec::new(), BTreeMap::new());
    view::machines(context.handle.reader(), |machine| {
        let held = |a: &&Action| a.outcome == ActionOutcome::Held;
        for action in machine.actions.iter().filter(held) {
            match action.held.as_ref().map(Hold::by) {
                Some(it) if it == by && action.act.creates() => {
                    creates.push((machine.id.clone(), action.id));
                }
                Some(it) if it == by => named.push((machine.id.clone(), action.id)),
                Some(other) => *others.entry(other).or_default() += 1,
                None => {}
            }
        }
        true
    })?;
    creates.append(&mut named);
    Ok((creates, others))
}

fn is_any_guarded(context: &Context) -> Result<bool, Failure> {
    let guarded = |m: &Machine| {
        let by_guard = |a: &Action| a.outcome == ActionOutcome::Held && a.held == Some(Hold::Guard);
        m.actions.iter().any(by_guard)
    };
    Ok(!view::ids(context.handle.reader(), guarded)?.is_empty())
}
