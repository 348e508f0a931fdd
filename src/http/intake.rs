//! `POST /webhooks/{source}`: bytes in, receipt out. A 2xx goes out only after the receipt, which exists only after the sync.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::App;
use super::metrics::{DeliveryResult, SourceMetrics};
use super::problem::Problem;
use super::signals::SourceSignals;
use crate::clock::Stopwatch;
use crate::config::Source;
use crate::domain::id::{ID_LEN_MAX, SourceName, fits_into_key};
use crate::domain::no_use::NoEvent;
use crate::domain::time::Timestamp;
use crate::engine::SubmitError;
use crate::engine::input::{Input, Receipt};
use crate::engine::record::body_codec::pack;
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event::{self, Event, EventContent, Reason};
use crate::sources::stripe::signature::{self, SignatureError};

/// Bodies up to this length are verified and read where they are: it takes well under a millisecond.
const INLINE_LEN_MAX: usize = 64 << 10;
/// A body over the limit is still read up to this many times the limit and thrown away: a sender that is cut off in the
/// middle of its body sees a broken connection instead of the 413.
const DRAIN_TIMES: usize = 8;
/// So much of a body that is no event is handed in, where its beginning is kept for the operator.
const EXCERPT_LEN_MAX: usize = 4 << 10;
/// The account's id stands twice in the longest key of the store; real ones have about 20 characters.
const ACCOUNT_LEN_MAX: usize = 100;

/// Takes a delivery.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some((source, metrics)) = app.source(&name) else {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_source",
            "no [[source]] of this name is configured",
        )
        .into_response();
    };
    let watch = Stopwatch::start();
    match take(&app, source, metrics, &headers, body).await {
        Ok(acknowledged) => {
            metrics.acked(acknowledged.into(), watch.elapsed());
            acknowledged.into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

impl App {
    fn signal(&self, source: &SourceName, note: impl FnOnce(&SourceSignals)) {
        if let Some(signals) = self.signals.iter().find(|s| s.source == *source) {
            note(signals);
        }
    }

    fn source(&self, name: &str) -> Option<(&Source, &SourceMetrics)> {
        self.config
            .sources
            .iter()
            .zip(self.metrics.iter())
            .find(|(source, _)| source.name.as_str() == name)
    }
}

async fn take(
    app: &App,
    source: &Source,
    metrics: &SourceMetrics,
    headers: &HeaderMap,
    body: Body,
) -> Result<Acknowledged, Problem> {
    let body = read(app, metrics, headers, body).await?;
    let received = app.handle.clock().now();
    let header = headers
        .get("stripe-signature")
        .map(|h| h.to_str().unwrap_or_default());
    let read = if body.len() <= INLINE_LEN_MAX {
        verify_and_read(source, header, &body, received)
    } else {
        let (source, header, body) = (source.clone(), header.map(str::to_owned), body.clone());
        tokio::task::spawn_blocking(move || {
            verify_and_read(&source, header.as_deref(), &body, received)
        })
        .await
        .map_err(|_panicked| {
            // A defect of ours: it comes again, and is not lost.
            metrics.count(DeliveryResult::Busy);
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "defect",
                "the body could not be read, which is a defect here; come again",
            )
        })?
    };
    let input = match read {
        Ok((event, signed)) => {
            app.handle.note_clock(signed, received);
            app.signal(&source.name, |signals| signals.verified(received));
            if let EventContent::Ignored(reason) = &event.content
                && reason.is_unreadable()
            {
                tracing::warn!(source = %source.name, event.id = %event.id, event.kind = %event.kind, "a signed event cannot be read: {reason}. It is kept, and read again by a newer version (`keyward attention`)");
            }
            Input::Delivery(Box::new(delivery(
                event,
                &source.name,
                pack(&body),
                received,
            )))
        }
        Err(RejectedBody::Refused(refusal)) => {
            metrics.refused(&refusal);
            app.signal(&source.name, |signals| {
                signals.unverified(&refusal, received)
            });
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                refusal.code(),
                refusal.to_string(),
            ));
        }
        Err(RejectedBody::Malformed(why)) => {
            return Err(malformed(app, source, metrics, why, &body, received).await);
        }
    };
    let receipt = app
        .handle
        .submit(input)
        .await
        .map_err(|e| busy(metrics, e))?;
    Ok(match receipt {
        Receipt::Applied(_) | Receipt::Done => Acknowledged::Applied,
        Receipt::Parked(_) => Acknowledged::Parked,
        Receipt::Ignored(_) | Receipt::Unknown => Acknowledged::Ignored,
        Receipt::Duplicate => Acknowledged::Duplicate,
    })
}

/// What became of an event that the engine took: the sender gets a 200.
#[derive(Clone, Copy)]
enum Acknowledged {
    Applied,
    Parked,
    Ignored,
    Duplicate,
}

