//! Why a purchase's licenses are what they are, as they were at an instant, by what was known at another.

mod acts;

use serde::{Deserialize, Serialize};

pub use acts::WhyAction;
use acts::actions;

use super::context::{Context, no_machine, raw};
use super::failure::Failure;
use super::read;
use super::response::{Response, TimelineItem};
use crate::domain::context::Situation;
use crate::domain::entitlement::{Pair, SeatDue, Want};
use crate::domain::explain::{
    At, FactRef, Gap, Holds, Present, Rest, SeatReason, Tense, begins_later, explain,
    is_bought_unknown, paragraph, present, unplanned as unplanned_prices,
};
use crate::domain::id::MachineId;
use crate::domain::lifecycle::State;
use crate::domain::machine::{Grant, Machine};
use crate::domain::notice::Notice;
use crate::domain::outlook::{outlook, outlook_after};
use crate::domain::time::Timestamp;
use crate::engine::read::view;
use crate::engine::route::awaited::Awaited;
use crate::engine::write::working::Committed;

/// Purchases that are explained at once; a text that leads to more is not telling enough.
const PURCHASES_MAX: usize = 20;

/// A purchase explained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyPage {
    /// The purchase.
    pub machine: String,
    /// The instant that is spoken of.
    pub at: Timestamp,
    /// What was heard of by then counts.
    pub known_at: Timestamp,
    /// Its state then.
    pub state: Option<String>,
    /// What was said of it first, where that was later: nothing was known of it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<WhyFact>,
    /// License by license.
    pub licenses: Vec<WhyLicense>,
    /// The prices that no plan names, where it sells no license.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplanned_prices: Vec<String>,
    /// Whether nothing tells what was bought, where it sells no license.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bought_unknown: bool,
    /// The mails that reached nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmailed: Vec<WhyMail>,
    /// All of it for the customer: a paragraph, a sentence at least.
    pub for_customer: String,
    /// What comes next, where the present or an instant to come is spoken of.
    pub next: Vec<TimelineItem>,
}

/// A mail that reached nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyMail {
    pub kind: String,
    /// `no_address` or `undeliverable`.
    pub status: String,
    pub at: Timestamp,
    /// What the mail server said.
    pub answer: Option<String>,
}

/// One license explained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyLicense {
    /// The item or line that it stands for, and which of its units.
    pub item: String,
    /// From 1.
    pub unit: u32,
    /// Its plan.
    pub plan: Option<String>,
    /// What should be: `live`, `suspended`, `revoked` or `nothing`.
    pub should_be: String,
    /// Until when; absent: for life, or not at all.
    pub until: Option<Timestamp>,
    /// The end of what was paid for, where that is another instant than `until`: the policy's line says what lies between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<Timestamp>,
    /// What it is, where that is not what it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// Whether a person gave up what would make it so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// The row of docs/states/entitlement.md.
    pub row: Option<WhyRow>,
    /// The fact that decided.
    pub decided_by: Option<WhyFact>,
    /// When time alone brought it about after that.
    pub by_time_at: Option<Timestamp>,
    /// The policy's line.
    pub policy: Option<WhyPolicy>,
    /// The license as its service last confirmed it, where the present is spoken of.
    pub license: Option<WhyGrant>,
    /// What was done or tried at the license service until then.
    pub actions: Vec<WhyAction>,
    /// The purchase whose license it extends, in place of one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What would change it.
    pub would_change: String,
    /// The same for the customer.
    pub for_customer: String,
}

/// Where a license stands in the printed table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyRow {
    pub phase: String,
    pub refund: String,
    pub dispute: String,
    pub pause: String,
    pub ending: String,
}

/// A fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyFact {
    pub event: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was so.
    pub at: Timestamp,
    /// When it was heard of.
    pub received: Timestamp,
}

/// A policy's line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyPolicy {
    pub name: String,
    pub key: String,
    pub value: String,
    /// Since when it is in force.
    pub revision: Option<Timestamp>,
    /// When the customer was given this value for their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Timestamp>,
}

