//! The calls of the license API.
//!
//! Each call is one request, sent at once and never repeated by itself: when to call, how often and how many at a time
//! is the caller's business. Only what [`Abilities`] leave open is looked at with a second request, a read.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reqwest::{Method, Request};

use super::send::{Sender, cannot, no_effect};
use super::stop::SuspendBy;
use super::wire::{self, LicensePage, LicenseUpdate};
use super::{Abilities, Answer, License, NewLicense, Refusal, RefusalKind, Status};
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::service::NOT_SHOWN;
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// Where a license service is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The base address, such as `https://api.authforge.cc/v1/`.
    pub api_base: String,
    /// The API key, sent as a bearer token.
    pub api_key: Secret,
    /// How long a whole request may take. At least 30 s for AuthForge, so that most slow creates answer in time.
    pub request_timeout: Span,
    /// How long making a connection may take.
    pub connect_timeout: Span,
    /// How many requests the caller runs at once: so many connections are kept warm.
    pub in_flight: usize,
    /// What the service can do.
    pub abilities: Abilities,
    /// How a license is stopped before its end.
    pub suspend: SuspendBy,
}

impl ClientConfig {
    /// The documented defaults for a service at an address: 35 s a request, 5 s to connect, 8 at a time, and the
    /// abilities that AuthForge's documentation promises.
    #[must_use]
    pub fn new(api_base: impl Into<String>, api_key: Secret) -> Self {
        Self {
            api_base: api_base.into(),
            api_key,
            request_timeout: Span::from_s(35),
            connect_timeout: Span::from_s(5),
            in_flight: 8,
            abilities: Abilities::authforge(),
            suspend: SuspendBy::Shorten,
        }
    }

    /// The same for the service inside this binary.
    #[must_use]
    pub fn embedded(api_base: impl Into<String>, token: Secret) -> Self {
        Self {
            abilities: Abilities::embedded(),
            suspend: SuspendBy::Native,
            ..Self::new(api_base, token)
        }
    }
}

/// Why there is no client: the configuration is wrong, or the system cannot do TLS.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base address cannot be used.
    #[error("the license service's address `{0}` is not an http(s) address")]
    Base(String),
    /// The API key holds what no HTTP header can carry.
    #[error(
        "the license service's API key holds characters that cannot be sent: was it copied whole?"
    )]
    Key,
    /// The HTTP client could not be built.
    #[error("no HTTP client: {0}")]
    Http(#[source] reqwest::Error),
}

/// A client of one license service. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Client(pub(super) Arc<Inner>);

pub(super) struct Inner {
    sender: Sender,
    abilities: Abilities,
    suspend: SuspendBy,
    /// It refused to take an end away, and took a far one.
    pub(super) keeps_ends: AtomicBool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("licenses", &self.0.sender.licenses().as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the address or the API key cannot be used, or TLS cannot be set up.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let sender = Sender::new(&config)?;
        Ok(Self(Arc::new(Inner {
            sender,
            abilities: config.abilities,
            suspend: config.suspend,
            keeps_ends: AtomicBool::new(false),
        })))
    }

    /// What the service can do.
    #[must_use]
    pub fn abilities(&self) -> &Abilities {
        &self.0.abilities
    }

    /// How a license is stopped before its end.
    #[must_use]
    pub fn suspend_by(&self) -> SuspendBy {
        self.0.suspend
    }

    pub(super) async fn make(&self, new: &NewLicense, key: Option<&LicenseKey>) -> Answer<License> {
        if let Some(refusal) = self.too_many(new.devices) {
            return Answer::Refused(refusal);
        }
        let request = Sender::request(
            Method::POST,
            self.0.sender.licenses().clone(),
            wire::create(new, key),
        );
        self.0.sender.send(request, None, wire::created).await
    }

    /// Reads one license with all its details.
    pub async fn get(&self, key: &LicenseKey) -> Answer<License> {
        let read = |body: &[u8]| wire::license(body).filter(|license| license.key == *key);
        self.get_as(key, read).await
    }

