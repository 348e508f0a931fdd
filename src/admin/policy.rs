//! What plans and policies judge, and the newest revision's word on what already is: what it would change, and the order.

use std::collections::BTreeSet;

use super::context::{Context, decision_id, raw};
use super::failure::Failure;
use super::request::PolicyQuery;
use super::response::{AffectedPurchase, Changed, PolicyCounts, Response};
use crate::domain::action::{Act, Action};
use crate::domain::context::DecisionContext;
use crate::domain::decide::{Verdict, reconcile};
use crate::domain::decision::{Decision, Verb};
use crate::domain::entitlement::entitlement;
use crate::domain::fact::{Fact, FactBody};
use crate::domain::id::{EventId, PlanName};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Rules};
use crate::engine::read::view;

pub(super) async fn answer(context: &Context, judging: PolicyQuery) -> Result<Response, Failure> {
    match judging {
        PolicyQuery::Counts => context.read(counts).await,
        PolicyQuery::Preview { plan } => {
            let found = context
                .read(move |context| concerned(context, plan.as_deref()))
                .await?;
            let rows = found.iter().map(raw).collect::<Result<_, _>>()?;
            Ok(Response::List { rows, more: 0 })
        }
        PolicyQuery::Apply { plan, decision } => {
            let found = context
                .read(move |context| concerned(context, plan.as_deref()))
                .await?;
            let at = context.handle.clock().now();
            let order = |c: &AffectedPurchase| {
                let machine = c.machine.clone();
                let (id, decision) = (EventId::new(decision_id(at)), decision.clone());
                (
                    machine.clone(),
                    Input::Decision {
                        machine,
                        id,
                        decision,
                        at,
                    },
                )
            };
            context
                .submit_all(found.iter().map(order).collect())
                .await?;
            let machines = found.into_iter().map(|c| c.machine.to_string()).collect();
            Ok(Response::Changed(Changed {
                machines,
                ..Changed::default()
            }))
        }
    }
}

fn counts(context: &Context) -> Result<Response, Failure> {
    let (rules, now) = (context.handle.rules(), context.handle.clock().now());
    let mut counts = PolicyCounts::default();
    view::machines(context.handle.reader(), |machine| {
        let folded = machine.folded(&rules.revisions, now);
        let due = entitlement(
            &folded,
            &machine.extensions,
            &rules.revisions,
            now,
            rules.devices_max(&machine.source),
        );
        let live: BTreeSet<_> = due
            .seats
            .into_iter()
            .filter(|s| s.want.live_at(now))
            .map(|s| s.plan)
            .collect();
        let policies: BTreeSet<_> = live
            .iter()
            .map(|p| rules.revisions.policy(p.as_ref(), now).name)
            .collect();
        for plan in live.into_iter().flatten() {
            *counts.plans.entry(plan.to_string()).or_default() += 1;
        }
        for policy in policies {
            *counts.policies.entry(policy.to_string()).or_default() += 1;
        }
        true
    })?;
    Ok(Response::Page {
        rows: vec![raw(&counts)?],
        next: None,
        at: now,
    })
}

/// The purchases for which the newest revision changes something that already is.
fn concerned(context: &Context, plan: Option<&str>) -> Result<Vec<AffectedPurchase>, Failure> {
    let (rules, now) = (context.handle.rules(), context.handle.clock().now());
    if let Some(name) = plan
        && rules.revisions.plan_named(name, now).is_none()
    {
        return Err(Failure::input(format!("no plan is named `{name}`"))
            .hint("only what a server has loaded counts: `keyward policy diff FILE` tells what a file would change"));
    }
    let mut out = Vec::new();
    view::machines(context.handle.reader(), |machine| {
        if machine.held.is_none() {
            let changes = changes(machine.clone(), &rules, now);
            let plans = plans(&machine);
            if !changes.is_empty() && plan.is_none_or(|name| plans.contains(name)) {
                let plans = plans.into_iter().collect();
                out.push(AffectedPurchase {
                    machine: machine.id.clone(),
                    plans,
                    changes,
                });
            }
        }
        true
    })?;
    Ok(out)
}