/// A license.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyGrant {
    pub number: u32,
    /// Its last four characters.
    pub key: String,
    pub status: String,
    pub expires_at: Option<Timestamp>,
}

/// The purchases that a text leads to, explained.
pub(super) fn why(
    context: &Context,
    text: &str,
    at: Option<Timestamp>,
    known_at: Option<Timestamp>,
) -> Result<Response, Failure> {
    let now = context.handle.clock().now();
    if let Some(known_at) = known_at.filter(|known_at| *known_at > now) {
        return Err(Failure::input(format!(
            "{known_at} is yet to come: nobody knows what is known then"
        ))
        .hint("`--at` alone looks ahead, by what is known now"));
    }
    let mut found = read::hits(context, text)?;
    if found.is_empty() {
        return Err(read::unfound(context, text));
    }
    let more = found.len().saturating_sub(PURCHASES_MAX);
    found.truncate(PURCHASES_MAX);
    let pages = found
        .iter()
        .map(|id| raw(&page(context, id, at, known_at)?));
    Ok(Response::List {
        rows: pages.collect::<Result<_, _>>()?,
        more: u64::try_from(more).unwrap_or(u64::MAX),
    })
}

fn page(
    context: &Context,
    id: &MachineId,
    at: Option<Timestamp>,
    known_at: Option<Timestamp>,
) -> Result<WhyPage, Failure> {
    let machine =
        view::machine(context.handle.reader(), id)?.ok_or_else(|| no_machine(&id.to_string()))?;
    let now = context.handle.clock().now();
    let asked = At::of(at, known_at, now);
    let rules = context.handle.rules();
    let devices_max = rules.devices_max(&machine.source);
    let explained = explain(
        &machine,
        &rules.revisions,
        asked.at,
        asked.known_at,
        devices_max,
    );
    let present = present(&machine, &explained.due, asked.at, asked.tense);
    let said = paragraph(&machine, &explained, &present, asked);
    let view = Committed(context.handle.reader());
    let mut awaited = Awaited::new(&view, &machine);
    let seats = explained.due.seats.iter().zip(&explained.reasons);
    let licenses = seats
        .zip(present.iter().zip(said.seats))
        .map(|((seat, reason), (present, said))| {
            let grant = grant_of(&machine, seat, present, asked);
            let actions = actions(context, &mut awaited, seat, grant, asked)?;
            Ok(WhyLicense {
                for_customer: said,
                actions,
                ..license(&machine, seat, reason, present, asked)
            })
        })
        .collect::<Result<_, Failure>>()?;
    let situation = Situation {
        machine: &machine,
        folded: &explained.folded,
        due: &explained.due,
        revisions: &rules.revisions,
        now: asked.at,
    };
    let next = match asked.tense {
        Tense::Past => Vec::new(),
        Tense::Present => outlook(&situation),
        Tense::Future => outlook_after(&situation, asked.at),
    };
    let sells_none = explained.due.seats.is_empty().then_some(&explained.folded);
    let unplanned =
        sells_none.map(|folded| unplanned_prices(&machine, folded, &rules.revisions, asked.at));
    Ok(WhyPage {
        machine: machine.id.to_string(),
        at: asked.at,
        known_at: asked.known_at,
        state: explained.folded.state.map(State::as_str).map(str::to_owned),
        begins: begins_later(&machine, asked.at, asked.known_at).map(|first| fact(&first)),
        unmailed: unmailed(&machine, asked),
        for_customer: said.whole,
        licenses,
        unplanned_prices: unplanned.unwrap_or_default(),
        bought_unknown: sells_none.is_some_and(is_bought_unknown),
        next: next
            .into_iter()
            .map(|n| TimelineItem {
                at: n.at,
                what: n.to_string(),
            })
            .collect(),
    })
}