    /// Reads one license as somebody understands it.
    pub(super) async fn get_as<T>(
        &self,
        key: &LicenseKey,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        match self.0.sender.url_of(key) {
            Ok(url) => {
                self.0
                    .sender
                    .send(Ok(Request::new(Method::GET, url)), Some(key), read)
                    .await
            }
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    /// Reads one page of an application's licenses, the first without a cursor.
    pub async fn list(&self, app: &AppId, cursor: Option<&str>) -> Answer<LicensePage> {
        self.page(app, wire::PAGE_MAX, cursor, None).await
    }

    /// Reads one page of an application's licenses with a label; only for a service that
    /// [`finds_by_label`](Abilities::finds_by_label).
    pub async fn list_labelled(
        &self,
        app: &AppId,
        label: &str,
        cursor: Option<&str>,
    ) -> Answer<LicensePage> {
        self.page(app, wire::PAGE_MAX, cursor, Some(label)).await
    }

    /// Whether the service answers for an application at all. Where it does, a 404 for one key means that the license
    /// is gone; where this too is a 404, the base address is wrong.
    pub async fn reachable(&self, app: &AppId) -> Answer<()> {
        self.page(app, 1, None, None).await.map(|_| ())
    }

    /// Sets a license's end; `None` is for life, in the way that the service takes. Confirmed by what it shows afterwards.
    pub async fn set_expiry(&self, key: &LicenseKey, to: Option<Timestamp>) -> Answer<License> {
        if to.is_none() {
            return self.set_for_life(key).await;
        }
        self.update(key, LicenseUpdate::Extend(to), |l| l.expires_at.shows(to))
            .await
    }

    /// Sets a license's end to an earlier instant. That the service can is assumed, not documented, so it counts only
    /// when a read shows it, whatever the answer to the change said. Without effect it comes back as a refusal, kind
    /// [`NoEffect`](RefusalKind::NoEffect) or [`BadRequest`](RefusalKind::BadRequest): nothing changed.
    pub async fn shorten(&self, key: &LicenseKey, to: Timestamp) -> Answer<License> {
        if !self.0.abilities.can_shorten {
            return cannot("move an end to an earlier instant");
        }
        match self.set_expiry(key, Some(to)).await {
            Answer::Done(_) => {
                self.confirm(key, |l| l.expires_at.shows(Some(to)), None)
                    .await
            }
            other @ (Answer::Again { .. }
            | Answer::NotSent { .. }
            | Answer::Unknown { .. }
            | Answer::Refused(_)) => other,
        }
    }

    /// Ends a license for good.
    pub async fn revoke(&self, key: &LicenseKey) -> Answer<License> {
        self.update(key, LicenseUpdate::Revoke, |l| l.status == Status::Revoked)
            .await
    }

    /// Undoes a native suspension or a revocation, where the service can. [`Client::reinstate`] is the
    /// whole way back, whatever the way of stopping was.
    pub async fn activate(&self, key: &LicenseKey) -> Answer<License> {
        if !(self.0.abilities.native_suspend || self.0.abilities.revoke_reversible) {
            return cannot("make a stopped license active again");
        }
        self.update(key, LicenseUpdate::Activate, |l| l.status == Status::Active)
            .await
    }

    /// Suspends natively, where the service can; [`Client::suspend`] chooses the way.
    pub(super) async fn suspend_natively(&self, key: &LicenseKey) -> Answer<License> {
        if !self.0.abilities.native_suspend {
            return cannot("suspend a license");
        }
        self.update(key, LicenseUpdate::Suspend, |l| {
            l.status == Status::Suspended
        })
        .await
    }

    /// An absolute change: sent, then confirmed by its answer, or by a read where that does not show it. A 400 is
    /// also looked at, for a service may refuse what is so already.
    pub(super) async fn update(
        &self,
        key: &LicenseKey,
        act: LicenseUpdate<'_>,
        shows: impl Fn(&License) -> bool,
    ) -> Answer<License> {
        let refused = match self
            .put(key, act, |body| Some(wire::license(body)))
            .await
            .confirmed()
        {
            Ok(Some(license)) if is_whole(&license, key) && shows(&license) => {
                return Answer::Done(license);
            }
            Ok(_) => None,
            Err(Answer::Refused(refusal)) if refusal.kind == RefusalKind::BadRequest => {
                Some(refusal)
            }
            Err(other) => return other,
        };
        self.confirm(key, shows, refused).await
    }

    /// Reads whether a change came about that was accepted, or `refused`.
    async fn confirm(
        &self,
        key: &LicenseKey,
        shows: impl Fn(&License) -> bool,
        refused: Option<Refusal>,
    ) -> Answer<License> {
        match (self.get(key).await.confirmed(), refused) {
            (Ok(license), _) if shows(&license) => Answer::Done(license),
            (_, Some(refusal)) => Answer::Refused(refusal),
            (Ok(_), None) => no_effect(NOT_SHOWN.into()),
            (Err(unread), None) => unconfirmed(unread),
        }
    }

    pub(super) async fn put<T>(
        &self,
        key: &LicenseKey,
        act: LicenseUpdate<'_>,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        match self.0.sender.url_of(key) {
            Ok(url) => {
                self.0
                    .sender
                    .send(
                        Sender::request(Method::PUT, url, wire::update(act)),
                        Some(key),
                        read,
                    )
                    .await
            }
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    async fn page(
        &self,
        app: &AppId,
        limit: usize,
        cursor: Option<&str>,
        label: Option<&str>,
    ) -> Answer<LicensePage> {
        let read = |body: &[u8]| wire::page(body, limit);
        self.page_as(app, limit, (cursor, label), read).await
    }

    pub(super) async fn page_as<T>(
        &self,
        app: &AppId,
        limit: usize,
        (cursor, label): (Option<&str>, Option<&str>),
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        let mut url = self.0.sender.licenses().clone();
        url.query_pairs_mut()
            .append_pair("appId", app.as_str())
            .append_pair("limit", &limit.to_string())
            .extend_pairs(label.map(|label| ("label", label)))
            .extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        self.0
            .sender
            .send(Ok(Request::new(Method::GET, url)), None, read)
            .await
    }
}

/// Whether an update's answer tells enough of the right license to spare the read.
fn is_whole(license: &License, key: &LicenseKey) -> bool {
    license.key == *key && license.status != Status::Other(String::new())
}

/// An accepted change whose confirmation could not be read: it is absolute, so it may be sent again.
fn unconfirmed(unread: Answer<License>) -> Answer<License> {
    let (after, why) = match unread {
        Answer::Again { after, why } | Answer::Unknown { after, why } => (after, why),
        Answer::NotSent { why } => (None, why),
        Answer::Refused(refusal) => (None, refusal.to_string()),
        Answer::Done(license) => return Answer::Done(license),
    };
    Answer::Unknown {
        after,
        why: format!("accepted, but not confirmed: {why}"),
    }
}
