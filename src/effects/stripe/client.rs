//! The way to Stripe and back. Nothing that is told to people or logs holds the key.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url, redirect};
use serde_json::Value;

use super::answer::{Answer, Hints, meaning};
use crate::domain::id::AccountId;
use crate::domain::time::Span;
use crate::effects::causes::causes;
use crate::effects::far_words::{Hidden, told};
use crate::effects::license::answer::retry_after;
use crate::effects::tls;
use crate::secret::Secret;

/// The version in which Stripe answers, whatever the account's own is. Links between payments and invoices need basil
/// (2025-03-31) or later; answers of every version can be read.
pub const STRIPE_VERSION: &str = "2026-03-25.dahlia";
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(20);

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotAsk {
    /// The address.
    #[error("`{0}` is no address of an API")]
    Base(String),
    #[error("the API key is empty or holds what no header may hold")]
    Key,
    /// The connections.
    #[error("no HTTPS client: {0}")]
    Http(reqwest::Error),
}

/// Reads objects from Stripe's API.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Secret,
    body_bytes_max: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`CannotAsk`].
    pub fn new(
        base: &str,
        key: &Secret,
        timeout: Span,
        body_bytes_max: usize,
    ) -> Result<Self, CannotAsk> {
        tls::install();
        let url = Url::parse(base.trim_end_matches('/')).ok();
        let base = url
            .filter(|u| !u.cannot_be_a_base())
            .ok_or_else(|| CannotAsk::Base(base.to_owned()))?;
        if key.reveal().is_empty() {
            return Err(CannotAsk::Key);
        }
        let bearer = HeaderValue::from_str(&format!("Bearer {}", key.reveal()));
        let mut bearer = bearer.map_err(|_| CannotAsk::Key)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("Stripe-Version", HeaderValue::from_static(STRIPE_VERSION));
        let http = reqwest::Client::builder()
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .tls_certs_merge(tls::mozilla_roots())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout.to_std())
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|e| CannotAsk::Http(e.without_url()))?;
        Ok(Self {
            http,
            base,
            key: key.clone(),
            body_bytes_max,
        })
    }

    /// Reads one object or page. `path` is what follows `/v1`, part by part; `account` is the connected account that is
    /// meant.
    pub async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        account: Option<&AccountId>,
    ) -> Answer<Value> {
        let mut url = self.base.clone();
        // The base was checked to be one that can have a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url.query_pairs_mut().extend_pairs(query);
        let mut request = self.http.get(url);
        if let Some(account) = account {
            request = request.header("Stripe-Account", account.as_str());
        }
        self.sent(request).await
    }

    /// Makes or changes an object. The same attempt, sent again, does nothing twice: Stripe keeps it for a day at least.
    pub async fn post(
        &self,
        path: &[&str],
        form: &[(String, String)],
        attempt: &str,
    ) -> Answer<Value> {
        let mut url = self.base.clone();
        // The base was checked to be one that can have a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        let body = reqwest::Url::parse_with_params("form:/", form)
            .ok()
            .and_then(|url| url.query().map(str::to_owned))
            .unwrap_or_default();
        let request = self.http.post(url).header("Idempotency-Key", attempt);
        let form = "application/x-www-form-urlencoded";
        self.sent(request.header(CONTENT_TYPE, form).body(body))
            .await
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> Answer<Value> {
        let lost = |why: String| Answer::Again {
            after: None,
            limited: false,
            why: self.scrubbed(&why),
        };
        match request.send().await {
            Ok(response) => self.read_response(response).await,
            Err(e) if e.is_timeout() => lost("no answer in time".to_owned()),
            Err(e) => lost(format!("no answer: {}", causes(e))),
        }
    }

    async fn read_response(&self, mut response: Response) -> Answer<Value> {
        let status = response.status().as_u16();
        let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let hints = Hints {
            retry_after: text(RETRY_AFTER.as_str())
                .and_then(|value| retry_after(value, text(DATE.as_str()))),
            should_retry: text("Stripe-Should-Retry").and_then(|value| value.parse().ok()),
        };
        let request_id = text("Request-Id").map_or(String::new(), |id| {
            format!(" (Request-Id {})", told(id, 80))
        });
        let mut body = Vec::new();
        // A body that breaks off is judged as far as it came.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > self.body_bytes_max {
                let why = format!("an answer of more than {} bytes", self.body_bytes_max);
                return Answer::Again {
                    after: None,
                    limited: false,
                    why,
                };
            }
        }
        match meaning(status, &body, hints) {
            Answer::Again {
                after,
                limited,
                why,
            } => Answer::Again {
                after,
                limited,
                why: self.scrubbed(&why) + &request_id,
            },
            Answer::Refused { refusal, why } => Answer::Refused {
                refusal,
                why: self.scrubbed(&why) + &request_id,
            },
            done @ Answer::Done(_) => done,
        }
    }

    /// Whether the key is one of live mode; `None`: it does not say.
    #[must_use]
    pub fn livemode(&self) -> Option<bool> {
        let key = self.key.reveal();
        match key.split('_').nth(1) {
            Some("live") => Some(true),
            Some("test") => Some(false),
            Some(_) | None => None,
        }
    }

    fn scrubbed(&self, text: &str) -> String {
        Hidden::new([self.key.reveal()]).hide(text)
    }
}
