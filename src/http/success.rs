//! `GET /success?session_id=cs_…`: where the customer lands after paying. The session id is the secret.

mod keys;
mod refresh;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::license_words::{grace_ends, pay_url};
use super::status_text::{LicenseCard, PurchaseText};
use super::web::{Page, Refresh, Tone};
use super::{App, Peer, limit, metrics};
use crate::config::{Config, Connect, Link, Mail, Transport};
use crate::domain::id::{PlanName, Scope};
use crate::domain::lifecycle::{Folded, Life};
use crate::domain::machine::{Grant, Machine};
use crate::domain::status::PurchaseStatus;
use crate::domain::summary::{customer_status, is_paused};
use crate::domain::time::{Span, Timestamp};
use crate::engine::read::view::{self, ExtendedPurchase};
use crate::engine::record::{RecordError, server};
use keys::{is_undelivered, shown};
use refresh::RefreshState;

/// A Checkout session's id has 66 characters or so (and 255 at most); anything much shorter could be guessed.
const ID_LEN: std::ops::RangeInclusive<usize> = 20..=255;
/// The redirect can be faster than the webhook, but not by more than this.
const WEBHOOK_WITHIN: Span = Span::from_minutes(2);

/// A purchase as it was found, with the language of its customer.
struct FoundPurchase {
    machine: Machine,
    language: Option<String>,
    /// The purchases whose licenses it extends.
    extended: Vec<ExtendedPurchase>,
}

/// What was asked for, and what there is to say.
struct SuccessAnswer {
    text: PurchaseText,
    refresh: Option<Refresh>,
    lang: String,
}

/// Why there is nothing to say of a purchase.
enum NoAnswer {
    /// Asked for too often; how many seconds to wait.
    TooOften(u64),
    /// The address names no session.
    Malformed,
    /// It cannot be read just now.
    Unavailable,
}

type Queried = Result<Query<BTreeMap<String, String>>, QueryRejection>;

/// The customer's page.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    query: Queried,
) -> Response {
    match answer(&app, peer.ip(), &headers, query).await {
        Ok(SuccessAnswer {
            text,
            refresh,
            lang,
        }) => {
            let page = text.page().looking_again(refresh);
            page.respond_in(&app.site, &lang, text.http_status())
        }
        Err(why) => {
            let (tone, words) = match why {
                NoAnswer::TooOften(_) => (Tone::Wait, "too_often"),
                NoAnswer::Malformed => (Tone::Bad, "broken_link"),
                NoAnswer::Unavailable => (Tone::Wait, "unavailable"),
            };
            let page = Page::message(tone, words);
            why.wait(page.respond(&app, &headers, why.status()))
        }
    }
}

/// The same for a vendor's own page: fields that stay what they are (docs/pages.md).
pub(super) async fn json(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    query: Queried,
) -> Response {
    let response = match answer(&app, peer.ip(), &headers, query).await {
        Ok(answer) => {
            let status = answer.text.http_status();
            (status, Json(answer.fields(&app))).into_response()
        }
        Err(why) => {
            let error = match why {
                NoAnswer::TooOften(_) => "too_often",
                NoAnswer::Malformed => "session_id",
                NoAnswer::Unavailable => "unavailable",
            };
            let response = (why.status(), Json(json!({ "error": error })));
            why.wait(response.into_response())
        }
    };
    super::buy::with_cors(&app, &headers, response)
}

