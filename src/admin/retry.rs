//! `retry`: what waits, is held or was refused is tried now.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, no_machine};
use super::failure::Failure;
use super::lists::{OPEN, STRIPE, service_of};
use super::read;
use super::request::{ActionFilter, action_name};
use super::response::{Response, changed};
use super::settlement::awaited;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::hold::Hold;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::operator::{Order, is_tried};
use crate::domain::words::counted;
use crate::effects::services::Services;
use crate::engine::input::Input;
use crate::engine::read::view;

/// The mail servers, whichever the config names.
const MAIL: &str = "mail";

/// What of a purchase is to be tried.
#[derive(Default)]
struct Open {
    /// Numbers of actions.
    actions: Vec<u32>,
    /// How many mails.
    mails: u32,
}

/// Makes actions and mails due now, and tries services that were shut out.
pub(super) async fn retry(
    context: &Context,
    running: Option<&Services>,
    what: ActionFilter,
) -> Result<Response, Failure> {
    if let Some(services) = running {
        // Before anything is due: else it would find the breaker open, and wait for its next trial.
        services.release(context.handle.clock().now());
    }
    let one = match &what {
        ActionFilter::Id(id) => {
            action_name(id).map(|(machine, number)| (machine.to_owned(), number))
        }
        ActionFilter::Service(_) | ActionFilter::All => None,
    };
    if let Some((machine, number)) = one {
        let machine = read::with_action(context, &machine, number, Order::Retry.takes()).await?;
        let id = machine.clone();
        context
            .read(move |context| tried(context, &id, number))
            .await?;
        context
            .submit(&machine, action_now(&machine, number))
            .await?;
        let id = machine.clone();
        context
            .read(move |context| awaited(context, &id, number))
            .await?;
        return Ok(changed([machine], 1, 0));
    }
    if let ActionFilter::Service(name) = &what {
        known(context, name)?;
    }
    let all = context.read(move |context| open(context, &what)).await?;
    let (mut inputs, mut mails) = (Vec::new(), 0);
    for (machine, open) in &all {
        let actions = open.actions.iter();
        inputs.extend(actions.map(|number| (machine.clone(), action_now(machine, *number))));
        if open.mails > 0 {
            let input = Input::Mails {
                machine: machine.clone(),
            };
            inputs.push((machine.clone(), input));
        }
        mails += open.mails;
    }
    let actions = all.values().map(|o| o.actions.len()).sum::<usize>();
    context.submit_all(inputs).await?;
    let actions = u32::try_from(actions).unwrap_or(u32::MAX);
    Ok(changed(all.into_keys(), actions, mails))
}

fn action_now(machine: &MachineId, number: u32) -> Input {
    Input::Actions {
        machine: machine.clone(),
        action: Some(number),
        order: Order::Retry,
    }
}

/// Makes sure that a retry is what an action waits for.
fn tried(context: &Context, id: &MachineId, number: u32) -> Result<(), Failure> {
    let machine = view::machine(context.handle.reader(), id)?;
    let mut actions = machine.iter().flat_map(|m| &m.actions);
    let held = actions.find(|a| a.id == number && !is_tried(a));
    let Some(by) = held.and_then(|a| a.held.as_ref()).map(Hold::by) else {
        return Ok(());
    };
    let why = Failure::input(format!("{id}#{number} is held by {}", by.as_str()));
    Err(if by.is_settled_by_word() {
        why.hint(format!(
            "`keyward held approve {id}#{number} --reason …` lets it go"
        ))
    } else {
        why.hint("`keyward held` says what ends that")
    })
}

/// Makes sure that there is such a service.
fn known(context: &Context, service: &str) -> Result<(), Failure> {
    if [STRIPE, MAIL].contains(&service) || context.services.values().any(|s| *s == service) {
        return Ok(());
    }
    let licenses: BTreeSet<_> = context
        .services
        .values()
        .map(|s| format!("`{s}`"))
        .collect();
    let licenses = licenses.into_iter().collect::<Vec<_>>().join(" and ");
    Err(
        Failure::input(format!("there is no service `{service}`")).hint(format!(
            "the config has {licenses}; `{STRIPE}` and `{MAIL}` are there too"
        )),
    )
}

/// The open actions and waiting mails that an order is about, by purchase.
fn open(context: &Context, what: &ActionFilter) -> Result<BTreeMap<MachineId, Open>, Failure> {
    if let ActionFilter::Id(id) = what {
        let id = read::resolve(context, id)?;
        let machine = view::machine(context.handle.reader(), &id)?
            .ok_or_else(|| no_machine(&id.to_string()))?;
        let open = open_of(context, &machine, what).ok_or_else(|| nothing_waits(&machine))?;
        return Ok([(id, open)].into());
    }
    let mut out = BTreeMap::new();
    view::machines(context.handle.reader(), |machine| {
        if let Some(open) = open_of(context, &machine, what) {
            out.insert(machine.id, open);
        }
        true
    })?;
    Ok(out)
}

/// Why a retry of a purchase does nothing.
fn nothing_waits(machine: &Machine) -> Failure {
    let id = &machine.id;
    let held = |a: &&Action| a.outcome == ActionOutcome::Held;
    let held = machine.actions.iter().filter(held).count();
    if held == 0 {
        return Failure::input(format!("nothing waits or was refused for {id}"));
    }
    let held = counted(
        u64::try_from(held).unwrap_or(u64::MAX),
        "action is",
        "actions are",
    );
    Failure::input(format!("nothing waits for a try of {id}: {held} held"))
        .hint("`keyward held` says by what, and what ends that")
}

/// What an order is about of one purchase; `None` where that is nothing.
fn open_of(context: &Context, machine: &Machine, what: &ActionFilter) -> Option<Open> {
    let concerns = |a: &Action| match what {
        ActionFilter::Service(service) if a.act.question().is_some() => service == STRIPE,
        ActionFilter::Service(service) => service_of(context, machine) == service,
        ActionFilter::All | ActionFilter::Id(_) => true,
    };
    let actions = machine.actions.iter();
    let actions = actions
        .filter(|a| OPEN.contains(&a.outcome) && is_tried(a) && concerns(a))
        .map(|a| a.id)
        .collect::<Vec<_>>();
    let by_mail = match what {
        ActionFilter::Service(service) => service == MAIL,
        ActionFilter::All | ActionFilter::Id(_) => true,
    };
    let waits = machine
        .notices
        .iter()
        .filter(|n| by_mail && n.status == NoticeStatus::Pending)
        .count();
    let mails = u32::try_from(waits).unwrap_or(u32::MAX);
    (!actions.is_empty() || mails > 0).then_some(Open { actions, mails })
}
