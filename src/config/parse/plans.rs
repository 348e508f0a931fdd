//! `[[plan]]` and `[policy.NAME]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::keys::{BUY, CHECKOUT, LICENSE, PLAN, POLICY};
use super::super::tree::Table;
use super::super::types::{Checkout, PlanCheckout, ProgramTerms};
use crate::domain::id::{AppId, PlanName, PolicyName, PriceId, ProductId};
use crate::domain::plan::{AtDeviceLimit, Plan, Seats, Template};
use crate::domain::policy::{
    AtGraceEnd, DunningMail, OnCancel, OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, OnPause,
    OnRefund, Policy, Resubscribe, Trial,
};
use crate::domain::time::Span;

/// All plans, as they stand in the file, and what each gives to programs.
pub(super) fn plans(root: &Table<'_>) -> (Vec<Plan>, BTreeMap<PlanName, ProgramTerms>) {
    let tables = root.tables("plan", &PLAN);
    let plans: Vec<Plan> = tables.iter().map(plan).collect();
    let terms = plans
        .iter()
        .zip(&tables)
        .map(|(plan, t)| (plan.name.clone(), program_terms(t)));
    let terms = terms.collect();
    (plans, terms)
}

fn program_terms(t: &Table<'_>) -> ProgramTerms {
    ProgramTerms {
        offline: t.length("offline"),
        variables: Arc::new(t.variables("variables").unwrap_or_default()),
    }
}

/// How plans are sold.
pub(super) fn checkout(root: &Table<'_>) -> Checkout {
    let plans: BTreeMap<PlanName, PlanCheckout> = root
        .tables("plan", &PLAN)
        .iter()
        .filter_map(|t| {
            Some((
                PlanName::new(t.text("name")?),
                t.sub("buy", &BUY).map(|t| buy(&t))?,
            ))
        })
        .collect();
    let Some(t) = root.sub("checkout", &CHECKOUT) else {
        return Checkout {
            plans,
            ..Checkout::default()
        };
    };
    Checkout {
        cancel_url: t.url("cancel_url"),
        origins: t.texts("origins").unwrap_or_default(),
        promotion_codes: t.flag("promotion_codes").unwrap_or(false),
        automatic_tax: t.flag("automatic_tax").unwrap_or(false),
        guide_metadata: t.flag("guide_metadata").unwrap_or(true),
        plans,
    }
}

fn buy(t: &Table<'_>) -> PlanCheckout {
    let days = |span: Span| u32::try_from(span.ms() / Span::from_days(1).ms()).ok();
    PlanCheckout {
        quantity_max: t.count("quantity_max"),
        trial_days: t.length("trial").and_then(days),
    }
}

fn plan(t: &Table<'_>) -> Plan {
    t.require("name", "purchases and reports call the plan by it");
    Plan {
        name: PlanName::new(t.text("name").unwrap_or_default()),
        prices: t
            .texts("prices")
            .unwrap_or_default()
            .into_iter()
            .map(PriceId::new)
            .collect(),
        lookup_keys: t.texts("lookup_keys").unwrap_or_default(),
        products: t
            .texts("products")
            .unwrap_or_default()
            .into_iter()
            .map(ProductId::new)
            .collect(),
        policy: t.text("policy").map(PolicyName::new),
        seats: t.choice("seats", Seats::CHOICES).unwrap_or(Seats::Devices),
        license: t
            .sub("license", &LICENSE)
            .map(|t| template(&t))
            .unwrap_or_default(),
        extends: t
            .texts("extends")
            .unwrap_or_default()
            .into_iter()
            .map(PlanName::new)
            .collect(),
    }
}

fn template(t: &Table<'_>) -> Template {
    Template {
        devices: t.devices("devices"),
        devices_per_unit: t.count("devices_per_unit"),
        duration: t.length("duration"),
        app_id: t.text("app_id").map(AppId::new),
        at_device_limit: t
            .choice("at_device_limit", AtDeviceLimit::CHOICES)
            .unwrap_or(AtDeviceLimit::Split),
    }
}

/// All policies, by name.
pub(super) fn policies(root: &Table<'_>) -> Vec<Policy> {
    root.named_tables("policy", &POLICY)
        .iter()
        .map(|(name, t)| policy(name, t))
        .collect()
}

fn policy(name: &str, t: &Table<'_>) -> Policy {
    let d = Policy::named(name);
    Policy {
        grace: t.length("grace").unwrap_or(d.grace),
        reminders: reminders(t).unwrap_or(d.reminders),
        at_grace_end: t
            .choice("at_grace_end", AtGraceEnd::CHOICES)
            .unwrap_or(d.at_grace_end),
        on_cancel: t
            .choice("on_cancel", OnCancel::CHOICES)
            .unwrap_or(d.on_cancel),
        on_refund: t
            .choice("on_refund", OnRefund::CHOICES)
            .unwrap_or(d.on_refund),
        on_partial_refund: t.share("on_partial_refund").unwrap_or(d.on_partial_refund),
        on_dispute: t
            .choice("on_dispute", OnDispute::CHOICES)
            .unwrap_or(d.on_dispute),
        on_inquiry: t
            .choice("on_inquiry", OnInquiry::CHOICES)
            .unwrap_or(d.on_inquiry),
        on_dispute_won: t
            .choice("on_dispute_won", OnDisputeWon::CHOICES)
            .unwrap_or(d.on_dispute_won),
        on_dispute_lost: t
            .choice("on_dispute_lost", OnDisputeLost::CHOICES)
            .unwrap_or(d.on_dispute_lost),
        on_pause: t.choice("on_pause", OnPause::CHOICES).unwrap_or(d.on_pause),
        expiry_margin: t.length("expiry_margin").unwrap_or(d.expiry_margin),
        processing_margin: t.length("processing_margin").unwrap_or(d.processing_margin),
        trial: t.choice("trial", Trial::CHOICES).unwrap_or(d.trial),
        resubscribe: t
            .choice("resubscribe", Resubscribe::CHOICES)
            .unwrap_or(d.resubscribe),
        notice_delay: t.length("notice_delay").unwrap_or(d.notice_delay),
        dunning_mail: t
            .choice("dunning_mail", DunningMail::CHOICES)
            .unwrap_or(d.dunning_mail),
        expiring: expiring(t).unwrap_or(d.expiring),
        name: d.name,
    }
}

fn expiring(t: &Table<'_>) -> Option<Vec<Span>> {
    let expiring = t.lengths("expiring")?;
    if let Some(i) = expiring.windows(2).position(|w| w[0] <= w[1]) {
        let at = t.reader.spot(&format!("{}/expiring/{}", t.path, i + 1));
        let message = format!(
            "`expiring` must descend, and {} does not come after {}",
            expiring[i + 1],
            expiring[i]
        );
        let hint = "each is counted back from the license's end: `[\"30d\", \"7d\"]`";
        t.reader.mistake(at, message, hint);
    }
    Some(expiring)
}

fn reminders(t: &Table<'_>) -> Option<Vec<Span>> {
    let reminders = t.lengths("reminders")?;
    if let Some(i) = reminders.windows(2).position(|w| w[0] >= w[1]) {
        let at = t.reader.spot(&format!("{}/reminders/{}", t.path, i + 1));
        let message = format!(
            "`reminders` must ascend, and {} does not come after {}",
            reminders[i + 1],
            reminders[i]
        );
        t.reader.mistake(
            at,
            message,
            "each is counted from the failure: `[\"0d\", \"7d\", \"14d\"]`",
        );
    }
    Some(reminders)
}
