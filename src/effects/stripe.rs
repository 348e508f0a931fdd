//! Stripe's API, as far as Keyward asks it. All but the making of sessions (Checkout's and the billing portal's) are reads, so
//! that repeating one is harmless; a session is made under an idempotency key. `client` sends, `answer` says what an answer means, `look_up` knows which
//! questions answer what, `checkout` what is sold how, `billing` the way to invoices and cards.

mod answer;
pub mod billing;
pub mod checkout;
mod client;
mod events;
mod guide_metadata;
mod query;

pub use answer::{Answer, StripeRefusal, WRONG_KEY};
pub use client::{CannotAsk, Client};
pub use events::EventWindow;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use super::throttle::{BreakerSettings, CallResult, Guard, Share, Throttle};
use crate::domain::id::{AccountId, SourceName};
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// Requests a second to one account. Stripe allows 25 in a sandbox and 100 live, for all of the vendor's programs together.
const REQUESTS_PER_S: u32 = 10;
/// Requests side by side.
const IN_FLIGHT: usize = 4;
/// How long one request may take.
const TIMEOUT: Span = Span::from_s(30);
/// The largest answer that is read, in bytes: a page of 100 events with long invoices is a third of it.
const BODY_BYTES_MAX: usize = 8 << 20;

/// The accounts of the sources that have an API key.
pub type Accounts = BTreeMap<SourceName, Arc<Account>>;

/// A source's account at Stripe, with everything that guards it.
#[derive(Debug)]
pub struct Account {
    client: Client,
    throttle: Throttle,
    pub(super) breaker: Guard,
    /// Queries under way; further ones wait where they are due.
    pub(super) places: Arc<Semaphore>,
}

impl Account {
    /// Prepares the questions to one account; nothing is sent yet. `changed` hears when Stripe goes or comes back.
    ///
    /// # Errors
    /// When the address or the key cannot be used.
    pub fn new(base: &str, key: &Secret, changed: &Arc<Notify>) -> Result<Self, CannotAsk> {
        let flow = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
        Ok(Self {
            client: Client::new(base, key, TIMEOUT, BODY_BYTES_MAX)?,
            throttle: Throttle::new(REQUESTS_PER_S, IN_FLIGHT),
            breaker: Guard::new(BreakerSettings::service(flow), changed),
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
        })
    }

    /// Takes note of how a query ended.
    pub(super) fn record<T>(&self, answer: &Answer<T>, now: Timestamp) {
        let result: CallResult = answer.call_result();
        self.breaker.record(result, now, || answer.why());
    }

    /// Sends one request when its turn comes.
    async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        account: Option<&AccountId>,
    ) -> Answer<Value> {
        self.get_as(Share::Actions, path, query, account).await
    }

    /// The same for a share of the rate.
    async fn get_as(
        &self,
        share: Share,
        path: &[&str],
        query: &[(&str, &str)],
        account: Option<&AccountId>,
    ) -> Answer<Value> {
        let _pass = self.throttle.pass(share).await;
        self.client.get(path, query, account).await
    }
}
