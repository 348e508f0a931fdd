//! Placeholder until the scheduler room lands.
use crate::engine::{Handle, input::Input, key::Item, view};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
/// Scheduler.
pub struct Scheduler;
/// Start.
pub async fn start(
    handle: Handle,
    _c: &crate::config::Scheduler,
    stop: CancellationToken,
    due: Arc<Notify>,
) -> Result<Scheduler, std::io::Error> {
    tokio::spawn(async move {
        loop {
            tokio::select! { () = stop.cancelled() => break, () = crate::clock::pause(crate::domain::time::Span::from_ms(200)) => {} }
            for (_, machine, item) in view::due(handle.reader(), handle.clock().now(), 1000).unwrap_or_default() {
                if item == Item::Wake {
                    let _ = handle.submit_waiting(Input::WakeUp { machine }).await;
                }
            }
            due.notify_one();
        }
    });
    Ok(Scheduler)
}
impl Scheduler {
    /// Jobs.
    pub fn jobs(&self) -> crate::http::health::Jobs {
        Arc::new(Vec::new)
    }
    /// Stop.
    pub async fn stop(self) {}
}
