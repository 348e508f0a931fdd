//! A person's word on what is held: approved, or given up.

use std::collections::BTreeMap;

use super::context::Context;
use super::failure::Failure;
use super::held_by_order::held_by;
use super::lists;
use super::payload::Settlement;
use super::read;
use super::request::action_name;
use super::response::{Changed, Response};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::adoption::may_have_key;
use crate::domain::hold::{HeldBy, Hold};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::operator::Order;
use crate::domain::service_move::ServiceKind;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::standing;
use crate::engine::route::awaited::Awaited;
use crate::engine::write::working::Committed;

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

/// A person's word on what is held.
pub(super) async fn settle(
    context: &Context,
    which: Which,
    order: Order,
) -> Result<Response, Failure> {
    let is_one = matches!(which, Which::One(_));
    let Bulk {
        named,
        mut still_held,
        suggested,
    } = match which {
        Which::One(id) => Bulk {
            named: vec![one(context, &id, &order).await?],
            ..Bulk::default()
        },
        Which::All(by) if by.is_settled_by_word() => {
            let order = order.clone();
            context
                .read(move |context| all(context, by, &order))
                .await?
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
    context
        .submit_all(named.iter().map(input).collect())
        .await?;
    let (named, kept) = context.read(move |context| let_go(context, named)).await?;
    if let (true, Some(((machine, number), _))) = (is_one, kept.first()) {
        let (machine, number) = (machine.clone(), *number);
        context
            .read(move |context| awaited(context, &machine, number))
            .await?;
    }
    for (_, by) in kept {
        *still_held.entry(by).or_default() += 1;
    }
    // A word on something else is no look at what the guard counts.
    let tripped = standing::guard(&context.handle)?.tripped.is_some();
    if tripped && !context.read(is_any_guarded).await? {
        let _ = context.handle.submit_waiting(Input::GuardReset).await?;
    }
    write_log(&order, &named);
    let count = u32::try_from(named.len()).unwrap_or(u32::MAX);
    let mut machines: Vec<String> = named.iter().map(|(id, _)| id.to_string()).collect();
    machines.dedup();
    Ok(Response::Changed(Changed {
        machines,
        actions: Some(count),
        still_held,
        suggested,
        ..Changed::default()
    }))
}

fn write_log(order: &Order, named: &Actions) {
    if let Order::Approve { author, reason } | Order::Drop { author, reason } = order {
        let dropped = matches!(order, Order::Drop { .. });
        let what = if dropped { "dropped" } else { "approved" };
        for (machine, action) in named {
            tracing::info!(machine.id = %machine, action, by = author, reason, "held work {what}");
        }
    }
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

/// Actions by their purchases.
type Actions = Vec<(MachineId, u32)>;
/// The same with what holds each.
type Kept = Vec<((MachineId, u32), HeldBy)>;

/// Of actions that a word was said on, those that it settled, and those that are held all the same, by what.
fn let_go(context: &Context, named: Actions) -> Result<(Actions, Kept), Failure> {
    let (mut settled, mut kept) = (Vec::new(), Vec::new());
    for one in named {
        match held_by(context, &one)? {
            Some(by) => kept.push((one, by)),
            None => settled.push(one),
        }
    }
    Ok((settled, kept))
}

/// Makes sure that no other purchase waits for the license that an action ends, so that it is held whatever was said.
///
/// # Errors
/// Which purchase does, and what to say first.
pub(super) fn awaited(context: &Context, machine: &MachineId, number: u32) -> Result<(), Failure> {
    let Some(machine) = view::machine(context.handle.reader(), machine)? else {
        return Ok(());
    };
    let end = machine.actions.iter().find(|a| a.id == number);
    let view = Committed(context.handle.reader());
    let mut awaited = Awaited::new(&view, &machine);
    match end.map(|end| lists::awaiting(context, &mut awaited, end)) {
        Some(awaiting) => awaiting?.map_or(Ok(()), |awaiting| {
            let id = &machine.id;
            Err(
                Failure::input(format!("{awaiting}; the end stays held")).hint(format!(
                    "`keyward revoke {id} --reason …` ends the license all the same"
                )),
            )
        }),
        None => Ok(()),
    }
}

/// What a word on all that one thing holds is about.
#[derive(Default)]
struct Bulk {
    named: Actions,
    /// How many others are held, by what.
    still_held: BTreeMap<HeldBy, u32>,
    /// The creates that it leaves out, for a key may be there already.
    suggested: Vec<String>,
}

/// All that one thing holds. A yes to all makes nobody a second key: whoever may have one is named by itself.
fn all(context: &Context, by: HeldBy, order: &Order) -> Result<Bulk, Failure> {
    let mut bulk = Bulk::default();
    let approves = matches!(order, Order::Approve { .. });
    view::machines(context.handle.reader(), |machine| {
        let held = |a: &&Action| a.outcome == ActionOutcome::Held;
        for action in machine.actions.iter().filter(held) {
            match action.held.as_ref().map(Hold::by) {
                Some(it) if it == by && approves && may_have_key(&machine, action).is_some() => {
                    bulk.suggested.push(format!("{}#{}", machine.id, action.id));
                }
                Some(it) if it == by => bulk.named.push((machine.id.clone(), action.id)),
                Some(other) => *bulk.still_held.entry(other).or_default() += 1,
                None => {}
            }
        }
        true
    })?;
    Ok(bulk)
}

fn is_any_guarded(context: &Context) -> Result<bool, Failure> {
    let guarded = |m: &Machine| {
        let by_guard = |a: &Action| a.outcome == ActionOutcome::Held && a.held == Some(Hold::Guard);
        m.actions.iter().any(by_guard)
    };
    Ok(!view::ids(context.handle.reader(), guarded)?.is_empty())
}
