//! Who sent a webhook, and when: raw bytes and a header to `Verified`, or a refusal that tells the operator what to check.
//!
//! The header is `Stripe-Signature: t=<unix s>,v1=<hex>[,v1=<hex>…][,v0=<hex>]`; what is signed is `t` as written, a dot
//! and the raw body (<https://docs.stripe.com/webhooks#verify-manually>). Nothing here looks into the body.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// Bytes that came from Stripe. Only `verify` makes one, so what was not verified cannot be parsed as a delivery.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    body: &'a [u8],
    t: Timestamp,
}

impl<'a> Verified<'a> {
    /// The raw body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
    /// When this delivery attempt was signed. Says nothing of when the event happened.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.t
    }
}

impl fmt::Debug for Verified<'_> {
    /// Bodies hold addresses and names, which belong into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes, signed {})", self.body.len(), self.t)
    }
}

/// Why a request was not accepted as Stripe's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing to verify with.
    #[error(
        "this source has no usable signing secret: set the endpoint's `whsec_…` (Stripe Dashboard, Webhooks, \
         the endpoint, Signing secret)"
    )]
    NoSecret,
    /// No `Stripe-Signature`.
    #[error(
        "the request has no Stripe-Signature header: either it is not from Stripe, or a proxy in front of Keyward \
         drops the header"
    )]
    NoHeader,
    /// A header that is not of Stripe's form.
    #[error(
        "the Stripe-Signature header cannot be read: {why}; check whether a proxy rewrites headers"
    )]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
    },
    /// No `v1` among the signatures.
    #[error(
        "the Stripe-Signature header has no v1 signature (v0 is a fake one and proves nothing): check that the \
         sender is Stripe"
    )]
    NoV1,
    /// Signed, but long ago.
    #[error(
        "the request was signed {age} before it was received: check that this machine's clock is synchronized (NTP); \
         otherwise somebody replays an old delivery"
    )]
    TooOld {
        /// How long before its receipt it was signed.
        age: Span,
    },
    /// No signature fits.
    #[error(
        "no signature matches: check that the secret is this endpoint's own (test and live mode, and `stripe listen`, \
         each have another), is complete and without blanks, and that no proxy changes the body"
    )]
    NoMatch,
}

impl SignatureError {
    /// A short word for a metric's label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSecret => "no_secret",
            Self::NoHeader => "no_header",
            Self::Malformed { .. } => "malformed_header",
            Self::NoV1 => "no_v1",
            Self::TooOld { .. } => "too_old",
            Self::NoMatch => "no_match",
        }
    }
}

/// Length of an HMAC-SHA256.
const MAC_BYTES: usize = 32;
/// More signatures than this are not read: Stripe sends one per active secret, which is one or two.
const V1_MAX: usize = 16;

/// What the header says.
struct Header<'a> {
    t_text: &'a str,
    t: Timestamp,
    v1: Vec<[u8; MAC_BYTES]>,
}

/// Verifies that Stripe signed the body with one of the secrets, not longer ago than the tolerance.
///
/// As in Stripe's own libraries a tolerance of zero switches the check of age off, and a `t` in the future passes. Age is
/// looked at only once the signature is known to be good, so that "too old" always means clock or replay.
///
/// # Errors
/// When anything is missing, illegible, too old, or does not match.
pub fn verify<'a>(
    body: &'a [u8],
    header: Option<&str>,
    secrets: &[Secret],
    tolerance: Span,
    received: Timestamp,
) -> Result<Verified<'a>, SignatureError> {
    // An empty key would let anybody sign.
    let usable = || secrets.iter().filter(|s| !s.reveal().is_empty());
    if usable().next().is_none() {
        return Err(SignatureError::NoSecret);
    }
    let header = read_header(header.ok_or(SignatureError::NoHeader)?)?;
    let mut matches = false;
    for secret in usable() {
        let Some(mac) = mac(body, secret, header.t_text) else {
            continue;
        };
        for v1 in &header.v1 {
            // No early end: how long it takes tells nothing of which secret or signature fits.
            matches |= mac.clone().verify_slice(v1).is_ok();
        }
    }
    if !matches {
        return Err(SignatureError::NoMatch);
    }
    let age = received.whole_s() - header.t;
    if tolerance > Span::ZERO && age > tolerance {
        return Err(SignatureError::TooOld { age });
    }
    Ok(Verified { body, t: header.t })
}

/// The header with which Stripe would send this body, for the demo and tests.
#[must_use]
pub fn sign(body: &[u8], secret: &Secret, t: Timestamp) -> String {
    let t = t.s().max(0);
    let signature =
        mac(body, secret, &t.to_string()).map(|m| hex::encode(m.finalize().into_bytes()));
    format!("t={t},v1={}", signature.unwrap_or_default())
}

/// The MAC over `t.body`. HMAC takes keys of any length, so there always is one.
fn mac(body: &[u8], secret: &Secret, t: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn read_header(header: &str) -> Result<Header<'_>, SignatureError> {
    let malformed = |why| SignatureError::Malformed { why };
    let (mut t_text, mut v1, mut v1_seen) = (None, Vec::new(), 0);
    for (scheme, value) in header.split(',').filter_map(|part| part.split_once('=')) {
        match scheme.trim() {
            "t" if t_text.is_some() => return Err(malformed("it has more than one `t`")),
            "t" => t_text = Some(value.trim()),
            "v1" => {
                v1_seen += 1;
                let mut bytes = [0; MAC_BYTES];
                if v1.len() < V1_MAX && hex::decode_to_slice(value.trim(), &mut bytes).is_ok() {
                    v1.push(bytes);
                }
            }
            _ => {}
        }
    }
    let t_text = t_text.ok_or(malformed("it has no `t`"))?;
    let digits = !t_text.is_empty() && t_text.bytes().all(|b| b.is_ascii_digit());
    let t = t_text
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or(malformed("its `t` is not a number of seconds"))?;
    match (v1_seen, v1.is_empty()) {
        (0, _) => Err(SignatureError::NoV1),
        (_, true) => Err(malformed("its `v1` is not 64 hexadecimal digits")),
        (_, false) => Ok(Header {
            t_text,
            t: Timestamp::from_s(t),
            v1,
        }),
    }
}
