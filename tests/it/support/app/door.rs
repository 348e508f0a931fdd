//! Deliveries to a running server, and what it answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use keyward::clock::{Clock, Stopwatch, pause};
use keyward::domain::time::Span;
use keyward::secret::Secret;
use keyward::sources::stripe::signature::sign;
use serde_json::Value;

use super::SECRET;
use crate::support::wait::PATIENCE;

/// Where events are handed in. It stays the same when the server is started again.
#[derive(Clone)]
pub(crate) struct Door {
    pub(super) base: String,
    pub(super) http: reqwest::Client,
    pub(super) acknowledged: Arc<Mutex<BTreeSet<String>>>,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Door {
    /// Posts bytes with a signature header; an error when no answer came.
    pub(crate) async fn post(&self, body: Vec<u8>, signature: &str) -> Result<Answered, String> {
        let request = self
            .http
            .post(format!("{}/webhooks/stripe", self.base))
            .header("stripe-signature", signature);
        let response = request.body(body).send().await.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        Ok(Answered {
            status,
            body: response.text().await.map_err(|e| e.to_string())?,
        })
    }

    /// Posts bytes as Stripe would, signed now.
    pub(crate) async fn deliver(&self, body: Vec<u8>) -> Result<Answered, String> {
        let signature = sign(&body, &Secret::new(SECRET), Clock::Wall.now());
        self.post(body, &signature).await
    }

    /// Delivers an event to another source than the tests' usual one, signed now.
    pub(crate) async fn deliver_to(
        &self,
        source: &str,
        secret: &str,
        event: &Value,
    ) -> Result<Answered, String> {
        let body = event.to_string().into_bytes();
        let signature = sign(&body, &Secret::new(secret), Clock::Wall.now());
        let request = self
            .http
            .post(format!("{}/webhooks/{source}", self.base))
            .header("stripe-signature", signature);
        let response = request.body(body).send().await.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        Ok(Answered {
            status,
            body: response.text().await.map_err(|e| e.to_string())?,
        })
    }

    /// Delivers an event once; remembers it if it was acknowledged.
    pub(crate) async fn try_event(&self, event: &Value) -> Result<Answered, String> {
        let answered = self.deliver(event.to_string().into_bytes()).await?;
        if answered.status == 200 {
            self.acknowledged
                .lock()
                .unwrap()
                .insert(event["id"].as_str().unwrap().to_owned());
        }
        Ok(answered)
    }

    /// Delivers an event, again and again until it is acknowledged.
    pub(crate) async fn event(&self, event: &Value) {
        let watch = Stopwatch::start();
        while !self.try_event(event).await.is_ok_and(|a| a.status == 200) {
            assert!(
                watch.elapsed() < PATIENCE,
                "{} is not acknowledged",
                event["id"]
            );
            pause(Span::from_ms(20)).await;
        }
    }

    /// Every event that was acknowledged.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// A page of the server.
    pub(crate) async fn get(&self, path: &str) -> Result<Answered, String> {
        let response = self
            .http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        Ok(Answered {
            status,
            body: response.text().await.map_err(|e| e.to_string())?,
        })
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }
}
