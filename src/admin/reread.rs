//! Events that changed nothing when they came, put through the present reading again: a newer binary may understand them, and
//! the config may have learnt since what they are about.

use serde::Serialize;

use super::context::{Context, raw};
use super::failure::Failure;
use super::request::RereadQuery;
use super::response::{Reread, Response};
use crate::adopt::read_again;
use crate::domain::id::Scope;
use crate::domain::time::Timestamp;
use crate::engine::input::{Delivery, Input, Receipt};
use crate::engine::read::view;
use crate::engine::record::disposition::{Disposition, Reason};
use crate::engine::record::indexed::Index;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError};
use crate::engine::route::reparse;
use crate::engine::write::transaction::{Transaction, TxContext};
use crate::engine::write::working::{Committed, Working};
use crate::store::KeyRange;

/// One event that is read otherwise now. Relied on from outside.
#[derive(Clone, Debug, Serialize)]
struct RereadRow {
    event: String,
    #[serde(rename = "type")]
    kind: String,
    created: Timestamp,
    /// Why it changed nothing.
    was: String,
    /// What becomes of it now.
    now: String,
}

/// An event that changed nothing.
struct Ignored {
    delivery: Delivery,
    was: String,
}

/// Why events changed nothing, as an operator names it.
const REASONS: [&str; 15] = [
    "unreadable",
    "no_use",
    "other_mode",
    "other_mode_than_purchase",
    "other_mode_than_customer",
    "connect",
    "unfit_id",
    "names_nothing",
    "no_subscription",
    "setup",
    "invoice_not_paid",
    "invoice_of_others",
    "decision",
    "never_linked",
    "dismissed",
];

/// Whether an event changed nothing, and why; `None`: it belongs somewhere, or waits.
const fn reason_of(disposition: &Disposition) -> Option<&'static str> {
    let n = match disposition {
        Disposition::Applied(_) | Disposition::Parked(_) => return None,
        Disposition::Unreadable(_) => 0,
        Disposition::Ignored(reason) => match reason {
            Reason::NoUse(_) => 1,
            Reason::OtherMode => 2,
            Reason::OtherModeThanPurchase => 3,
            Reason::OtherModeThanCustomer => 4,
            Reason::Connect => 5,
            Reason::UnfitId => 6,
            Reason::NamesNothing => 7,
            Reason::NoSubscription => 8,
            Reason::Setup => 9,
            Reason::InvoiceNotPaid => 10,
            Reason::InvoiceOfOthers => 11,
            Reason::Decision => 12,
            Reason::NeverLinked => 13,
            Reason::Dismissed { .. } => 14,
        },
    };
    Some(REASONS[n])
}

/// Reads events again, and takes them in where that is ordered.
pub(super) async fn reread(context: &Context, query: RereadQuery) -> Result<Response, Failure> {
    let known = |reason: &&String| !REASONS.contains(&reason.as_str());
    if let Some(unknown) = query.reason.as_ref().filter(known) {
        return Err(
            Failure::input(format!("no event is ignored as `{unknown}`"))
                .hint(format!("the reasons are {}", REASONS.join(", "))),
        );
    }
    let apply = query.apply;
    let (mut found, scanned_at) = context
        .read(move |context| ignored(context, &query))
        .await?;
    found.sort_by_key(|one| one.delivery.created);
    let (mut rows, mut changed) = (Vec::new(), 0);
    for one in found {
        let tried = one.delivery.clone();
        let tried = context.read(move |context| try_out(context, tried)).await?;
        let Some(now) = words(&tried) else {
            continue;
        };
        changed += 1;
        rows.push(raw(&RereadRow {
            event: one.delivery.id.to_string(),
            kind: one.delivery.kind.clone(),
            created: one.delivery.created,
            was: one.was,
            now,
        })?);
        if apply {
            let input = Input::ReadAgain(Box::new(one.delivery));
            context.handle.submit_waiting(input).await?;
        }
    }
    Ok(Response::Reread(Reread {
        applied: apply,
        unchanged: scanned_at - changed,
        rows,
    }))
}

/// What becomes of an event now; `None`: it changes nothing still.
fn words(receipt: &Receipt) -> Option<String> {
    match receipt {
        Receipt::Applied(Some(machine)) => Some(machine.to_string()),
        Receipt::Applied(None) => Some("kept".to_owned()),
        Receipt::Parked(names) => Some(format!("waits for {}", names.join(", "))),
        Receipt::Ignored(_) | Receipt::Duplicate | Receipt::Unknown | Receipt::Done => None,
    }
}

/// The events that are asked for and changed nothing, and how many they are with those that cannot be read still.
fn ignored(context: &Context, query: &RereadQuery) -> Result<(Vec<Ignored>, u64), Failure> {
    let (mut found, mut scanned_at) = (Vec::new(), 0);
    let mut missing = query.events.clone();
    let reader = context.handle.reader();
    let unread = query.events.is_empty() && query.reason.as_deref() == Some(REASONS[0]);
    if unread && Index::Unread.is_whole(reader)? {
        reparse::each(reader, |scope, kept| {
            scanned_at += 1;
            found.extend(read(scope, kept));
            true
        })?;
        return Ok((found, scanned_at));
    }
    let all = KeyRange::prefix(&[Table::Event as u8]);
    view::walk(reader, all, |entry, first| {
        let id = key::event_of(entry).map_or_else(String::new, |id| id.to_string());
        if !query.events.is_empty() && !query.events.contains(&id) {
            return Ok(true);
        }
        let kept: EventRecord = record::whole(&Committed(reader), entry, first)?;
        missing.retain(|asked| *asked != id);
        let reason = reason_of(&kept.disposition);
        let asked = query.reason.as_deref();
        if reason.is_some_and(|is| asked.is_none_or(|asked| asked == is)) {
            scanned_at += 1;
            found.extend(read(&key::scope_of(entry), kept));
        }
        Ok(true)
    })?;
    match missing.first() {
        Some(id) => Err(Failure::input(format!("there is no event `{id}`"))
            .hint("`keyward events --ignored` lists those that changed nothing")),
        None => Ok((found, scanned_at)),
    }
}

/// An event as it reads now.
fn read(scope: &Scope, kept: EventRecord) -> Option<Ignored> {
    let was = kept.disposition.why_ignored().unwrap_or_default();
    let delivery = read_again(kept.raw, scope.source(), kept.received)?;
    Some(Ignored { delivery, was })
}

/// What would become of it, with nothing written.
fn try_out(context: &Context, delivery: Delivery) -> Result<Receipt, Failure> {
    let handle = &context.handle;
    let (rules, gaps, standing) = (handle.rules(), handle.gaps(), handle.standing());
    let mut working = Working::new(handle.reader());
    let tx_context = TxContext {
        rules: &rules,
        at: handle.clock().now(),
        jitter: 0,
        stops_held: handle.stops_held(),
        gaps: &gaps,
        standing: &standing,
        live_licenses: 0,
    };
    let tried: Result<Receipt, RecordError> =
        Transaction::new(&mut working, tx_context).input(&Input::ReadAgain(Box::new(delivery)));
    Ok(tried?)
}
