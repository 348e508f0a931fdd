//! Signed one-time purchases, made and signed before they are sent so that the generator costs little while it measures.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use keyward::clock::Clock;
use sha2::Sha256;

use crate::history::Live;
use crate::template::{Template, customer_id, id, timed_id};

/// The endpoint secret that all servers share.
pub(crate) const SECRET: &str = "whsec_bench5uJm2Qw8ZrT1yXc7VbN4kLp9";
/// The application that the purchases name in their metadata.
pub(crate) const APP: &str = "6f1c2b1e-5a0d-4a7e-9a54-0b7c1d2e3f40";
/// Where every server takes deliveries.
pub(crate) const PATH: &str = "/webhooks/stripe";

/// A run of requests as they go over the wire.
pub(crate) type Requests = Vec<Vec<u8>>;

/// Purchases `from..to`: each with an event, a session, a payment and a buyer of its own; dated and signed now.
pub(crate) fn requests(from: usize, to: usize) -> Result<Requests> {
    let template = Template::new(include_str!("events/purchase.json"));
    let now_s = Clock::Wall.now().s();
    (from..to)
        .map(|n| request(&body(&template, n as u64, now_s), now_s))
        .collect()
}

/// Purchases from number `from` on, one at a time for as long as it lasts: dated and signed when they are asked for.
pub(crate) fn endless(from: usize) -> impl FnMut() -> Result<Vec<u8>> {
    let template = Template::new(include_str!("events/purchase.json"));
    let mut n = from;
    move || {
        let now_s = Clock::Wall.now().s();
        n += 1;
        request(&body(&template, (n - 1) as u64, now_s), now_s)
    }
}

/// Subscriptions with their renewals and updates, mixed: of [`TOGETHER`] machines the [`MIXED_STEPS`] first events each, out of
/// order, every twentieth twice.
pub(crate) fn mixed() -> impl FnMut() -> Result<Vec<u8>> {
    let live = Live::new(Clock::Wall.now().s());
    let (mut n, mut again) = (0, None);
    move || {
        if let Some(twice) = again.take() {
            return Ok(twice);
        }
        let (block, at) = (n / BLOCK, n % BLOCK);
        let shuffled = at * STRIDE % BLOCK;
        let (machine, step) = (
            block * TOGETHER + shuffled / MIXED_STEPS,
            shuffled % MIXED_STEPS,
        );
        n += 1;
        let request = request(&live.body(machine, step), Clock::Wall.now().s())?;
        if n % 20 == 0 {
            again = Some(request.clone());
        }
        Ok(request)
    }
}

/// Machines whose events are mixed with one another.
const TOGETHER: usize = 64;
/// A first month, its renewal, and the updates around them.
const MIXED_STEPS: usize = 5;
const BLOCK: usize = TOGETHER * MIXED_STEPS;
/// Has no divisor in common with a block, so every event comes once.
const STRIDE: usize = 77;

fn body(template: &Template, n: u64, now_s: i64) -> String {
    template.fill(|slot| match slot {
        "created" => now_s.to_string(),
        "expires" => (now_s + 86_400).to_string(),
        "app" => APP.to_owned(),
        "session" => id(slot, n, 56),
        "customer" => customer_id(n, now_s),
        "postal" => format!("{:05}", n % 99_999),
        "mailbox" => id(slot, n, 9).to_lowercase(),
        _ => timed_id(slot, n, now_s),
    })
}

/// A body as it goes over the wire.
pub(crate) fn request(body: &str, now_s: i64) -> Result<Vec<u8>> {
    let signature = sign(body, now_s)?;
    let length = body.len();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
         Accept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {length}\r\n\
         Stripe-Signature: t={now_s},v1={signature}\r\n\r\n"
    );
    let mut bytes = Vec::with_capacity(head.len() + length);
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(body.as_bytes());
    Ok(bytes)
}

/// The hex signature of a body sent at an instant.
fn sign(body: &str, at_s: i64) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())
        .context("a key of any length serves HMAC")?;
    mac.update(at_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}
