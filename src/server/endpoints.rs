//! Asks Stripe each hour whether the webhook endpoint is still there and enabled: Stripe disables one that fails for days, and
//! then nobody hears of anything. What was found wrong is asked about more often, and at once where a delivery arrives: it
//! seems to be mended, and Stripe says whether it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::kept::keep_troubles;
use crate::clock::{Passed, pause};
use crate::config::Config;
use crate::domain::attention::{Attention, Concern, EndpointTrouble};
use crate::domain::id::SourceName;
use crate::domain::time::{Span, Timestamp};
use crate::effects::services::Services;
use crate::effects::stripe::{Account, Answer};
use crate::engine::Handle;
use crate::engine::record::server::{self, SeenBy, Trouble};
use crate::http::signals::{Signals, SourceSignals};

/// How often it is looked whether it is time.
const LOOK_EVERY: Span = Span::from_s(2);
/// How often Stripe is asked.
const ASK_EVERY: Span = Span::from_hours(1);
/// And while something is wrong.
const ASK_AGAIN: Span = Span::from_minutes(1);
/// And where a delivery arrived meanwhile: it may have come through another endpoint, and so may each that follows.
const ASK_HEARD: Span = Span::from_s(10);

/// What is wrong with the endpoints.
#[derive(Debug, Default)]
pub struct Endpoints(Mutex<BTreeMap<SourceName, (Timestamp, EndpointTrouble)>>);

impl Endpoints {
    /// How long after Stripe was asked it is asked again.
    fn asks_after(&self, asked: Timestamp, signals: &Signals) -> Span {
        let all = self.all();
        let heard = |source: &SourceSignals| {
            all.contains_key(&source.source) && source.rhythm().is_some_and(|r| r.last > asked)
        };
        match (all.is_empty(), signals.iter().any(heard)) {
            (true, _) => ASK_EVERY,
            (false, false) => ASK_AGAIN,
            (false, true) => ASK_HEARD,
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SourceName, (Timestamp, EndpointTrouble)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As what waits for a person.
    pub(super) fn attention(&self) -> Vec<Attention> {
        let wrong =
            |(source, (since, trouble)): (&SourceName, &(Timestamp, EndpointTrouble))| Attention {
                since: *since,
                concern: Concern::Endpoint {
                    source: source.clone(),
                    trouble: *trouble,
                },
            };
        self.all().iter().map(wrong).collect()
    }
}

/// Asks until the stop token.
pub(super) async fn run(
    handle: Handle,
    config: Arc<Config>,
    services: Arc<Services>,
    signals: Signals,
    endpoints: Arc<Endpoints>,
    stop: CancellationToken,
) {
    let mut kept = server::troubles(handle.reader(), SeenBy::Endpoint).unwrap_or_default();
    let is_known = |t: &&Trouble| config.source(&t.source).is_some();
    for known in kept.iter().filter(is_known) {
        let trouble = (known.since, EndpointTrouble::Disabled);
        endpoints.all().insert(known.source.clone(), trouble);
    }
    // By the machine's own clock: the other one may be set back by days.
    let mut asked: Option<(Timestamp, Passed)> = None;
    let is_due =
        |(at, since): &(Timestamp, Passed)| since.span() >= endpoints.asks_after(*at, &signals);
    loop {
        if asked.as_ref().is_none_or(is_due) {
            let now = handle.clock().now();
            asked = Some((now, handle.clock().measure()));
            for (source, account) in services.stripe_map() {
                let url = config.webhook_url(source);
                let asked = tokio::select! {
                    () = stop.cancelled() => return,
                    asked = ask(account, &url) => asked,
                };
                let Some(found) = asked else { continue };
                let mut all = endpoints.all();
                match found {
                    None => drop(all.remove(source)),
                    Some(trouble) => {
                        let since = all.get(source).map_or(now, |(since, _)| *since);
                        all.insert(source.clone(), (since, trouble));
                    }
                }
            }
            keep(&handle, &endpoints, &mut kept).await;
        }
        tokio::select! { () = stop.cancelled() => return, () = pause(LOOK_EVERY) => {} }
    }
}

/// Keeps what is wrong, and since when, where that is news.
async fn keep(handle: &Handle, endpoints: &Endpoints, kept: &mut Vec<Trouble>) {
    let trouble = |(source, (since, _)): (&SourceName, &(Timestamp, EndpointTrouble))| Trouble {
        source: source.clone(),
        since: *since,
        times: 1,
    };
    let wrong = endpoints.all().iter().map(trouble).collect();
    keep_troubles(handle, SeenBy::Endpoint, wrong, kept).await;
}

/// What is wrong with the endpoint; `None`: that could not be learned.
async fn ask(account: &Account, url: &str) -> Option<Option<EndpointTrouble>> {
    match account.webhook_endpoints().await {
        Answer::Done(rows) => Some(judge(&rows, url)),
        // `keyward check --online` says what the key lacks.
        Answer::Again { why, .. } | Answer::Refused { why, .. } => {
            tracing::debug!(why, "Stripe's webhook endpoints cannot be read");
            None
        }
    }
}

/// Several may post here, while a secret is rolled; one that is enabled is enough. Without any, another address may lead here,
/// or an endpoint of another account.
fn judge(rows: &[Value], url: &str) -> Option<EndpointTrouble> {
    let same = |row: &&Value| {
        let theirs = row["url"].as_str().unwrap_or_default();
        theirs.trim_end_matches('/') == url.trim_end_matches('/')
    };
    let mut ours = rows.iter().filter(same).peekable();
    ours.peek()?;
    let enabled = |row: &Value| row["status"] != "disabled";
    (!ours.any(enabled)).then_some(EndpointTrouble::Disabled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_endpoint_is_wrong_when_all_that_post_here_are_disabled() {
        let url = "https://buy.example.com/webhooks/stripe";
        let row = |url: &str, status: &str| json!({ "url": url, "status": status });
        let ours = |status| row(url, status);
        assert_eq!(judge(&[], url), None);
        assert_eq!(
            judge(&[row("https://other.example", "disabled")], url),
            None
        );
        assert_eq!(judge(&[ours("enabled")], url), None);
        let disabled = Some(EndpointTrouble::Disabled);
        assert_eq!(judge(&[ours("disabled")], url), disabled);
        assert_eq!(judge(&[ours("disabled"), ours("enabled")], url), None);
    }
}
