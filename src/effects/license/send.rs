//! The way to the service and back: one pooled connection set, whatever comes back, or does not, as an [`Answer`].
//! Nothing that is told to people or logs holds a key.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Request, Response, Url, redirect};

use super::answer::{meaning, retry_after};
use super::{Answer, ClientConfig, ClientError, Refusal, RefusalKind};
use crate::domain::id::LicenseKey;
use crate::effects::causes::causes;
use crate::effects::far_words::{Hidden, told};
use crate::effects::tls;
use crate::secret::Secret;

/// The most of an answer that is read, in bytes: a full page of 200 licenses is under 100 KB.
const BODY_MAX: usize = 1024 * 1024;
/// How long an idle connection is kept: shorter than the minute after which gateways close theirs, for a request sent
/// into a connection that is just being closed has an unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

/// The connections to one service, its prepared address and our secret.
pub(super) struct Sender {
    http: reqwest::Client,
    licenses: Url,
    api_key: Secret,
}

impl Sender {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        tls::install();
        let licenses =
            list_url(&config.api_base).ok_or_else(|| ClientError::Base(config.api_base.clone()))?;
        if config.api_key.reveal().is_empty() {
            return Err(ClientError::Key);
        }
        let bearer = format!("Bearer {}", config.api_key.reveal());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| ClientError::Key)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let http = reqwest::Client::builder()
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .tls_certs_merge(tls::mozilla_roots())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .timeout(config.request_timeout.to_std())
            .connect_timeout(config.connect_timeout.to_std())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(config.in_flight)
            .build()
            .map_err(|e| ClientError::Http(e.without_url()))?;
        Ok(Self {
            http,
            licenses,
            api_key: config.api_key.clone(),
        })
    }

    /// The address of the list, which is also where licenses are made.
    pub(super) const fn licenses(&self) -> &Url {
        &self.licenses
    }

    pub(super) fn request(
        method: Method,
        url: Url,
        body: serde_json::Result<Vec<u8>>,
    ) -> serde_json::Result<Request> {
        let mut request = Request::new(method, url);
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body?.into());
        Ok(request)
    }

    /// The address of one license; the key is opaque, so whatever is in it is encoded.
    pub(super) fn url_of(&self, key: &LicenseKey) -> Result<Url, Refusal> {
        let mut url = self.licenses.clone();
        // A path cannot carry these: they would name the list, or what is above it.
        if matches!(key.reveal(), "" | "." | "..") {
            return Err(unsent(
                RefusalKind::BadRequest,
                "this is not a license key".into(),
            ));
        }
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.push(key.reveal())),
            Err(()) => {
                return Err(unsent(
                    RefusalKind::Other,
                    "the base address cannot have a path".into(),
                ));
            }
        }
        Ok(url)
    }

    /// Sends one request once, and reads the answer with `read`. `key`: whose license it is about.
    pub(super) async fn send<T>(
        &self,
        request: serde_json::Result<Request>,
        key: Option<&LicenseKey>,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        let request = match request {
            Ok(request) => request,
            Err(e) => {
                return Answer::NotSent {
                    why: format!("the request could not be written: {e}"),
                };
            }
        };
        let answer = match self.http.execute(request).await {
            Ok(response) => read_response(response, read).await,
            Err(e) if e.is_connect() || e.is_builder() => Answer::NotSent { why: causes(e) },
            Err(e) if e.is_timeout() => Answer::Unknown {
                after: None,
                why: "no answer in time".into(),
            },
            Err(e) => Answer::Unknown {
                after: None,
                why: causes(e),
            },
        };
        self.scrub(answer, key)
    }

    /// Takes the keys out of what a person or a log will read, should the service have repeated them.
    fn scrub<T>(&self, answer: Answer<T>, key: Option<&LicenseKey>) -> Answer<T> {
        let hidden = Hidden::new([self.api_key.reveal()]);
        let clean = |text: String| {
            let text = hidden.hide(&text);
            key.map_or_else(
                || text.clone(),
                |key| text.replace(key.reveal(), &format!("{key:?}")),
            )
        };
        answer.reworded(clean)
    }
}

fn list_url(api_base: &str) -> Option<Url> {
    let base = Url::parse(api_base.trim_end_matches('/')).ok()?;
    let usable = matches!(base.scheme(), "http" | "https") && base.password().is_none();
    let list = format!("{}/licenses", base.as_str().trim_end_matches('/'));
    Url::parse(&list).ok().filter(|_| usable)
}

/// Reads an answer up to the cap, with the words that help the service's support find the request.
async fn read_response<T>(
    mut response: Response,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Answer<T> {
    let status = response.status().as_u16();
    let text = |name| {
        response
            .headers()
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    let after = text(RETRY_AFTER).and_then(|value| retry_after(value, text(DATE)));
    let mut body = Vec::new();
    // A body that breaks off is judged as far as it came: the status has been heard, and half a JSON is unreadable.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = BODY_MAX - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() == BODY_MAX {
            break;
        }
    }
    let id = request_id(response.headers());
    meaning(status, &body, after, read).reworded(|words| words + &id)
}

fn request_id(headers: &HeaderMap) -> String {
    let id = headers
        .iter()
        .find(|(name, _)| name.as_str().contains("request-id"));
    let id =
        id.and_then(|(name, value)| Some(format!(" ({name} {})", told(value.to_str().ok()?, 80))));
    id.unwrap_or_default()
}

pub(super) const fn unsent(kind: RefusalKind, message: String) -> Refusal {
    Refusal {
        kind,
        status: 0,
        code: String::new(),
        message,
    }
}

/// A change that was accepted and did not come about.
pub(super) fn no_effect<T>(message: String) -> Answer<T> {
    Answer::Refused(Refusal {
        kind: RefusalKind::NoEffect,
        status: 200,
        code: String::new(),
        message,
    })
}

/// What this service cannot do is not asked of it.
pub(super) fn cannot<T>(what: &str) -> Answer<T> {
    Answer::Refused(unsent(
        RefusalKind::CannotDo,
        format!("this license service cannot {what}"),
    ))
}
