//! `/portal`: customers sign in with their e-mail address and look after their licenses. docs/portal.md is its manual.
//!
//! `sign_in` asks for an address, a code, a link; `own` shows what is somebody's and takes their wishes; `billing` leads to
//! Stripe's own pages. Who is let in: `codes` (sign-ins under way), `sessions`, `limits`, `gate` (cookie, origin, form).
//! What is shown: `view`, on pages like all others. `mailing` sends the mails, behind everybody's back.

mod billing;
mod codes;
mod digest;
mod gate;
mod limits;
mod mailing;
mod own;
pub(super) mod samples;
mod sessions;
mod sign_in;
mod view;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio_util::sync::CancellationToken;

use super::web::{Page, Tone, prefix};
use super::{App, Peer, limit, web};
use crate::domain::time::Timestamp;
use crate::effects::services::Services;
use crate::engine::Handle;
use codes::SignIns;
use digest::Keyed;
use gate::{CookieForm, PortalForm};
use limits::PortalLimits;
use mailing::Outbox;
use sessions::{PortalSession, Sessions};

/// What the portal's pages share.
pub(super) struct Portal {
    sign_ins: SignIns,
    sessions: Sessions,
    limits: PortalLimits,
    outbox: Outbox,
    /// One wish at a time: between the look at what was granted and the decision nobody else decides.
    wishes: tokio::sync::Mutex<()>,
    cookie: CookieForm,
    origin: String,
}

impl Portal {
    /// Begins to serve it, until the stop token.
    pub(super) fn start(
        handle: Handle,
        services: Arc<Services>,
        public_url: &str,
        stop: CancellationToken,
    ) -> Self {
        let keyed = Keyed::new();
        Self {
            sign_ins: SignIns::new(keyed.clone()),
            sessions: Sessions::new(keyed),
            limits: PortalLimits::new(),
            outbox: Outbox::start(handle, services, stop),
            wishes: tokio::sync::Mutex::default(),
            cookie: CookieForm::of(public_url),
            origin: gate::origin(public_url),
        }
    }
}

impl Portal {
    /// Ends every session of an address, and the sign-ins that are under way for it.
    pub(super) fn sign_out(&self, address: &str) {
        self.sessions.close_all(address);
        self.sign_ins.forget(address);
    }
}

/// Its routes, below `/portal`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(own::licenses).post(sign_in::ask))
        .route("/code", post(sign_in::code))
        .route("/link/{link}", get(sign_in::opened))
        .route("/link", post(sign_in::link))
        .route("/key", post(own::key))
        .route("/resend", post(own::resend))
        .route("/forget", post(own::forget))
        .route("/rekey", post(own::rekey))
        .route("/billing", post(billing::visit))
        .route("/sign-out", post(own::sign_out))
        .route("/sign-out-everywhere", post(own::sign_out_everywhere))
}

/// Where Stripe's own pages are: forms of ours may lead there.
const STRIPE: &str = "https://billing.stripe.com";

/// The way on from a page.
#[derive(serde::Serialize)]
struct On<'a> {
    url: &'a str,
    /// What is written on it.
    label: &'static str,
}

/// The parts of a request, as axum hands them over.
type RequestParts = (State<Arc<App>>, Extension<Peer>, HeaderMap);

/// A request to the portal, as far as it is known whose it is.
struct Visit {
    app: Arc<App>,
    portal: Arc<Portal>,
    visitor: IpAddr,
    session: Option<PortalSession>,
    headers: HeaderMap,
    now: Timestamp,
}

/// A form of somebody who is signed in.
struct OwnForm {
    visit: Visit,
    session: PortalSession,
    form: PortalForm,
}

impl Visit {
    /// Where there is no portal, there is no page.
    async fn of((State(app), Extension(peer), headers): RequestParts) -> Result<Self, Response> {
        let Some(portal) = app.portal.clone() else {
            return Err(web::not_found(State(app), headers).await);
        };
        let now = app.handle.clock().now();
        let token = portal.cookie.get(&headers);
        let visit = Self {
            visitor: limit::client(peer.0.ip(), &headers, &app.config.http.trusted_proxies),
            session: token.and_then(|t| portal.sessions.of(t.reveal(), now)),
            app,
            portal,
            headers,
            now,
        };
        match visit.app.limiter.check(visit.visitor) {
            Ok(()) => Ok(visit),
            Err(wait_s) => Err(visit.too_often(wait_s)),
        }
    }

    /// Reads a form that one of our own pages sent.
    async fn form(&self, body: Body) -> Result<PortalForm, Response> {
        if !gate::is_from_here(&self.headers, &self.portal.origin) {
            return Err(self.stale());
        }
        let form = PortalForm::read(body, self.app.config.http.body_timeout).await;
        form.ok_or_else(|| self.stale())
    }

    /// Answers with a page, in the visitor's language. To our own server a form names where it comes from, to others nothing
    /// does: without that some browsers could not say that it is ours.
    fn shows(&self, page: Page, status: StatusCode) -> Response {
        let page = page.with("portal", self.home()).leading_to(STRIPE);
        let mut response = page.respond(&self.app, &self.headers, status);
        let same_origin = HeaderValue::from_static("same-origin");
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, same_origin);
        response
    }

    /// The visitor's language.
    fn language(&self) -> String {
        self.app.site.language(None, &self.headers)
    }

    /// A page that says something, with the way back.
    fn message(&self, status: StatusCode, tone: Tone, words: &'static str) -> Response {
        let on = On {
            url: &self.home(),
            label: "portal.back",
        };
        let page = Page::of("portal_on.html", tone, words).line(format!("{words}.text"));
        self.shows(page.with("on", on), status)
    }

    fn too_often(&self, wait_s: u64) -> Response {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut response = self.message(status, Tone::Wait, "too_often");
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        response
    }

    /// A form that is not of this session, or of no page of ours.
    fn stale(&self) -> Response {
        self.message(StatusCode::FORBIDDEN, Tone::Wait, "portal.stale")
    }

    fn unavailable(&self) -> Response {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.message(status, Tone::Wait, "portal.unavailable")
    }

    /// The portal's first page, as browsers here reach it.
    fn home(&self) -> String {
        format!("{}/portal", prefix(&self.app.config.public_url))
    }

    /// On to the first page; `word` tells it what was done.
    fn go_home(&self, word: Option<&str>) -> Response {
        let home = self.home();
        let to = word.map_or_else(|| home.clone(), |word| format!("{home}?done={word}"));
        self.go(&to)
    }

    fn go(&self, to: &str) -> Response {
        let Ok(to) = HeaderValue::from_str(to) else {
            return self.unavailable();
        };
        let mut response = StatusCode::SEE_OTHER.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let no_referrer = HeaderValue::from_static("no-referrer");
        headers.insert(header::REFERRER_POLICY, no_referrer);
        headers.insert(header::LOCATION, to);
        response
    }
}

impl OwnForm {
    /// A form of a session, with that session's number in it.
    async fn of(parts: RequestParts, body: Body) -> Result<Self, Response> {
        let visit = Visit::of(parts).await?;
        let form = visit.form(body).await?;
        let Some(session) = visit.session.clone() else {
            return Err(visit.stale());
        };
        if !session.is_own_form(form.get("csrf")) {
            return Err(visit.stale());
        }
        Ok(Self {
            visit,
            session,
            form,
        })
    }
}
