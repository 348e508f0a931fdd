//! Asks Stripe each hour whether the webhook endpoint is still there and enabled: Stripe disables one that fails for days, a
//! person may delete it or change its address, and then nobody hears of anything. What was found wrong is asked about more often, and at once where a delivery arrives: it
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
use crate::engine::input::Input;
use crate::engine::record;
use crate::engine::record::endpoints::SeenEndpoint;
use crate::engine::record::server::{self, SeenBy, ServerRecord, Trouble};
use crate::http::signals::{Signals, SourceSignals};

/// How often it is looked whether it is time.
const CHECK_EVERY: Span = Span::from_s(2);
/// How often Stripe is asked.
const ASK_EVERY: Span = Span::from_hours(1);
/// And while something is wrong.
const ASK_AGAIN: Span = Span::from_minutes(1);
/// And where a delivery arrived meanwhile: it may have come through another endpoint, and so may each that follows.
const ASK_HEARD: Span = Span::from_s(10);
/// What an endpoint that is gone had sent has arrived after so long.
const UNDER_WAY: Span = Span::from_minutes(10);

/// What is wrong with the endpoints.
#[derive(Debug, Default)]
pub struct Endpoints(Mutex<BTreeMap<SourceName, (Timestamp, EndpointTrouble)>>);

impl Endpoints {
    /// What Stripe says of a source's endpoint.
    fn note(&self, source: &SourceName, trouble: Option<EndpointTrouble>, now: Timestamp) {
        let mut all = self.all();
        match trouble {
            None => drop(all.remove(source)),
            Some(trouble) => {
                let since = all.get(source).map_or(now, |(since, _)| *since);
                all.insert(source.clone(), (since, trouble));
            }
        }
    }

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
    let mut known = KnownEndpoints::read(&handle);
    known.begin(&config, &endpoints);
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
                let rows = tokio::select! {
                    () = stop.cancelled() => return,
                    rows = ask(account) => rows,
                };
                let Some(rows) = rows else { continue };
                let found = judge(&rows, &url);
                known.note(source, &url, found);
                let leads_here = || hears(&signals, &endpoints, source);
                let trouble = known.trouble(source, &url, found, leads_here);
                endpoints.note(source, trouble, now);
            }
            known.keep(&handle, &endpoints).await;
        }
        tokio::select! { () = stop.cancelled() => return, () = pause(CHECK_EVERY) => {} }
    }
}

/// Whether deliveries came for a while after the endpoint was found gone: another address leads here, and what was under way
/// when it went has arrived long since.
fn hears(signals: &Signals, endpoints: &Endpoints, source: &SourceName) -> bool {
    let gone = endpoints.all().get(source).copied();
    let since = gone.filter(|(_, trouble)| *trouble == EndpointTrouble::Gone);
    let rhythm = signals.iter().find(|s| s.source == *source);
    let last = rhythm.and_then(SourceSignals::rhythm).map(|r| r.last);
    since.is_some_and(|(since, _)| last.is_some_and(|last| last >= since + UNDER_WAY))
}

/// What is kept of the endpoints for the next start, as the store has it.
struct KnownEndpoints {
    disabled: Vec<Trouble>,
    gone: Vec<Trouble>,
    /// Those that posted here, and what of that is in the store.
    seen: Vec<SeenEndpoint>,
    stored: Vec<SeenEndpoint>,
}

impl KnownEndpoints {
    fn read(handle: &Handle) -> Self {
        let troubles = |by| server::troubles(handle.reader(), by).unwrap_or_default();
        let seen = record::endpoints::seen(handle.reader()).unwrap_or_default();
        Self {
            disabled: troubles(SeenBy::Endpoint),
            gone: troubles(SeenBy::NoEndpoint),
            stored: seen.clone(),
            seen,
        }
    }

    /// What was wrong before this start still is, until Stripe says otherwise.
    fn begin(&self, config: &Config, endpoints: &Endpoints) {
        let disabled = self.disabled.iter().map(|t| (t, EndpointTrouble::Disabled));
        let gone = self.gone.iter().map(|t| (t, EndpointTrouble::Gone));
        for (known, trouble) in disabled.chain(gone) {
            if config.source(&known.source).is_some() {
                endpoints.note(&known.source, Some(trouble), known.since);
            }
        }
    }

    fn has_seen(&self, source: &SourceName, url: &str) -> bool {
        let is = |e: &SeenEndpoint| e.source == *source && same_address(&e.url, url);
        self.seen.iter().any(is)
    }

    /// Remembers one that posts to our address.
    fn note(&mut self, source: &SourceName, url: &str, found: OurEndpoint) {
        if found != OurEndpoint::None && !self.has_seen(source, url) {
            self.forget(source);
            self.seen.push(SeenEndpoint {
                source: source.clone(),
                url: url.to_owned(),
            });
        }
    }

