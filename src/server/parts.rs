//! What every task of a server is given a part of.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backfill::Backfills;
use crate::config::Config;
use crate::effects::health::ServerAttention;
use crate::effects::services::Services;
use crate::engine::Handle;

/// The parts.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) config: Arc<Config>,
    pub(super) services: Arc<Services>,
    pub(super) due: Arc<Notify>,
    pub(super) backfills: Arc<Backfills>,
    /// What waits for a person apart from purchases.
    pub(super) attention: ServerAttention,
    pub(super) stop: CancellationToken,
}

impl Parts {
    pub(super) fn new(handle: Handle, config: Arc<Config>, services: Arc<Services>) -> Self {
        let backfills = Arc::new(Backfills::new(config.sources.iter().map(|s| &s.name)));
        let attention: ServerAttention = {
            let (services, backfills) = (Arc::clone(&services), Arc::clone(&backfills));
            let clock = handle.clock().clone();
            Arc::new(move || {
                let mut all = services.attention(clock.now());
                all.extend(backfills.attention());
                all
            })
        };
        Self {
            handle,
            config,
            services,
            due: Arc::default(),
            backfills,
            attention,
            stop: CancellationToken::new(),
        }
    }
}
