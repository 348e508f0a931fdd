//! A license for somebody who did not buy: a purchase that begins with a person's decision.

use super::context::{Context, decision_id, to_come};
use super::decided::decided;
use super::failure::Failure;
use super::response::Response;
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{MachineId, ObjectId, PlanName, Scope, SourceName};

/// Hands the decision in.
pub(super) async fn issue(
    context: &Context,
    source: Option<String>,
    decision: Decision,
) -> Result<Response, Failure> {
    let Verb::Issue { plan, .. } = &decision.verb else {
        return Err(Failure::input("only a license is issued"));
    };
    known_plan(context, plan)?;
    let source = only_source(context, source)?;
    let at = context.handle.clock().now();
    to_come(decision.verb.until(), at)?;
    let id = decision_id(at);
    let object = ObjectId::new(format!(
        "{}{}",
        MachineId::ISSUED,
        id.trim_start_matches("dec_")
    ));
    let machine = MachineId::new(Scope::new(source, None), object);
    decided(context, machine, (id, decision), at).await
}

/// Makes sure that the newest revision has such a plan.
pub(super) fn known_plan(context: &Context, plan: &PlanName) -> Result<(), Failure> {
    let rules = context.handle.rules();
    let plans = rules.revisions.newest().map_or(&[][..], |r| &r.plans);
    if plans.iter().any(|p| p.name == *plan) {
        return Ok(());
    }
    let all: Vec<String> = plans.iter().map(|p| format!("`{}`", p.name)).collect();
    Err(Failure::input(format!("there is no plan `{plan}`"))
        .hint(format!("the config has {}", all.join(", "))))
}

fn only_source(context: &Context, named: Option<String>) -> Result<SourceName, Failure> {
    let mut sources = context.services.keys();
    match (named, context.services.len()) {
        (Some(name), _) => sources
            .find(|s| *s.as_str() == *name)
            .cloned()
            .ok_or_else(|| Failure::input(format!("there is no source `{name}`"))),
        (None, 1) => sources
            .next()
            .cloned()
            .ok_or_else(|| Failure::input("the config has no source")),
        (None, _) => Err(Failure::input("the config has several sources")
            .hint("`--source NAME` says whose license service and mail serve it")),
    }
}
