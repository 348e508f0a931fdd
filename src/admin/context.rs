//! What every answer needs: the engine, and the license services by source. Reads wait for the disk on a thread of their
//! own; orders that are given together share a sync.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use super::failure::Failure;
use crate::domain::id::{MachineId, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::Handle;
use crate::engine::input::{Input, Receipt};

/// Orders that wait for one sync together, so that thousands take seconds: as many as the committer gathers.
const ORDERS_UNDER_WAY_MAX: usize = 64;

/// The engine, and how its license services are called.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) handle: Handle,
    pub(super) services: BTreeMap<SourceName, &'static str>,
}

impl Context {
    /// Reads on a thread that may wait for the disk.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let context = self.clone();
        tokio::task::spawn_blocking(move || read(&context))
            .await
            .unwrap_or_else(|e| Err(Failure::ours(e.to_string())))
    }

    /// Hands many inputs in, so that those of one batch share a sync. Says how many there were.
    pub(super) async fn submit_all(&self, orders: Vec<(MachineId, Input)>) -> Result<u32, Failure> {
        let mut under_way = JoinSet::new();
        let mut total = 0;
        for (machine, input) in orders {
            if under_way.len() >= ORDERS_UNDER_WAY_MAX {
                under_way
                    .join_next()
                    .await
                    .transpose()
                    .map_err(|e| Failure::ours(e.to_string()))?
                    .transpose()?;
            }
            let context = self.clone();
            under_way.spawn(async move { context.submit(&machine, input).await });
            total += 1;
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(|e| Failure::ours(e.to_string()))??;
        }
        Ok(total)
    }

    pub(super) async fn submit(&self, machine: &MachineId, input: Input) -> Result<(), Failure> {
        match self.handle.submit_waiting(input).await? {
            Receipt::Unknown => Err(no_machine(&machine.to_string())),
            Receipt::Applied(_)
            | Receipt::Parked(_)
            | Receipt::Ignored(_)
            | Receipt::Duplicate
            | Receipt::Done => Ok(()),
        }
    }
}

pub(super) fn no_machine(text: &str) -> Failure {
    let hint = by_payment(text)
        .unwrap_or("`keyward find` takes an e-mail address, a license key, or any id at Stripe");
    Failure::input(format!("there is no purchase `{text}`")).hint(hint)
}

/// What to ask by in place of a charge. Stripe tells of a renewal's payment by its `pi_…` alone: its charge is first named by
/// a refund or a dispute.
pub fn by_payment(text: &str) -> Option<&'static str> {
    let is_charge = text.starts_with("ch_") || text.starts_with("py_");
    is_charge.then_some(
        "Stripe's events name a charge only once it was refunded or disputed: ask by its payment (`pi_…`) or its \
         invoice (`in_…`), which stand on the charge's page at Stripe",
    )
}

/// Makes sure that what is ordered until an instant is not over before it begins: a year was mistyped.
pub(super) fn to_come(until: Option<Timestamp>, now: Timestamp) -> Result<(), Failure> {
    match until.filter(|until| *until <= now) {
        None => Ok(()),
        Some(until) => Err(Failure::input(format!(
            "it would be over already: {until} has passed; nothing was changed"
        ))
        .hint("`--until` names a later instant")),
    }
}

/// A new decision's id.
pub(super) fn decision_id(at: Timestamp) -> String {
    static MADE: AtomicU32 = AtomicU32::new(1);
    format!("dec_{}_{}", at.ms(), MADE.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value).map_err(|e| Failure::ours(e.to_string()))
}
