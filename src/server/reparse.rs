//! Events that an older binary could not read are read again, once for each new binary: what they say comes in as it
//! would have, with the instant at which it came.

use tokio_util::sync::CancellationToken;

use crate::domain::time::Timestamp;
use crate::engine::Handle;
use crate::engine::input::{Input, Receipt};
use crate::engine::record::RecordError;
use crate::engine::record::body_codec;
use crate::engine::route::reparse::{self, Unread};
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event::{self, EventContent};

/// What tells one binary from another.
const BINARY: &str = env!("CARGO_PKG_VERSION");

/// Reads them. What cannot be done now is done at the next start.
pub(super) async fn run(handle: Handle, stop: CancellationToken) {
    match read(&handle, &stop).await {
        Ok(0) => {}
        Ok(n) => tracing::info!(
            events = n,
            "events that an older version could not read are taken in now"
        ),
        Err(error) => {
            tracing::error!(%error, "unread events could not be looked for; the next start tries again")
        }
    }
}

async fn read(handle: &Handle, stop: &CancellationToken) -> Result<usize, RecordError> {
    if reparse::read_by(handle.reader())?.as_deref() == Some(BINARY) {
        return Ok(0);
    }
    let (reader, over) = (handle.clone(), stop.clone());
    let found = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        let visit = |one: Option<Unread>| {
            found.extend(one.as_ref().and_then(readable));
            !over.is_cancelled()
        };
        reparse::each(reader.reader(), visit).map(|()| found)
    });
    let found = found.await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let mut taken = 0;
    for input in found {
        if stop.is_cancelled() {
            return Ok(taken); // the next start goes on
        }
        match handle.submit_waiting(input).await {
            Ok(Receipt::Duplicate) => {}
            Ok(_) => taken += 1,
            Err(_) => return Ok(taken),
        }
    }
    if !stop.is_cancelled() {
        let _ = handle
            .submit_waiting(Input::ReadBy(BINARY.to_owned()))
            .await;
    }
    Ok(taken)
}

/// The input that an event comes to now, if it can be read.
fn readable(unread: &Unread) -> Option<Input> {
    let received: Timestamp = unread.received;
    let event = event::read(&unread.body, received).ok()?;
    if matches!(&event.content, EventContent::Ignored(reason) if reason.is_unreadable()) {
        return None;
    }
    let delivery = delivery(
        event,
        &unread.source,
        body_codec::pack(&unread.body),
        received,
    );
    Some(Input::ReadAgain(Box::new(delivery)))
}
