//! Events that an older binary could not read are read again, once for each new binary: what they say comes in as it
//! would have, with the instant at which it came.

use tokio_util::sync::CancellationToken;

use crate::adopt::read_again;
use crate::domain::id::Scope;
use crate::engine::Handle;
use crate::engine::input::{Delivery, EventPayload, Input, Receipt};
use crate::engine::record::indexed::Index;
use crate::engine::record::server::ServerRecord;
use crate::engine::record::{EventRecord, RecordError};
use crate::engine::route::reparse;

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

/// Puts unread events of a time before the index of unread events into it, once.
async fn index(handle: &Handle, stop: &CancellationToken) -> Result<(), RecordError> {
    if Index::Unread.is_whole(handle.reader())? {
        return Ok(());
    }
    let (reader, over) = (handle.clone(), stop.clone());
    let found = tokio::task::spawn_blocking(move || {
        reparse::by_looking_through_all(reader.reader(), || !over.is_cancelled())
    });
    let Ok(found) = found.await else {
        return Ok(());
    };
    for key in found? {
        // Held against its index, an event gets the entry that it lacks.
        let mended = handle.submit_waiting(Input::Mend { key });
        if mended.await.is_err() {
            return Ok(());
        }
    }
    if !stop.is_cancelled() {
        let done = Input::Keep(ServerRecord::Indexed(Index::Unread));
        let _ = handle.submit_waiting(done).await;
    }
    Ok(())
}

async fn read(handle: &Handle, stop: &CancellationToken) -> Result<usize, RecordError> {
    index(handle, stop).await?;
    if reparse::read_by(handle.reader())?.as_deref() == Some(BINARY) {
        return Ok(0);
    }
    let (reader, over) = (handle.clone(), stop.clone());
    let found = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        let visit = |scope: &Scope, kept| {
            found.extend(readable(scope, kept));
            !over.is_cancelled()
        };
        reparse::each(reader.reader(), visit).map(|()| found)
    });
    let found = found.await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let mut taken = 0;
    for delivery in found {
        if stop.is_cancelled() {
            return Ok(taken); // the next start goes on
        }
        match handle.submit_waiting(Input::ReadAgain(delivery)).await {
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

/// An event as it reads now, if it can be read.
fn readable(scope: &Scope, kept: EventRecord) -> Option<Box<Delivery>> {
    let delivery = read_again(kept.raw, scope.source(), kept.received)?;
    let can_be_read = !matches!(delivery.payload, EventPayload::Unreadable(_));
    can_be_read.then(|| Box::new(delivery))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::clock::Clock;
    use crate::domain::no_use::Unreadable;
    use crate::domain::revision::Revisions;
    use crate::domain::time::Timestamp;
    use crate::engine::input::Rules;
    use crate::engine::record::disposition::Disposition;
    use crate::engine::record::{body_codec, encode, key};
    use crate::engine::write::committer;
    use crate::store::memory::Memory;
    use crate::store::{Batch, Commit};

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    /// A store of a time before the index: it is built once, of what could not be read and of nothing else.
    #[tokio::test]
    async fn an_older_store_gets_the_index() {
        let (mut store, mut batch) = (Memory::new(), Batch::new());
        let scope = Scope::of("stripe/acct_1");
        let dispositions = [
            ("evt_1", Disposition::Applied(None)),
            ("evt_2", Disposition::Unreadable(Unreadable::Beyond)),
        ];
        for (id, disposition) in dispositions {
            let record = EventRecord {
                kind: "invoice.paid".to_owned(),
                created: NOW,
                received: NOW,
                disposition,
                raw: body_codec::pack(b"{}"),
                livemode: None,
                noted: None,
            };
            batch.put(key::event(&scope, &id.into()), encode(&record));
        }
        store.commit(&batch).unwrap();
        let rules = Rules {
            revisions: Revisions::default(),
            sources: BTreeMap::new(),
            store_since: None,
            guard: None,
        };
        let (reader, clock) = (Arc::new(store.clone()), Clock::virtual_at(NOW));
        let (handle, _) = committer::start(Box::new(store), reader, rules, clock, 16).unwrap();
        let unread = |id: &str| {
            let entry = key::unread(&scope, &id.into());
            handle.reader().get(&entry).unwrap().is_some()
        };
        assert!(!unread("evt_2"));
        index(&handle, &CancellationToken::new()).await.unwrap();
        assert!(unread("evt_2") && !unread("evt_1"));
        assert!(Index::Unread.is_whole(handle.reader()).unwrap());
    }
}
