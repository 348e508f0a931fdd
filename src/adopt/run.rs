//! Examines one source's shop, from the first page to the report.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::alone::{Alone, read_doubled, read_strays};
use super::backdate::List;
use super::examine::{self, Candidate, Matches, Shop};
use super::found::{Found, Sold, StrayKey};
use super::gather::{Gathered, Gatherer};
use super::licenses::{Crawl, LicenseIndex, found};
use super::progress::{Progress, ReadPart};
use super::question::{ExamineError, Question};
use super::read::{Lists, ReadError};
use super::so_far::ReadSoFar;
use super::table::KeyTable;
use crate::domain::time::{Span, Timestamp};
use crate::effects::license::sweep::hash;

/// Examines a shop. The lines of `table` that name nothing here stay in it, with the reason.
///
/// # Errors
/// [`ExamineError`].
pub async fn examine(
    question: &Question<'_>,
    table: &mut KeyTable,
    watch: &mut (dyn FnMut(ReadSoFar<'_>) + Send),
) -> Result<Found, ExamineError> {
    let (mut progress, kept, began) = match question.progress {
        Some(path) => {
            let of = question.account ^ hash(question.scope.source().as_str());
            Progress::open(path, of, question.now).map_err(ReadError::Progress)?
        }
        None => (Progress::nowhere(), Vec::new(), question.now),
    };
    let (mut gathered, stripe_calls) = stripe(question, &mut progress, &kept, watch).await?;
    let shop = question.shop();
    let mut licenses = LicenseIndex::default();
    let mut found = Found {
        source: Some(question.scope.source().clone()),
        loose: gathered.loose,
        loose_charges: gathered.loose_charges,
        unlisted: std::mem::take(&mut gathered.unlisted),
        began: Some(began),
        ..Found::default()
    };
    let mut calls = 0;
    if let Some(list) = &question.licenses {
        let candidates = shop.candidates(&gathered);
        let labels = &question.known.labels;
        let throttle = (list.throttle.clone(), list.share);
        let mut crawl = Crawl::new(&list.client, throttle, &mut progress, watch, labels, &kept);
        let mut apps = examine::apps(&candidates);
        apps.insert(list.app.clone());
        for app in &apps {
            crawl.read(app, &mut licenses).await?;
        }
        let mut alone = Alone::new((question.asking, list), &mut crawl, apps);
        let held = examine::held(&shop, &candidates);
        alone.find_held(held, &mut licenses).await?;
        alone.find_named(table, &mut licenses).await?;
        let mut matched = examine::matches(&shop, &candidates, &gathered, &licenses, table);
        let doubtful = examine::doubtful(&shop, &candidates, &licenses, &matched);
        alone.read_again(&doubtful, &mut licenses).await?;
        found.unshown = alone.unshown;
        read_strays(question, &mut licenses, &matched, &mut crawl).await?;
        let doubled = matched.doubled(&candidates);
        read_doubled(list, &mut licenses, &doubled, &mut crawl).await?;
        matched.suggest(&licenses);
        found.judged = examine::judge(&shop, &candidates, &mut gathered, &licenses, &matched);
        found.judged.report.not_shown = found.unshown.unknown;
        strays(question, &licenses, &matched, &gathered, &mut found);
        found.sold = sold(&candidates, &licenses, &matched);
        found.labels = std::mem::take(&mut crawl.fresh);
        calls = crawl.calls;
    } else {
        found.elsewhere = elsewhere(&gathered);
        found.judged = examine::examined(&shop, &mut gathered, &licenses, table);
    }
    found.names = gathered.names;
    found.calls = (stripe_calls, calls);
    found.judged.report.sort();
    progress.done();
    Ok(found)
}

/// What the guide's handler writes into its purchases names where their keys are.
fn elsewhere(gathered: &Gathered) -> Option<(String, usize)> {
    let apps = gathered.purchases.values();
    let apps = apps.filter_map(|shown| shown.metadata.get("authforge_app_id")?.first());
    let mut apps = apps.peekable();
    let first = (*apps.peek()?).clone();
    Some((first, apps.count()))
}

impl Question<'_> {
    fn shop(&self) -> Shop<'_> {
        Shop {
            scope: &self.scope,
            revisions: self.revisions,
            devices_max: self.devices_max,
            templates: self.templates,
            known: self.known,
            asking: self.asking,
            now: self.now,
        }
    }
}

/// Stripe shows an event some seconds after it was made.
const EVENTS_LAG: Span = Span::from_minutes(1);

