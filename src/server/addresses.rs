//! Purchases of a time before the index of addresses are put into it, once: the customer portal finds by it what is somebody's.

use tokio_util::sync::CancellationToken;

use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::indexed::Index;
use crate::engine::record::server::ServerRecord;

/// Indexes them. What cannot be done now is done at the next start.
pub(super) async fn run(handle: Handle, stop: CancellationToken) {
    if let Err(error) = index(&handle, &stop).await {
        tracing::error!(%error, "purchases could not be indexed by address; the next start tries again");
    }
}

async fn index(handle: &Handle, stop: &CancellationToken) -> Result<(), RecordError> {
    if Index::Addresses.is_whole(handle.reader())? {
        return Ok(());
    }
    let reader = handle.clone();
    let all = tokio::task::spawn_blocking(move || view::ids(reader.reader(), |_| true));
    let Ok(all) = all.await else { return Ok(()) };
    for machine in all? {
        // Looked at again, a purchase notes its addresses, and nothing else changes.
        let woken = handle.submit_waiting(Input::WakeUp { machine });
        if stop.is_cancelled() || woken.await.is_err() {
            return Ok(());
        }
    }
    let done = Input::Keep(ServerRecord::Indexed(Index::Addresses));
    let _ = handle.submit_waiting(done).await;
    Ok(())
}
