//! What Stripe's answers mean for the config. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Tried, Verdict};
use crate::config::Source;
use crate::domain::fact::{APP_ID_KEY, DEVICES_KEY, DURATION_KEY};
use crate::domain::plan::Plan;
use crate::domain::words::counted;
use crate::sources::stripe::event::EVENT_TYPES;

/// The events that the guide's own handler takes: with them alone Keyward works too, only later and less exactly.
const LEAST: &[&str] = &[
    "checkout.session.completed",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "invoice.paid",
    "invoice.payment_failed",
];
/// The guide's metadata on a subscription: it says what is bought where no plan does.
const WANTS: &[&str] = &[APP_ID_KEY, DURATION_KEY, DEVICES_KEY];
/// Names in one line at most.
const NAMES_MAX: usize = 20;

/// A webhook endpoint as Stripe shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) enabled: bool,
    pub(super) livemode: Option<bool>,
    pub(super) api_version: Option<String>,
    pub(super) events: Vec<String>,
}

impl Endpoint {
    pub(super) fn of(json: &Value) -> Self {
        let events = json["enabled_events"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Self {
            url: json["url"].as_str().unwrap_or_default().to_owned(),
            enabled: json["status"].as_str() == Some("enabled"),
            livemode: json["livemode"].as_bool(),
            api_version: json["api_version"].as_str().map(str::to_owned),
            events: events
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    fn has(&self, kind: &str) -> bool {
        self.events.iter().any(|e| e == "*" || e == kind)
    }

    fn missing(&self) -> Vec<&'static str> {
        EVENT_TYPES
            .iter()
            .map(|(kind, _)| *kind)
            .filter(|kind| !self.has(kind))
            .collect()
    }

    /// Whether it hears of paid invoices, by whichever event.
    fn hears_invoices(&self) -> bool {
        self.has("invoice.paid") || self.has("invoice.payment_succeeded")
    }
}

/// Whether the account posts what Keyward needs to where it listens.
pub(super) fn endpoints(subject: &str, all: &[Endpoint], url: &str, source: &Source) -> Vec<Tried> {
    let livemode = source.livemode;
    let same = |e: &&Endpoint| e.url.trim_end_matches('/') == url.trim_end_matches('/');
    let ours: Vec<&Endpoint> = all.iter().filter(same).collect();
    let Some(first) = ours.iter().find(|e| e.enabled).or(ours.first()) else {
        let others: Vec<&str> = all.iter().map(|e| e.url.as_str()).collect();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!("; it posts to {}", listed(&others))
        };
        return vec![Tried::new(Verdict::Bad, subject, format!("nothing posts to {url}{others}")).hint(
            "create an endpoint with that address and the payload style *snapshot*; `keyward stripe-events` prints its \
             events",
        )];
    };
    let mut out = Vec::new();
    if ours.iter().filter(|e| e.enabled).count() > 1 {
        let what = format!("several endpoints post to {url}");
        out.push(
            Tried::new(Verdict::Unwise, subject, what).hint(
                "all their signing secrets must be in `signing_secrets`, or delete the others",
            ),
        );
    }
    if !first.enabled {
        out.push(
            Tried::new(Verdict::Bad, subject, format!("{url} is disabled"))
                .hint("enable it in Stripe's dashboard"),
        );
    }
    if let Some(mode) = first.livemode.filter(|mode| !livemode.takes(*mode)) {
        let mode = if mode { "live" } else { "test" };
        out.push(
            Tried::new(
                Verdict::Bad,
                subject,
                format!("{url} is an endpoint of {mode} mode, the source takes the other"),
            )
            .hint("`livemode` of the source, or the `api_key` of the other mode"),
        );
    }
    let missing = first.missing();
    if !missing.is_empty() {
        let vital = |m: &str| LEAST.contains(&m) && (source.invoices || !m.starts_with("invoice."));
        let vital: Vec<&str> = missing.iter().copied().filter(|m| vital(m)).collect();
        let verdict = if vital.is_empty() {
            Verdict::Unwise
        } else {
            Verdict::Bad
        };
        let what = format!(
            "{} event types are not enabled: {}",
            missing.len(),
            listed(&missing)
        );
        out.push(
            Tried::new(verdict, subject, what)
                .hint("`keyward stripe-events` prints all, with what each is for"),
        );
    }
    out.extend(invoices(subject, first, source.invoices));
    if out.is_empty() {
        let version = first.api_version.as_deref().unwrap_or("the account's own");
        out.push(Tried::new(
            Verdict::Good,
            subject,
            format!("{url} is enabled, API version {version}, no event is missing"),
        ));
    }
    out
}

/// Whether `invoices` says what the endpoint hears of: a new subscription's key waits ten minutes for an invoice that is
/// never told, and a status that speaks though its invoice is on the way can hand out a key too early.
fn invoices(subject: &str, endpoint: &Endpoint, told: bool) -> Option<Tried> {
    let (what, hint) = match (told, endpoint.hears_invoices()) {
        (true, true) | (false, false) => return None,
        (true, false) => (
            "the endpoint hears of no paid invoice: a new subscription's key waits ten minutes for one",
            "enable `invoice.paid`; where that cannot be, `invoices = false` in this `[[source]]` lets the status speak at once",
        ),
        (false, true) => (
            "the source says `invoices = false`, but its endpoint hears of paid invoices",
            "take `invoices = false` out of this `[[source]]`: the invoice says more than the status",
        ),
    };
    Some(Tried::new(Verdict::Unwise, subject, what).hint(hint))
}

/// Whether every price that somebody pays for has a plan.
pub(super) fn prices(subject: &str, subscriptions: &[Value], plans: &[Plan], whole: bool) -> Tried {
    let dead = |s: &&Value| {
        matches!(
            s["status"].as_str(),
            Some("canceled" | "incomplete_expired")
        )
    };
    let live: Vec<&Value> = subscriptions.iter().filter(|s| !dead(s)).collect();
    let mut bare: BTreeMap<&str, u32> = BTreeMap::new();
    for subscription in live
        .iter()
        .filter(|s| !WANTS.iter().any(|key| s["metadata"][*key].is_string()))
    {
        for item in subscription["items"]["data"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let price = &item["price"];
            if let Some(id) = price["id"].as_str().filter(|_| !is_covered(price, plans)) {
                *bare.entry(id).or_default() += 1;
            }
        }
    }
    let read = if whole {
        String::new()
    } else {
        format!(" (of the newest {} that were read)", subscriptions.len())
    };
    if bare.is_empty() {
        let what = format!(
            "each of {} has a plan for its prices{read}",
            counted(live.len(), "subscription", "subscriptions")
        );
        return Tried::new(Verdict::Good, subject, what);
    }
    let names: Vec<String> = bare.iter().map(|(id, n)| format!("{id} ({n})")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = format!(
        "no plan names these prices of live subscriptions{read}: {}",
        listed(&names)
    );
    Tried::new(Verdict::Unwise, subject, what)
        .hint("add them to a `[[plan]]`; whoever pays for nothing that Keyward should license may stay without")
}

fn is_covered(price: &Value, plans: &[Plan]) -> bool {
    let text = |field: &str| price[field].as_str();
    plans.iter().any(|plan| {
        plan.is_rest()
            || text("id").is_some_and(|id| plan.prices.iter().any(|p| p.as_str() == id))
            || text("product").is_some_and(|id| plan.products.iter().any(|p| p.as_str() == id))
            || text("lookup_key").is_some_and(|key| plan.lookup_keys.iter().any(|k| k == key))
    })
}

fn listed(names: &[&str]) -> String {
    let more = names.len().checked_sub(NAMES_MAX).filter(|n| *n > 0);
    let more = more.map_or(String::new(), |n| format!(" and {n} more"));
    format!(
        "{}{more}",
        names
            .iter()
            .take(NAMES_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    )
}
