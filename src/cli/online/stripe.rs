//! Reads an account at Stripe: its webhook endpoints, and what its subscriptions pay for.

use serde_json::Value;

use super::judge::{self, Endpoint};
use super::{Tried, Verdict};
use crate::clock::pause;
use crate::config::{Config, Source};
use crate::domain::time::Span;
use crate::effects::stripe::{Answer, Client, StripeRefusal, WRONG_KEY};
use crate::secret::Secret;

/// How long one request may take.
const TIMEOUT: Span = Span::from_s(30);
/// The largest answer that is read, in bytes: a page of 100 subscriptions with 20 items each is a third of it.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// A question that is not answered is asked so often.
const TRIES_MAX: u32 = 4;
/// And again after this, then twice as long.
const FIRST_WAIT: Span = Span::from_ms(500);
/// For so long at most, whatever Stripe wishes.
const WAIT_MAX: Span = Span::from_s(20);
/// Pages of endpoints read: Stripe allows 16 endpoints an account.
const ENDPOINT_PAGES_MAX: usize = 5;
/// Pages of subscriptions read, of 100 each: enough to meet every price that matters.
const SUBSCRIPTION_PAGES_MAX: usize = 20;

/// What there is to say about a source's account.
pub(super) async fn account(config: &Config, source: &Source, key: &Secret) -> Vec<Tried> {
    let endpoints_of = format!("Stripe endpoint of {}", source.name);
    let prices_of = format!("Stripe prices of {}", source.name);
    let client = match Client::new(&source.api_base, key, TIMEOUT, ANSWER_BYTES_MAX) {
        Ok(client) => client,
        Err(why) => return vec![Tried::new(Verdict::Bad, &endpoints_of, why.to_string())],
    };
    let mut out = Vec::new();
    match list(&client, "webhook_endpoints", &[], ENDPOINT_PAGES_MAX).await {
        Ok((rows, _)) => {
            let endpoints: Vec<_> = rows.iter().map(Endpoint::of).collect();
            let url = format!(
                "{}/webhooks/{}",
                config.public_url.trim_end_matches('/'),
                source.name
            );
            out.extend(judge::endpoints(&endpoints_of, &endpoints, &url, source));
        }
        Err(no) => out.push(refused(&endpoints_of, no, "webhook endpoints")),
    }
    match list(
        &client,
        "subscriptions",
        &[("status", "all")],
        SUBSCRIPTION_PAGES_MAX,
    )
    .await
    {
        Ok((rows, whole)) => out.push(judge::prices(&prices_of, &rows, &config.plans, whole)),
        Err(no) => out.push(refused(&prices_of, no, "subscriptions")),
    }
    out
}

/// Why a list was not read.
enum NoList {
    /// The key is wrong.
    Key(String),
    /// Stripe does not answer, though it was asked several times.
    Unanswered(String),
    /// Anything else that it refuses.
    Refused(String),
}

fn refused(subject: &str, no: NoList, what: &str) -> Tried {
    let (why, hint) = match no {
        NoList::Key(why) => (why, WRONG_KEY.to_owned()),
        NoList::Unanswered(why) => (why, "try again in a while".to_owned()),
        NoList::Refused(why) => (
            why,
            format!("`api_key` of the source: a restricted key must be allowed to read {what}"),
        ),
    };
    Tried::new(Verdict::Bad, subject, why).hint(hint)
}

/// One page, asked for again while that can help.
async fn page(client: &Client, what: &str, query: &[(&str, &str)]) -> Result<Value, NoList> {
    let mut wait = FIRST_WAIT;
    let mut said = String::new();
    for _ in 0..TRIES_MAX {
        match client.get(&[what], query, None).await {
            Answer::Done(page) => return Ok(page),
            Answer::Again { after, why, .. } => {
                said = why;
                pause(wait.max(after.unwrap_or(Span::ZERO)).min(WAIT_MAX)).await;
                wait = Span::from_ms(wait.ms() * 2);
            }
            Answer::Refused {
                refusal: StripeRefusal::Key,
                why,
            } => return Err(NoList::Key(why)),
            Answer::Refused { why, .. } => return Err(NoList::Refused(why)),
        }
    }
    Err(NoList::Unanswered(said))
}

/// Reads a list page by page. The flag says whether its end was reached.
async fn list(
    client: &Client,
    what: &str,
    query: &[(&str, &str)],
    pages_max: usize,
) -> Result<(Vec<Value>, bool), NoList> {
    let mut rows: Vec<Value> = Vec::new();
    for _ in 0..pages_max {
        let last = rows
            .last()
            .and_then(|r| r["id"].as_str())
            .map(str::to_owned);
        let mut query = [&[("limit", "100")], query].concat();
        query.extend(last.as_deref().map(|id| ("starting_after", id)));
        let page = page(client, what, &query).await?;
        let Some(data) = page["data"].as_array() else {
            let why = "the answer is no list: is `api_base` Stripe's API?";
            return Err(NoList::Refused(why.to_owned()));
        };
        let more = page["has_more"].as_bool().unwrap_or(false) && !data.is_empty();
        rows.extend(data.iter().cloned());
        if !more {
            return Ok((rows, true));
        }
    }
    Ok((rows, false))
}
