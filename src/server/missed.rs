//! Whether what happens at Stripe arrives by itself, as the rounds over its event lists show it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::attention::{Attention, Concern};
use crate::domain::id::Scope;
use crate::domain::missed::Deliveries;
use crate::effects::backfill::Walk;
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::record::endpoints::{self, DeliveriesRecord};
use crate::engine::record::server::ServerRecord;

/// How the events of each account came.
#[derive(Debug, Default)]
pub(super) struct Missed(Mutex<BTreeMap<Scope, Deliveries>>);

impl Missed {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Scope, Deliveries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on where the last start left it. A source that cannot be asked any more would never be over.
    pub(super) fn begin(&self, handle: &Handle, services: &Services) {
        let kept = endpoints::deliveries(handle.reader()).unwrap_or_default();
        let is_asked = |r: &DeliveriesRecord| services.stripe_map().contains_key(r.scope.source());
        let kept = kept.into_iter().filter(is_asked);
        *self.all() = kept.map(|r| (r.scope, r.deliveries)).collect();
    }

    /// Adds what a walk saw, and keeps what is news. What the store does not take now is kept with a later round.
    pub(super) async fn add(&self, handle: &Handle, walk: Walk) {
        let (now, gaps, scope) = (handle.clock().now(), handle.gaps(), walk.scope.clone());
        let deliveries = {
            let mut all = self.all();
            let of_account = all.entry(scope.clone()).or_default();
            of_account.add(walk.into_arrivals(), &gaps, now);
            of_account.clone()
        };
        let record = DeliveriesRecord { scope, deliveries };
        if endpoints::deliveries_of(handle.reader(), &record.scope)
            .is_ok_and(|kept| kept == record.deliveries)
        {
            return;
        }
        let record = ServerRecord::Deliveries(record);
        if let Err(error) = handle.submit_waiting(Input::Keep(record)).await {
            tracing::debug!(%error, "how events arrive cannot be kept");
        }
    }

    /// What does not arrive by itself, as what waits for a person.
    pub(super) fn attention(&self) -> Vec<Attention> {
        let missed = |(scope, deliveries): (&Scope, &Deliveries)| {
            let missed = deliveries.missed()?.to_vec();
            let since = missed.iter().map(|of| of.first).min()?;
            let scope = scope.clone();
            Some(Attention {
                since,
                concern: Concern::MissedDeliveries { scope, missed },
            })
        };
        self.all().iter().filter_map(missed).collect()
    }
}
