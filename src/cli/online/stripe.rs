//! Reads an account at Stripe: its webhook endpoints, and what its subscriptions pay for.

use std::time::Duration;

use serde_json::Value;

use super::judge::{self, Endpoint};
use super::{Tried, Verdict};
use crate::config::{Config, Source};
use crate::secret::Secret;

/// The version that these answers are read in, whatever the account's own is.
const STRIPE_VERSION: &str = "2024-06-20";
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes: a page of 100 subscriptions with 20 items each is a third of it.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Pages of endpoints read: Stripe allows 16 endpoints an account.
const ENDPOINT_PAGES_MAX: usize = 5;
/// Pages of subscriptions read, of 100 each: enough to meet every price that matters.
const SUBSCRIPTION_PAGES_MAX: usize = 20;

/// What there is to say about a source's account.
pub(super) async fn account(config: &Config, source: &Source, key: &Secret) -> Vec<Tried> {
    let endpoints_of = format!("Stripe endpoint of {}", source.name);
    let prices_of = format!("Stripe prices of {}", source.name);
    let account = match Account::new(&source.api_base, key) {
        Ok(account) => account,
        Err(why) => return vec![Tried::new(Verdict::Bad, &endpoints_of, why)],
    };
    let mut out = Vec::new();
    match account.list("webhook_endpoints?limit=100", ENDPOINT_PAGES_MAX).await {
        Ok((rows, _)) => {
            let endpoints: Vec<_> = rows.iter().map(Endpoint::of).collect();
            let url = format!("{}/webhooks/{}", config.public_url.trim_end_matches('/'), source.name);
            out.extend(judge::endpoints(&endpoints_of, &endpoints, &url, source.livemode));
        }
        Err(why) => out.push(refused(&endpoints_of, why, "webhook endpoints")),
    }
    match account.list("subscriptions?status=all&limit=100", SUBSCRIPTION_PAGES_MAX).await {
        Ok((rows, whole)) => out.push(judge::prices(&prices_of, &rows, &config.plans, whole)),
        Err(why) => out.push(refused(&prices_of, why, "subscriptions")),
    }
    out
}

fn refused(subject: &str, why: String, what: &str) -> Tried {
    Tried::new(Verdict::Bad, subject, why)
        .hint(format!("`api_key` of the source: a restricted key must be allowed to read {what}"))
}

struct Account<'a> {
    client: reqwest::Client,
    base: &'a str,
    key: &'a Secret,
}

impl<'a> Account<'a> {
    fn new(base: &'a str, key: &'a Secret) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|e| e.without_url().to_string())?;
        Ok(Self { client, base, key })
    }

    /// Reads a list page by page. The flag says whether its end was reached.
    async fn list(&self, path: &str, pages_max: usize) -> Result<(Vec<Value>, bool), String> {
        let mut rows: Vec<Value> = Vec::new();
        for _ in 0..pages_max {
            let after =
                rows.last().and_then(|r| r["id"].as_str()).map_or(String::new(), |id| format!("&starting_after={id}"));
            let page = self.get(&format!("{}/v1/{path}{after}", self.base)).await?;
            let data = page["data"].as_array().ok_or("the answer is no list: is `api_base` Stripe's API?")?;
            let more = page["has_more"].as_bool().unwrap_or(false) && !data.is_empty();
            rows.extend(data.iter().cloned());
            if !more {
                return Ok((rows, true));
            }
        }
        Ok((rows, false))
    }

    async fn get(&self, url: &str) -> Result<Value, String> {
        let lost = |e: reqwest::Error| format!("no answer from {}: {}", self.base, causes(&e.without_url()));
        let request = self.client.get(url).bearer_auth(self.key.reveal()).header("Stripe-Version", STRIPE_VERSION);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(format!("{} answers without an end", self.base));
            }
        }
        let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        // Stripe's own words may repeat the key's last characters ("Invalid API Key provided: sk_test_****1234").
        let kind = json["error"]["type"].as_str().unwrap_or("no reason given");
        let code = json["error"]["code"].as_str().map_or(String::new(), |code| format!(", {code}"));
        Err(match status.as_u16() {
            401 => format!("{} does not know the API key ({status})", self.base),
            403 => format!("the API key may not read this ({status})"),
            _ => format!("{} answers {status}: {kind}{code}", self.base),
        })
    }
}

/// An error with what caused it: reqwest's own text stops before the telling part.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