/// The second pass: the events that were made since an instant, at which the first page was read, and that name a purchase
/// that was taken in, oldest first. (One that began meanwhile is the webhooks' matter.)
///
/// # Errors
/// [`ExamineError`].
pub async fn changed(
    question: &Question<'_>,
    found: &Found,
    moved: &BTreeSet<String>,
    since: Timestamp,
) -> Result<Vec<Value>, ExamineError> {
    let (mut progress, mut watch) = (Progress::nowhere(), |_: ReadSoFar<'_>| {});
    let mut lists = Lists::new(
        question.stripe,
        question.reads_per_s,
        &mut progress,
        &mut watch,
    );
    let mut events = lists.events(since - EVENTS_LAG).await?;
    keep_of(&mut events, found, moved);
    events.reverse();
    Ok(events)
}

/// Leaves the events that name a purchase that was taken in. What moves money begins no purchase, so there it is enough that
/// another event links it: a payment that is new since the lists were read is named by its invoice alone.
fn keep_of(events: &mut Vec<Value>, found: &Found, moved: &BTreeSet<String>) {
    let is_moved = |id: &str| moved.contains(found.names.get(id).map_or(id, String::as_str));
    let mut linked: BTreeSet<String> = BTreeSet::new();
    loop {
        let is_of = |event: &Value| {
            let linked = moves_money(event).then_some(&linked);
            ids_of(event).any(|id| is_moved(id) || linked.is_some_and(|l| l.contains(id)))
        };
        let ids = events.iter().filter(|e| is_of(e)).flat_map(ids_of);
        let new: Vec<String> = ids
            .filter(|id| !linked.contains(*id))
            .map(str::to_owned)
            .collect();
        if new.is_empty() {
            return events.retain(is_of);
        }
        linked.extend(new);
    }
}

fn moves_money(event: &Value) -> bool {
    let kinds = [
        "invoice_payment",
        "payment_intent",
        "charge",
        "refund",
        "dispute",
    ];
    event["data"]["object"]["object"]
        .as_str()
        .is_some_and(|kind| kinds.contains(&kind))
}

/// The ids of an event's object and of those that it names.
fn ids_of(event: &Value) -> impl Iterator<Item = &str> {
    let object = &event["data"]["object"];
    let own = ["id", "subscription", "invoice", "payment_intent", "charge"];
    let paid_by = ["payment_intent", "charge"].map(|name| &object["payment"][name]);
    let parent = &object["parent"]["subscription_details"]["subscription"];
    own.into_iter()
        .map(|name| &object[name])
        .chain(paid_by)
        .chain([&object["latest_charge"], parent])
        .filter_map(|id| id.as_str().or_else(|| id["id"].as_str()))
        .filter(|id| !id.is_empty())
}

/// Reads Stripe's lists.
async fn stripe(
    question: &Question<'_>,
    progress: &mut Progress,
    kept: &[ReadPart],
    watch: &mut (dyn FnMut(ReadSoFar<'_>) + Send),
) -> Result<(Gathered, u64), ExamineError> {
    let mut gatherer = Gatherer::new(question.now);
    let mut lists = Lists::new(question.stripe, question.reads_per_s, progress, watch);
    for list in List::ALL {
        let mut each = |object: &serde_json::Value| gatherer.add(list, object);
        lists.read(list, kept, &mut each).await?;
    }
    let calls = lists.calls;
    Ok((gatherer.finish(), calls))
}

/// What the source's lists name.
fn sold(
    candidates: &BTreeMap<String, Candidate>,
    licenses: &LicenseIndex,
    matched: &Matches,
) -> Sold {
    let all = licenses.all.iter().enumerate();
    let keys = all.filter(|(n, _)| matched.has(*n));
    let buys = candidates.iter().filter(|(_, c)| c.buys());
    Sold {
        keys: keys.map(|(_, l)| hash(l.license.key.reveal())).collect(),
        purchases: buys.map(|(object, _)| object.clone()).collect(),
    }
}

/// Working keys that belong to no purchase here. One that the store knows to be another source's is not told of; a connected
/// account's is told to be known, for nobody reads that account's lists.
fn strays(
    question: &Question<'_>,
    licenses: &LicenseIndex,
    matched: &Matches,
    gathered: &Gathered,
    found_so_far: &mut Found,
) {
    for (n, listed) in licenses.all.iter().enumerate() {
        let license = found(&listed.license);
        // Of one that was made since the first list was read, no list that was read by then knows the purchase.
        let is_younger = license.made >= found_so_far.began.or(Some(question.now));
        if matched.has(n) || is_younger || !license.is_live(question.now) {
            continue;
        }
        let object = license.label.as_deref().and_then(examine::object_named);
        let known = question.known;
        let elsewhere = || known.elsewhere(object?, &question.scope);
        if let Some(holder) = known.holder(&license.key).or_else(elsewhere) {
            let scope = holder.scope();
            if scope.source() == question.scope.source() && scope.account().is_some() {
                let row = examine::of_account(holder, &license);
                found_so_far.judged.report.add(row);
            }
            continue;
        }
        let row = |object| examine::stray(&question.shop(), gathered, object, &license);
        found_so_far.strays.push(StrayKey {
            key: hash(license.key.reveal()),
            is_listed: object.is_some_and(|o| gathered.unpaid.contains(o)),
            row: object.map(row),
            object: object.map(str::to_owned),
        });
    }
}
