//! Orders for the whole shop, and what they and the guard hold.

use std::collections::BTreeSet;

use super::context::{Context, raw};
use super::failure::Failure;
use super::held_by_order::{LeftHeld, by_orders_like, held_still, left_held, with_unplanned};
use super::issue::known_plan;
use super::lists::{self, NewestRows};
use super::payload::{Compared, Holding};
use super::response::{Changed, Response};
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::hold::Hold;
use crate::domain::holding;
use crate::domain::id::MachineId;
use crate::domain::standing::{Author, Standing, StandingOrder};
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::standing;
use crate::engine::route::awaited::Awaited;
use crate::engine::write::working::Committed;

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
    let (mut newest, mut compared) = (NewestRows::new(limit), Compared::default());
    let view = Committed(context.handle.reader());
    view::machines(context.handle.reader(), |machine| {
        let mut awaited = Awaited::new(&view, &machine);
        for action in &machine.actions {
            compared.add(action);
            if action.outcome != ActionOutcome::Held {
                continue;
            }
            newest.add((action.at, machine.id.clone(), action.id), || {
                lists::row(context, &mut awaited, action).and_then(|row| raw(&row))
            });
        }
        true
    })?;
    let orders = context.handle.standing();
    let guard = standing::guard(&context.handle)?;
    Ok(Response::Held {
        rows: newest.rows.into_values().collect::<Result<_, _>>()?,
        more: newest.more,
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