impl NoAnswer {
    const fn status(&self) -> StatusCode {
        match self {
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn wait(&self, mut response: Response) -> Response {
        if let Self::TooOften(wait_s) = self {
            let wait = HeaderValue::from(*wait_s);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

impl SuccessAnswer {
    fn fields(&self, app: &App) -> serde_json::Value {
        let (words, lang) = (app.site.words(), self.lang.as_str());
        let license = |card: &LicenseCard| {
            json!({
                "key": card.key,
                "whole": card.whole,
                "plan": card.plan,
                "title": card.title,
                "works": card.works,
                "devices_max": card.devices_max,
                "valid_until": card.valid_until,
                "devices": words.line(lang, &card.devices),
                "validity": words.line(lang, &card.validity),
            })
        };
        let (title, paragraphs) = self.text.page().text(words, lang);
        let again = self.refresh.as_ref().map(|refresh| {
            let url = format!("{}/success.json{}", app.config.public_url, refresh.url);
            json!({ "after_s": refresh.after_s, "url": url })
        });
        json!({
            "status": self.text.word(),
            "language": lang,
            "title": title,
            "text": paragraphs,
            "licenses": self.text.licenses.iter().map(license).collect::<Vec<_>>(),
            "downloads": self.text.downloads,
            "pay_url": self.text.pay_url,
            "again": again,
        })
    }
}

/// Finds what there is to say, and counts it.
async fn answer(
    app: &Arc<App>,
    peer: IpAddr,
    headers: &HeaderMap,
    query: Queried,
) -> Result<SuccessAnswer, NoAnswer> {
    let client = limit::client(peer, headers, &app.config.http.trusted_proxies);
    app.limiter.check(client).map_err(|wait_s| {
        metrics::page_said("too_often");
        NoAnswer::TooOften(wait_s)
    })?;
    let query = query.map(|q| q.0).unwrap_or_default();
    let Some(session) = query.get("session_id").filter(|id| well_formed(id)) else {
        metrics::page_said("malformed");
        return Err(NoAnswer::Malformed);
    };
    let found = found(app, session).await.map_err(|()| {
        metrics::page_said("error");
        NoAnswer::Unavailable
    })?;
    let now = app.handle.clock().now();
    let asked = RefreshState::of(&query, now);
    let text = purchase_text(app, found.as_ref(), now - asked.since, now);
    metrics::page_said(text.word());
    let refresh = text.waits().then(|| asked.again(session, found.is_none()));
    let known = found.as_ref().and_then(|f| f.language.as_deref());
    Ok(SuccessAnswer {
        lang: app.site.language(known, headers),
        refresh: refresh.flatten(),
        text,
    })
}

/// What is said of a purchase to a visitor who has waited so long.
fn purchase_text(
    app: &App,
    found: Option<&FoundPurchase>,
    waited: Span,
    now: Timestamp,
) -> PurchaseText {
    let Some(FoundPurchase {
        machine, extended, ..
    }) = found
    else {
        return PurchaseText {
            status: (waited < WEBHOOK_WITHIN).then_some(PurchaseStatus::OnItsWay),
            mails: mails(&app.config.mail),
            ..PurchaseText::default()
        };
    };
    let rules = app.handle.rules();
    let folded = machine.folded(&rules.revisions, now);
    let should = view::seats(machine, &rules, now);
    let status = customer_status(machine, &folded, &should, now);
    let mails = mails(app.config.mail_of(&machine.source));
    let mut text = PurchaseText {
        status: Some(status),
        only_adds: machine.only_adds(),
        mails,
        seller_told: status == PurchaseStatus::Delayed
            && app.config.alert.reaches_somebody()
            && !is_paused(machine),
        grace_ends: grace_ends(&folded, now),
        pay_url: pay_url(&folded, status),
        ..PurchaseText::default()
    };
    if status.shows_keys() {
        // Where keys are mailed, this page need not hold them for ever.
        let bought = bought_at(&folded, machine);
        let whole = !mails || bought.is_none_or(|at| now - at < app.config.success.show_for);
        let card = |(grant, may_see): (&Grant, bool)| {
            let title = grant.plan.as_ref().map(|plan| app.config.title(plan));
            let whole = whole || is_undelivered(machine, grant);
            LicenseCard::of(grant, title, whole && may_see, now)
        };
        let shown = || shown(machine, extended);
        text.licenses = shown().map(card).collect();
        if text.downloads_are_shown() {
            text.downloads = downloads(&app.config, shown().filter_map(|(g, _)| g.plan.as_ref()));
        }
    }
    text
}

/// When the money came; for what nobody paid, when its first license did.
fn bought_at(folded: &Folded, machine: &Machine) -> Option<Timestamp> {
    let paid = match &folded.life {
        Life::Payment(purchase) => purchase.paid_at,
        Life::Subscription(subscription) => subscription.began,
    };
    paid.or_else(|| machine.grants.iter().map(|g| g.since).min())
}

/// The links of the plans, each once; of a plan that has none, the vendor's.
fn downloads<'p>(config: &Config, plans: impl Iterator<Item = &'p PlanName>) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let of_plan = |plan| config.display.get(plan).map(|l| &l.downloads);
    let named = |plan| of_plan(plan).filter(|own| !own.is_empty());
    let mut all: Vec<&Vec<Link>> = plans
        .map(|plan| named(plan).unwrap_or(&config.vendor.downloads))
        .collect();
    if all.is_empty() {
        all.push(&config.vendor.downloads);
    }
    for link in all.into_iter().flatten() {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    links
}

/// Whether keys are mailed at all.
fn mails(mail: &Mail) -> bool {
    mail.transport != Transport::None
}

fn well_formed(id: &str) -> bool {
    ID_LEN.contains(&id.len())
        && id.starts_with("cs_")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Looks a session up where that does not hold up others.
async fn found(app: &Arc<App>, session: &str) -> Result<Option<FoundPurchase>, ()> {
    let (app, session) = (Arc::clone(app), session.to_owned());
    let found = tokio::task::spawn_blocking(move || find(&app, &session)).await;
    let why = match found {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(error = why, "a purchase could not be read for its page");
    Err(())
}

/// The purchase of a session, at any of the sources and the accounts connected to them: its own machine, or the
/// subscription that it started. Who asks shows an id and no account: where it is known in several, none is shown, for it may
/// be the other one's buyer.
fn find(app: &App, session: &str) -> Result<Option<FoundPurchase>, RecordError> {
    let (reader, mut found) = (app.handle.reader(), None);
    for source in &app.config.sources {
        let mut accounts = vec![None];
        if source.connect == Connect::Accept {
            let connected = server::accounts(reader, &source.name)?;
            accounts.extend(connected.into_iter().map(Some));
        }
        for account in accounts {
            let scope = Scope::new(source.name.clone(), account);
            if let Some(machine) = view::by_name(reader, &scope, session)?
                && let Some(other) = found.replace(machine)
            {
                let also = found.map(|m| m.id.to_string());
                tracing::warn!(machine.id = %other.id, also, "a session is known in several accounts: its page shows none");
                return Ok(None);
            }
        }
    }
    let Some(machine) = found else {
        return Ok(None);
    };
    Ok(Some(FoundPurchase {
        language: language(app, &machine)?,
        extended: view::extended_by(reader, &machine)?,
        machine,
    }))
}

/// The language of a purchase's customer, where it is known; mails are written in the same.
fn language(app: &App, machine: &Machine) -> Result<Option<String>, RecordError> {
    let rules = app.handle.rules();
    let contact = machine
        .folded(&rules.revisions, app.handle.clock().now())
        .contact;
    let customer = match &contact.customer {
        Some(id) => view::customer(app.handle.reader(), machine.id.scope(), id)?,
        None => None,
    };
    let own = customer.filter(|c| !c.deleted).and_then(|c| c.locale);
    Ok(own.or(contact.locale))
}

#[cfg(test)]
mod tests {
    use super::well_formed;

    #[test]
    fn only_session_ids_are_looked_up() {
        assert!(well_formed("cs_test_a1B2c3D4e5F6g7H8i9J0"));
        for bad in [
            "",
            "cs_live_short",
            "pi_test_a1B2c3D4e5F6g7H8i9J0",
            "cs_test_a1B2c3D4e5F6g7H8i9J0/..",
            "{CHECKOUT_SESSION_ID}",
        ] {
            assert!(!well_formed(bad), "{bad}");
        }
        assert!(!well_formed(&format!("cs_{}", "a".repeat(300))));
    }
}