    fn forget(&mut self, source: &SourceName) {
        self.seen.retain(|e| e.source != *source);
    }

    /// What is wrong. Of an address to which none ever posted nothing is: another one may lead here, or an endpoint of another
    /// account, and `keyward check --online` tells of one that is misspelled.
    fn trouble(
        &mut self,
        source: &SourceName,
        url: &str,
        found: OurEndpoint,
        leads_here: impl Fn() -> bool,
    ) -> Option<EndpointTrouble> {
        match found {
            OurEndpoint::Enabled => None,
            OurEndpoint::Disabled => Some(EndpointTrouble::Disabled),
            OurEndpoint::None if !self.has_seen(source, url) => None,
            OurEndpoint::None if leads_here() => {
                self.forget(source);
                None
            }
            OurEndpoint::None => Some(EndpointTrouble::Gone),
        }
    }

    /// Keeps what is wrong, and since when, and what was seen, where that is news.
    async fn keep(&mut self, handle: &Handle, endpoints: &Endpoints) {
        let of = |which| {
            let all = endpoints.all();
            let trouble = |(source, (since, _)): (&SourceName, &(Timestamp, _))| Trouble {
                source: source.clone(),
                since: *since,
                times: 1,
            };
            let wrong = all.iter().filter(|(_, (_, trouble))| *trouble == which);
            wrong.map(trouble).collect::<Vec<_>>()
        };
        let (disabled, gone) = (of(EndpointTrouble::Disabled), of(EndpointTrouble::Gone));
        keep_troubles(handle, SeenBy::Endpoint, disabled, &mut self.disabled).await;
        keep_troubles(handle, SeenBy::NoEndpoint, gone, &mut self.gone).await;
        if self.seen != self.stored {
            let record = ServerRecord::SeenEndpoints(self.seen.clone());
            if handle.submit_waiting(Input::Keep(record)).await.is_ok() {
                self.stored.clone_from(&self.seen);
            }
        }
    }
}

/// The endpoints; `None`: that could not be learned.
async fn ask(account: &Account) -> Option<Vec<Value>> {
    match account.webhook_endpoints().await {
        Answer::Done(rows) => Some(rows),
        // `keyward check --online` says what the key lacks.
        Answer::Again { why, .. } | Answer::Refused { why, .. } => {
            tracing::debug!(why, "Stripe's webhook endpoints cannot be read");
            None
        }
    }
}

/// What of the endpoints posts to our address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OurEndpoint {
    None,
    Disabled,
    Enabled,
}

/// Several may post here, while a secret is rolled; one that is enabled is enough.
fn judge(rows: &[Value], url: &str) -> OurEndpoint {
    let same = |row: &&Value| same_address(row["url"].as_str().unwrap_or_default(), url);
    let mut ours = rows.iter().filter(same).peekable();
    let enabled = |row: &Value| row["status"] != "disabled";
    match (ours.peek().is_some(), ours.any(enabled)) {
        (false, _) => OurEndpoint::None,
        (true, false) => OurEndpoint::Disabled,
        (true, true) => OurEndpoint::Enabled,
    }
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
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
        assert_eq!(judge(&[], url), OurEndpoint::None);
        let other = row("https://other.example", "disabled");
        assert_eq!(judge(&[other], url), OurEndpoint::None);
        assert_eq!(judge(&[ours("enabled")], url), OurEndpoint::Enabled);
        assert_eq!(judge(&[ours("disabled")], url), OurEndpoint::Disabled);
        let both = [ours("disabled"), ours("enabled")];
        assert_eq!(judge(&both, url), OurEndpoint::Enabled);
    }

    #[test]
    fn one_that_never_was_there_is_not_gone() {
        let (source, url) = (SourceName::from("stripe"), "https://buy.example.com/hook");
        let mut known = KnownEndpoints {
            disabled: Vec::new(),
            gone: Vec::new(),
            seen: Vec::new(),
            stored: Vec::new(),
        };
        let silent = || false;
        assert_eq!(known.trouble(&source, url, OurEndpoint::None, silent), None);
        known.note(&source, url, OurEndpoint::Disabled);
        let gone = Some(EndpointTrouble::Gone);
        assert_eq!(known.trouble(&source, url, OurEndpoint::None, silent), gone);
        let moved = "https://shop.example.com/hook";
        assert_eq!(
            known.trouble(&source, moved, OurEndpoint::None, silent),
            None
        );
        assert_eq!(
            known.trouble(&source, url, OurEndpoint::Enabled, silent),
            None
        );
        let leads_here = || true;
        assert_eq!(
            known.trouble(&source, url, OurEndpoint::None, leads_here),
            None
        );
        let later = known.trouble(&source, url, OurEndpoint::None, silent);
        assert_eq!(later, None, "another address leads here");
    }
}