/// The plans of what a purchase holds or waits for.
fn plans(machine: &Machine) -> BTreeSet<String> {
    let waits = machine
        .open_actions()
        .filter_map(|a| a.act.new_license()?.plan.as_ref());
    machine
        .grants
        .iter()
        .filter_map(|g| g.plan.as_ref())
        .chain(waits)
        .map(PlanName::to_string)
        .collect()
}

/// What judging everything by the newest revision would change for a purchase, in words. Nothing is written.
fn changes(mut as_is: Machine, rules: &Rules, now: Timestamp) -> Vec<String> {
    let mut applied = as_is.clone();
    let verb = Verb::ApplyRevision;
    applied.facts.push(Fact {
        id: EventId::from("preview"),
        kind: format!("decision.{}", verb.as_str()),
        at: now,
        received: now,
        body: FactBody::Decision(Box::new(Decision {
            verb,
            author: String::new(),
            reason: String::new(),
        })),
        chain: None,
    });
    let source = as_is.source.clone();
    let context = DecisionContext {
        revisions: &rules.revisions,
        now,
        abilities: &rules.source(&source).abilities,
        customer: None,
        store_since: rules.store_since,
        gaps: &[],
        jitter: 0,
        under_way: &[],
        stops_held: None,
        brakes: crate::domain::holding::Brakes::none(),
    };
    let (before, after) = (
        reconcile(&mut as_is, &context),
        reconcile(&mut applied, &context),
    );
    let mut out: Vec<String> = Vec::new();
    let known = |a: &Action| {
        as_is
            .open_actions()
            .any(|b| (b.license, &b.act) == (a.license, &a.act))
    };
    out.extend(applied.open_actions().filter(|a| !known(a)).map(act));
    for notice in applied
        .notices
        .iter()
        .filter(|n| !as_is.notices.contains(n))
    {
        out.push(format!("mail {}", notice.kind.as_str()));
    }
    out.extend(grace(&before, &after));
    if out.is_empty() && as_is.wake_at != applied.wake_at {
        let at = |t: Option<Timestamp>| t.map_or("never".to_owned(), |t| t.to_string());
        out.push(format!(
            "changes next {} instead of {}",
            at(applied.wake_at),
            at(as_is.wake_at)
        ));
    }
    out
}

fn act(action: &Action) -> String {
    let until = |at: &Option<Timestamp>| at.map_or("for life".to_owned(), |t| format!("until {t}"));
    let license = action.license;
    match &action.act {
        Act::Create(new) => format!("create license {license}, {}", until(&new.expires_at)),
        Act::SetExpiry { until: end, .. } => format!("license {license} lives {}", until(end)),
        Act::Suspend { .. } => format!("suspend license {license}"),
        Act::Reinstate { until: end, .. } => format!("reinstate license {license}, {}", until(end)),
        Act::Revoke { .. } => format!("revoke license {license}"),
        Act::SetDevices { .. } => format!("change the devices of license {license}"),
        Act::Read { .. } => format!("read license {license} once more"),
        Act::ResetDevices { .. } => format!("forget the devices of license {license}"),
        Act::Recover(_) => "look for a license that should have ended".to_owned(),
        Act::Query(_) => "look something up at Stripe".to_owned(),
    }
}

/// A running grace that ends at another instant.
fn grace(before: &Verdict, after: &Verdict) -> Option<String> {
    let ends = |s: &Verdict| {
        s.folded
            .life
            .open_episode()
            .filter(|e| e.lapsed.is_none())
            .map(|e| e.ends)
    };
    match (ends(before), ends(after)) {
        (Some(was), Some(is)) if was != is => Some(format!("the grace ends {is} instead of {was}")),
        (Some(was), None) => Some(format!("the grace, which would end {was}, is over")),
        (None, Some(is)) => Some(format!("the grace runs again until {is}")),
        (Some(_), Some(_)) | (None, None) => None,
    }
}