impl From<Acknowledged> for DeliveryResult {
    fn from(acknowledged: Acknowledged) -> Self {
        match acknowledged {
            Acknowledged::Applied => Self::Applied,
            Acknowledged::Parked => Self::Parked,
            Acknowledged::Ignored => Self::Ignored,
            Acknowledged::Duplicate => Self::Duplicate,
        }
    }
}

impl IntoResponse for Acknowledged {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Applied => r#"{"received":true,"disposition":"applied"}"#,
            Self::Parked => r#"{"received":true,"disposition":"parked"}"#,
            Self::Duplicate => r#"{"received":true,"disposition":"duplicate"}"#,
            Self::Ignored => r#"{"received":true,"disposition":"ignored"}"#,
        };
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// A body that is no delivery.
enum RejectedBody {
    Refused(SignatureError),
    Malformed(NoEvent),
}

fn verify_and_read(
    source: &Source,
    header: Option<&str>,
    body: &[u8],
    received: Timestamp,
) -> Result<(Event, Timestamp), RejectedBody> {
    let verified = signature::verify(
        body,
        header,
        &source.signing_secrets,
        source.tolerance,
        received,
    )
    .map_err(RejectedBody::Refused)?;
    let mut event = event::parse(&verified, received).map_err(RejectedBody::Malformed)?;
    if !fits_into_key(event.id.as_str(), ID_LEN_MAX) {
        let len_max = u32::try_from(ID_LEN_MAX).unwrap_or(u32::MAX);
        return Err(RejectedBody::Malformed(NoEvent::UnfitId { len_max }));
    }
    if let Some(account) = event
        .account
        .take_if(|account| !fits_into_key(account.as_str(), ACCOUNT_LEN_MAX))
    {
        // It has an id and a type, so it is listed; but whose it is cannot be said.
        let found = format!(
            "a text of {} bytes that is no account's id",
            account.as_str().len()
        );
        event.content = EventContent::Ignored(Reason::field("account", found));
    }
    Ok((event, verified.signed_at()))
}

/// Notes a signed body that is no event for the operator: the sender is right to be told, the operator must mend it.
async fn malformed(
    app: &App,
    source: &Source,
    metrics: &SourceMetrics,
    why: NoEvent,
    body: &[u8],
    received: Timestamp,
) -> Problem {
    let noted = Input::Refused {
        source: source.name.clone(),
        why: why.clone(),
        body: body[..body.len().min(EXCERPT_LEN_MAX)].to_vec(),
        at: received,
    };
    if let Err(error) = app.handle.submit(noted).await {
        return busy(metrics, error);
    }
    metrics.count(DeliveryResult::Malformed);
    tracing::warn!(source = %source.name, why = %why, "a signed delivery is no event");
    Problem::new(StatusCode::BAD_REQUEST, why.code(), why.to_string())
}

fn busy(metrics: &SourceMetrics, error: SubmitError) -> Problem {
    let code = match error {
        SubmitError::Busy => "busy",
        // It comes again, after the repair.
        SubmitError::Unreadable => "record_unreadable",
        SubmitError::Stopped => "stopping",
        SubmitError::TooLarge => {
            metrics.count(DeliveryResult::TooLarge);
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                error.to_string(),
            );
        }
    };
    metrics.count(DeliveryResult::Busy);
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        code,
        format!("{error}; come again"),
    )
}

/// Reads a body within its limit and its deadline, which a trickle does not move.
async fn read(
    app: &App,
    metrics: &SourceMetrics,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    let limit = usize::try_from(app.config.http.body_limit.bytes()).unwrap_or(usize::MAX);
    let too_large = || {
        metrics.count(DeliveryResult::TooLarge);
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is longer than {limit} bytes"),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|len| len > limit.saturating_mul(DRAIN_TIMES) as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(app.config.http.body_timeout.to_std(), collect(body, limit)).await {
        Ok(Collected::Whole(bytes)) => Ok(bytes),
        Ok(Collected::TooLarge) => Err(too_large()),
        Ok(Collected::Broken) => {
            metrics.count(DeliveryResult::TooSlow);
            Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "cut_off",
                "the body ended before its announced length",
            ))
        }
        Err(_) => {
            metrics.count(DeliveryResult::TooSlow);
            Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the body did not arrive in time",
            ))
        }
    }
}

enum Collected {
    Whole(Bytes),
    TooLarge,
    Broken,
}

async fn collect(mut body: Body, limit: usize) -> Collected {
    let (mut first, mut rest, mut len) = (Bytes::new(), Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Collected::Broken;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        len = len.saturating_add(data.len());
        if len > limit {
            (first, rest) = (Bytes::new(), Vec::new());
            if len > limit.saturating_mul(DRAIN_TIMES) {
                break;
            }
        } else if first.is_empty() {
            first = data;
        } else {
            // Only bodies of several segments are copied together.
            rest.extend_from_slice(&data);
        }
    }
    match (len > limit, rest.is_empty()) {
        (true, _) => Collected::TooLarge,
        (false, true) => Collected::Whole(first),
        (false, false) => Collected::Whole([first.as_ref(), &rest].concat().into()),
    }
}