fn license(
    machine: &Machine,
    seat: &SeatDue,
    reason: &SeatReason,
    present: &Present<'_>,
    asked: At,
) -> WhyLicense {
    let grant = grant_of(machine, seat, present, asked);
    let (should_be, until) = match seat.want {
        Want::Nothing => ("nothing", None),
        Want::Live { until } => ("live", until),
        Want::Suspended => ("suspended", None),
        Want::Revoked => ("revoked", None),
    };
    let shown = grant
        .filter(|_| asked.tense != Tense::Past)
        .map(|g| WhyGrant {
            number: g.number,
            key: format!("{:?}", g.key),
            status: g.status_at(asked.at).to_string(),
            expires_at: g.expires_at,
        });
    // rule 55: a seat that extends another purchase's license has none here.
    let extended = machine.extends().find(|e| e.is_of(seat));
    let extended = extended.map(|e| e.machine.to_string());
    WhyLicense {
        item: seat.item.to_string(),
        unit: seat.unit,
        plan: seat.plan.as_ref().map(ToString::to_string),
        should_be: should_be.to_owned(),
        until,
        paid_until: seat
            .paid_until
            .filter(|paid| until.is_some_and(|u| u != *paid)),
        is: is(seat, present, asked),
        given_up: present.rest == Some(Rest::GivenUp),
        row: seat.row.map(row),
        decided_by: reason.decided_by.as_ref().map(fact),
        by_time_at: reason.turned_at,
        policy: reason.policy.as_ref().map(|line| WhyPolicy {
            name: line.policy.to_string(),
            key: line.key.to_owned(),
            value: line.value.clone(),
            revision: line.revision,
            overridden: line.overridden,
        }),
        license: shown,
        actions: Vec::new(),
        would_change: reason.remedy.to_string(),
        for_customer: String::new(),
        extends: extended,
    }
}

fn fact(fact: &FactRef) -> WhyFact {
    WhyFact {
        event: fact.id.to_string(),
        kind: fact.kind.clone(),
        at: fact.at,
        received: fact.received,
    }
}

/// What a license is at present, where that is not what it should be.
fn is(seat: &SeatDue, present: &Present<'_>, asked: At) -> Option<String> {
    if present.holds == Holds::Sought {
        return Some("no key known yet: one that was made before is looked for".to_owned());
    }
    if asked.tense != Tense::Present || present.holds.gap(seat.want, asked.at) == Gap::None {
        return None;
    }
    match present.holds {
        Holds::Unknown | Holds::MovedOn | Holds::Sought => None,
        Holds::Missing => Some("no key".to_owned()),
        Holds::There { status, until } => {
            let until = until.map_or(String::new(), |at| format!(" until {at}"));
            Some(format!("{status}{until}"))
        }
    }
}

/// The mails that reached nobody, where the present is spoken of.
fn unmailed(machine: &Machine, asked: At) -> Vec<WhyMail> {
    let lost = |n: &&Notice| asked.tense == Tense::Present && n.reached_nobody(machine);
    let mails = machine.notices.iter().filter(lost).map(|n| WhyMail {
        kind: n.kind.as_str().to_owned(),
        status: n.status.as_str().to_owned(),
        at: n.at,
        answer: n.error.clone(),
    });
    mails.collect()
}

fn row(pair: Pair) -> WhyRow {
    WhyRow {
        phase: pair.phase.as_str().to_owned(),
        refund: pair.refund.as_str().to_owned(),
        dispute: pair.dispute.as_str().to_owned(),
        pause: pair.pause.as_str().to_owned(),
        ending: pair.ending.as_str().to_owned(),
    }
}

/// The license of a seat: the one that stands for it, or the newest that did.
fn grant_of<'m>(
    machine: &'m Machine,
    seat: &SeatDue,
    present: &Present<'m>,
    asked: At,
) -> Option<&'m Grant> {
    let of_seat = |g: &&Grant| {
        let named = g.seat.item == seat.item || seat.aliases.contains(&g.seat.item);
        named && g.seat.unit == seat.unit
    };
    let newest = || machine.grants.iter().rev().find(of_seat);
    let grant = present.grant.or_else(newest);
    grant.filter(|g| asked.knows(g.since))
}
