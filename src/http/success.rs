//! `GET /success?session_id=cs_…`: where the customer lands after paying. The session id is the secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::web::{Page, Refresh};
use super::{App, Peer, limit, metrics, status_text};
use crate::config::{Mail, Transport};
use crate::domain::id::Scope;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::engine::read::view;
use crate::engine::record::RecordError;

/// A Checkout session's id has 66 characters or so (and 255 at most); anything much shorter could be guessed.
const ID_LEN: std::ops::RangeInclusive<usize> = 20..=255;
/// When a waiting page looks again, try by try; after the last it looks no more.
const LOOK_AGAIN_S: [u32; 24] = [
    5, 5, 5, 5, 5, 5, 10, 10, 10, 15, 15, 20, 30, 30, 30, 60, 60, 60, 120, 120, 300, 300, 600, 600,
];

/// The customer's page.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Response {
    if let Err(wait_s) = app.limiter.check(limit::client(
        peer.ip(),
        &headers,
        &app.config.http.trusted_proxies,
    )) {
        return too_often(&app, wait_s);
    }
    let query = query.map(|q| q.0).unwrap_or_default();
    let Some(session) = query.get("session_id").filter(|id| well_formed(id)) else {
        let lines = [
            "The address does not hold the number of a purchase.",
            "Please use the link that you were sent to after paying.",
        ];
        metrics::page_said("malformed");
        return Page::plain("bad", "This link is not complete", &lines)
            .respond(&app, StatusCode::BAD_REQUEST);
    };
    let found = {
        let (app, session) = (Arc::clone(&app), session.clone());
        tokio::task::spawn_blocking(move || find(&app, &session)).await
    };
    let Ok(Ok(machine)) = found else {
        tracing::error!(found = ?found.map(|f| f.map(|m| m.map(|m| m.id))), "a purchase could not be read for its page");
        let lines = ["Your purchase cannot be shown just now. Please come back in a few minutes."];
        metrics::page_said("error");
        return Page::plain("wait", "One moment, please", &lines)
            .respond(&app, StatusCode::SERVICE_UNAVAILABLE);
    };
    let now = app.handle.clock().now();
    let asked = RefreshState::of(&query, now);
    let said = match &machine {
        Some(machine) => status_text::of(
            machine,
            &app.handle.rules(),
            now,
            (
                mails(app.config.mail_of(&machine.source)),
                app.config.alert.reaches_somebody(),
            ),
        ),
        None => status_text::of_unknown(
            now - asked.since,
            mails(&app.config.mail),
            contact(&app.config.mail).as_deref(),
        ),
    };
    metrics::page_said(said.word);
    let mut page = said.page;
    if said.waits {
        page.refresh = asked.again(session, machine.is_none());
    }
    page.respond(
        &app,
        if said.found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        },
    )
}

/// What the page's own refresh carries. Whoever forges it changes only what he is shown himself.
struct RefreshState {
    /// How often the page has looked.
    tries: usize,
    /// When the visitor asked first.
    since: Timestamp,
}

impl RefreshState {
    fn of(query: &BTreeMap<String, String>, now: Timestamp) -> Self {
        let tries = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(0);
        let since = query
            .get("since")
            .and_then(|s| s.parse().ok())
            .map(Timestamp::from_s);
        Self {
            tries,
            since: since.filter(|since| *since <= now).unwrap_or(now),
        }
    }

    /// When and where the page looks again, if it does.
    fn again(&self, session: &str, is_unknown: bool) -> Option<Refresh> {
        let after_s = *LOOK_AGAIN_S.get(self.tries)?;
        let mut url = format!("?session_id={session}&n={}", self.tries + 1);
        if is_unknown {
            url.push_str(&format!("&since={}", self.since.s()));
        }
        Some(Refresh { after_s, url })
    }
}

/// Whether keys are mailed at all.
fn mails(mail: &Mail) -> bool {
    mail.transport != Transport::None
}

/// Where a customer can write, where mails have a sender.
fn contact(mail: &Mail) -> Option<String> {
    let mailbox = mail.reply_to.as_ref().unwrap_or(&mail.from);
    mails(mail).then(|| mailbox.email.to_string())
}

fn well_formed(id: &str) -> bool {
    ID_LEN.contains(&id.len())
        && id.starts_with("cs_")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The purchase of a session, at any of the sources: its own machine, or the subscription that it started.
fn find(app: &App, session: &str) -> Result<Option<Machine>, RecordError> {
    for source in &app.config.sources {
        let found = view::by_name(
            app.handle.reader(),
            &Scope::new(source.name.clone(), None),
            session,
        )?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn too_often(app: &App, wait_s: u64) -> Response {
    let lines = [
        "This page was asked for very often from your network. Please wait a moment and load it again.",
    ];
    metrics::page_said("too_often");
    let mut response = Page::plain("wait", "A little slower, please", &lines)
        .respond(app, StatusCode::TOO_MANY_REQUESTS);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    response
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
