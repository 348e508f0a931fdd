//! `GET /buy/{plan}` and `POST /checkout`: a Checkout session at Stripe for a plan, and the way there.

mod extends;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::json;

use super::web::{Page, Tone, nearest, of_browser};
use super::{App, Peer, limit};
use crate::config::{Livemode, PlanCheckout, Source};
use crate::domain::plan::Plan;
use crate::effects::stripe::checkout::{CheckoutOrder, LOCALES, Price, success_url};
use crate::effects::stripe::{Account, Answer};
use extends::OrderedBy;

/// The longest order that is read, in bytes.
const BODY_LEN_MAX: usize = 8 << 10;
/// Stripe's limit for the vendor's own word, in characters.
const REFERENCE_LEN_MAX: usize = 200;
/// The longest address that is passed on.
const EMAIL_LEN_MAX: usize = 254;

/// What somebody wants to buy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    plan: String,
    quantity: Option<u32>,
    email: Option<String>,
    client_reference_id: Option<String>,
    locale: Option<String>,
    /// Of several prices: the one of this interval.
    interval: Option<String>,
    /// Of several prices: the one in this currency.
    currency: Option<String>,
    /// The license that is to be extended, in place of a new one.
    extends: Option<String>,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoSession {
    /// What was asked for makes no sense, because.
    Asked(&'static str, String),
    /// There is no such plan.
    NoPlan,
    /// It cannot be sold now; the operator was told why.
    NotNow,
    /// Asked for too often; how many seconds to wait.
    TooOften(u64),
}

/// The link that a vendor puts on a page: it leads to Stripe.
pub(super) async fn buy(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    plan: Result<Path<String>, PathRejection>,
    asked: HeaderMap,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Response {
    // What cannot be read is the name of no plan.
    let plan = plan.map(|p| p.0).unwrap_or_default();
    let mut query = query.map(|q| q.0).unwrap_or_default();
    let quantity = query.remove("quantity").map(|n| n.parse::<u32>());
    let wanted = match quantity.transpose() {
        Ok(quantity) => Ok(Wanted {
            plan,
            quantity,
            email: query.remove("email"),
            client_reference_id: query.remove("client_reference_id"),
            locale: query.remove("locale"),
            interval: query.remove("interval"),
            currency: query.remove("currency"),
            extends: query.remove("extends"),
        }),
        Err(_) => Err(NoSession::Asked("quantity", "it is no number".to_owned())),
    };
    let session = match wanted {
        Ok(wanted) => session(&app, peer, &asked, &wanted, OrderedBy::Link).await,
        Err(wrong) => Err(wrong),
    };
    match session {
        Ok(url) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            // Stripe's address is one for this buyer alone.
            let address = HeaderValue::from_str(&url);
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            match address {
                Ok(address) => drop(headers.insert(header::LOCATION, address)),
                Err(_) => return page(&app, &asked, &NoSession::NotNow),
            }
            response
        }
        Err(why) => page(&app, &asked, &why),
    }
}

/// Whether a link leads anywhere, for whoever only looks: nothing is asked of Stripe, and no session is made.
pub(super) async fn head(
    State(app): State<Arc<App>>,
    plan: Result<Path<String>, PathRejection>,
) -> Response {
    let named = plan.map(|p| p.0).unwrap_or_default();
    let rules = app.handle.rules();
    let plans = rules.revisions.newest().map_or(&[][..], |r| &r.plans);
    let status = if plans.iter().any(|p| *p.name.as_str() == *named) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    };
    (status, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

/// The same for a vendor's own page: an address as JSON.
pub(super) async fn checkout(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = match wanted(&body) {
        Ok(wanted) => session(&app, peer, &headers, &wanted, OrderedBy::Page).await,
        Err(wrong) => Err(wrong),
    };
    let response = match session {
        Ok(url) => (StatusCode::OK, Json(json!({ "url": url }))).into_response(),
        Err(why) => problem(&why),
    };
    with_cors(&app, &headers, response)
}

/// What a browser asks before it sends an order from another page.
pub(super) async fn preflight(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    with_cors(&app, &headers, StatusCode::NO_CONTENT.into_response())
}

fn wanted(body: &[u8]) -> Result<Wanted, NoSession> {
    if body.len() > BODY_LEN_MAX {
        return Err(NoSession::Asked(
            "body",
            format!("more than {BODY_LEN_MAX} bytes"),
        ));
    }
    serde_json::from_slice(body).map_err(|e| NoSession::Asked("body", e.to_string()))
}

/// Makes the session; its address.
async fn session(
    app: &Arc<App>,
    peer: std::net::SocketAddr,
    headers: &HeaderMap,
    wanted: &Wanted,
    by: OrderedBy,
) -> Result<String, NoSession> {
    let client = limit::client(peer.ip(), headers, &app.config.http.trusted_proxies);
    app.limiter.check(client).map_err(NoSession::TooOften)?;
    let rules = app.handle.rules();
    let plans = rules.revisions.newest().map_or(&[][..], |r| &r.plans);
    let plan = plans
        .iter()
        .find(|p| *p.name.as_str() == *wanted.plan)
        .ok_or(NoSession::NoPlan)?;
    let how = app
        .config
        .checkout
        .plans
        .get(&plan.name)
        .copied()
        .unwrap_or_default();
    let quantity = sensible(wanted, how)?;
    let (source, account) = seller(app).ok_or_else(|| {
        not_now(
            plan,
            "no source has an `api_key` of its own mode that may make Checkout sessions",
        )
    })?;
    let extended = match &wanted.extends {
        Some(named) => Some(extends::find(app, &source.name, named, by).await?),
        None => None,
    };
    let price = price(account, plan, wanted).await?;
    let success_url = success_url(&app.config.public_url);
    let purchase = CheckoutOrder {
        quantity,
        email: wanted.email.as_deref(),
        client_reference_id: wanted.client_reference_id.as_deref(),
        locale: locale(wanted, headers),
        extends: extended.as_ref().map(|e| e.name.as_str()),
        customer: extended
            .as_ref()
            .and_then(|e| Some(e.customer.as_ref()?.as_str())),
        ..CheckoutOrder::of(plan, &price, &app.config, &success_url)
    };
    let attempt = format!("keyward-{:032x}", rand::random::<u128>());
    match account.create_session(&purchase, &attempt).await {
        Answer::Done((_, url)) => Ok(url),
        Answer::Again { why, .. } => Err(not_now(plan, &why)),
        Answer::Refused { refusal, why } => {
            tracing::debug!(source = %source.name, ?refusal, "no Checkout session");
            Err(not_now(plan, &why))
        }
    }
}

/// The language of Stripe's page: the one that the order names, as far as Stripe writes it (it refuses any other), else the
/// browser's. The session keeps it, so that mails speak the language in which was bought.
fn locale(wanted: &Wanted, headers: &HeaderMap) -> Option<&'static str> {
    let named = wanted.locale.as_deref();
    let named = named.and_then(|tag| nearest(tag, &LOCALES));
    named.or_else(|| of_browser(headers, &LOCALES))
}

/// The source at which things are sold: the first with a key of its own mode.
fn seller(app: &App) -> Option<(&Source, &Account)> {
    let own_mode = |source: &Source, account: &Account| match (source.livemode, account.livemode())
    {
        (Livemode::Any, _) | (_, None) => true,
        (mode, Some(live)) => mode.takes(live),
    };
    app.config.sources.iter().find_map(|source| {
        let account = app.stripe.get(&source.name)?.as_ref();
        own_mode(source, account).then_some((source, account))
    })
}

/// Checks what was asked for; how many.
fn sensible(wanted: &Wanted, how: PlanCheckout) -> Result<u32, NoSession> {
    let (quantity, max) = (wanted.quantity.unwrap_or(1), how.quantity_max.unwrap_or(1));
    if quantity == 0 || quantity > max {
        return Err(NoSession::Asked("quantity", format!("from 1 to {max}")));
    }
    if wanted.email.as_ref().is_some_and(|e| !is_address(e)) {
        return Err(NoSession::Asked("email", "it is no address".to_owned()));
    }
    let reference = wanted.client_reference_id.as_ref();
    if reference.is_some_and(|r| r.is_empty() || r.chars().count() > REFERENCE_LEN_MAX) {
        let why = format!("from 1 to {REFERENCE_LEN_MAX} characters");
        return Err(NoSession::Asked("client_reference_id", why));
    }
    let tag = |t: &String| t.len() <= 8 && t.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    if wanted
        .locale
        .as_ref()
        .is_some_and(|l| l.is_empty() || !tag(l))
    {
        return Err(NoSession::Asked(
            "locale",
            "a language like `de` or `pt-BR`".to_owned(),
        ));
    }
    Ok(quantity)
}

fn is_address(text: &str) -> bool {
    text.len() <= EMAIL_LEN_MAX && text.parse::<lettre::Address>().is_ok()
}

/// The price at which a plan is bought: of several the first that is as it is wanted.
async fn price(account: &Account, plan: &Plan, wanted: &Wanted) -> Result<Price, NoSession> {
    let mut refused = None;
    let mut sold = 0;
    for answer in account.prices_of(plan).await {
        match answer {
            Answer::Done(price) if price.active => {
                sold += 1;
                if is_wanted(&price, wanted) {
                    return Ok(price);
                }
            }
            Answer::Done(price) => refused = Some(format!("the price {} is archived", price.id)),
            Answer::Again { why, .. } | Answer::Refused { why, .. } => refused = Some(why),
        }
    }
    if sold > 0 {
        return Err(NoSession::Asked(
            "price",
            "not sold at this interval or in this currency".to_owned(),
        ));
    }
    let why = refused.unwrap_or_else(|| "the plan names no price by id or lookup key".to_owned());
    Err(not_now(plan, &why))
}

fn is_wanted(price: &Price, wanted: &Wanted) -> bool {
    let interval = wanted.interval.as_deref();
    let currency = wanted.currency.as_deref();
    interval.is_none_or(|i| price.interval.as_deref().unwrap_or("once") == i)
        && currency.is_none_or(|c| price.currency.eq_ignore_ascii_case(c))
}

/// The operator is told why; the buyer only that it cannot be now.
fn not_now(plan: &Plan, why: &str) -> NoSession {
    tracing::warn!(plan.name = %plan.name, "it cannot be bought: {why}");
    NoSession::NotNow
}

impl NoSession {
    fn status(&self) -> StatusCode {
        match self {
            Self::Asked(..) => StatusCode::BAD_REQUEST,
            Self::NoPlan => StatusCode::NOT_FOUND,
            Self::NotNow => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::NotNow => Some(60),
            Self::TooOften(wait_s) => Some(*wait_s),
            Self::Asked(..) | Self::NoPlan => None,
        }
    }
}

fn page(app: &App, asked: &HeaderMap, why: &NoSession) -> Response {
    let (tone, words) = match why {
        NoSession::Asked(..) => (Tone::Bad, "buy.incomplete"),
        NoSession::NoPlan => (Tone::Bad, "buy.no_plan"),
        NoSession::NotNow => (Tone::Wait, "buy.not_now"),
        NoSession::TooOften(_) => (Tone::Wait, "too_often"),
    };
    let page = Page::message(tone, words);
    with_wait(page.respond(app, asked, why.status()), why)
}

fn problem(why: &NoSession) -> Response {
    let (error, message) = match why {
        NoSession::Asked(field, why) => (*field, why.clone()),
        NoSession::NoPlan => ("plan", "there is no such plan".to_owned()),
        NoSession::NotNow => ("unavailable", "it cannot be bought just now".to_owned()),
        NoSession::TooOften(_) => ("too_often", "asked for too often".to_owned()),
    };
    let body = Json(json!({ "error": error, "message": message }));
    with_wait((why.status(), body).into_response(), why)
}

fn with_wait(mut response: Response, why: &NoSession) -> Response {
    if let Some(wait_s) = why.retry_after_s() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    }
    response
}

/// Lets the vendor's own pages read the answer, and nobody else's.
pub(super) fn with_cors(app: &App, asked: &HeaderMap, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let origin = asked.get(header::ORIGIN);
    let known = |o: &&HeaderValue| {
        app.config
            .checkout
            .origins
            .iter()
            .any(|k| k.as_bytes() == o.as_bytes())
    };
    if let Some(origin) = origin.filter(known) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let methods = HeaderValue::from_static("GET, POST");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let content = HeaderValue::from_static("content-type");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, content);
    }
    response
}
