//! What an answer of Stripe's API means. Pure: every answer that is documented or that we ever met is a line of the tests.
//!
//! Everything that is asked is a read, so whatever was not answered is simply asked again. The table is Stripe's
//! (<https://docs.stripe.com/error-low-level>); the header `Stripe-Should-Retry` goes before it.

use serde_json::Value;

use crate::domain::action::{Outcome, RefusalScope};
use crate::domain::time::Span;
use crate::effects::far_words;
use crate::effects::throttle::CallResult;

/// How much of Stripe's own words a person is shown, in characters.
const EXCERPT_MAX: usize = 300;

/// An answer, sorted by what is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// What was asked for.
    Done(T),
    /// Not now: ask again, not before the given span if there is one.
    Again {
        /// Stripe's own wish.
        after: Option<Span>,
        /// Whether it asked for patience (429) instead of failing.
        limited: bool,
        /// What happened.
        why: String,
    },
    /// Asking again does not help until a person has mended something.
    Refused {
        /// What has to be mended.
        refusal: StripeRefusal,
        /// What it said.
        why: String,
    },
}

/// Why Stripe refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripeRefusal {
    /// The API key is wrong, revoked or expired: nothing is answered.
    Key,
    /// The key may not read this kind of object.
    Permission,
    /// There is no such object, or it is one of the other mode or of another account.
    Missing,
    /// The question itself.
    Question,
}

/// What helps against [`StripeRefusal::Key`].
pub const WRONG_KEY: &str = "the `api_key` is not known at Stripe, or was revoked: copy it again, whole, and of the account and mode that is meant";

/// What came with an answer besides its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `Retry-After`.
    pub retry_after: Option<Span>,
    /// `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
}

/// Sorts an answer. A success whose body cannot be read is asked for again.
#[must_use]
pub fn meaning(status: u16, body: &[u8], hints: Hints) -> Answer<Value> {
    if (200..300).contains(&status) {
        return match serde_json::from_slice(body) {
            Ok(json) => Answer::Done(json),
            Err(_) => {
                let why = format!("{status}, but illegible ({} bytes)", body.len());
                Answer::Again {
                    after: hints.retry_after,
                    limited: false,
                    why,
                }
            }
        };
    }
    let why = words(status, body);
    let again = match hints.should_retry {
        Some(told) => told,
        None => matches!(status, 408 | 409 | 429 | 500..) || status < 400,
    };
    if again {
        return Answer::Again {
            after: hints.retry_after,
            limited: status == 429,
            why,
        };
    }
    let refusal = match status {
        401 => StripeRefusal::Key,
        403 => StripeRefusal::Permission,
        404 => StripeRefusal::Missing,
        _ => StripeRefusal::Question,
    };
    Answer::Refused { refusal, why }
}

impl<T> Answer<T> {
    /// The same with another body.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Done(t) => Answer::Done(with(t)),
            Self::Again {
                after,
                limited,
                why,
            } => Answer::Again {
                after,
                limited,
                why,
            },
            Self::Refused { refusal, why } => Answer::Refused { refusal, why },
        }
    }

    /// What was asked for, or how the asking ended, whatever was asked for.
    ///
    /// # Errors
    /// The answer, if it is none.
    pub fn done<U>(self) -> Result<T, Answer<U>> {
        match self {
            Self::Done(t) => Ok(t),
            Self::Again {
                after,
                limited,
                why,
            } => Err(Answer::Again {
                after,
                limited,
                why,
            }),
            Self::Refused { refusal, why } => Err(Answer::Refused { refusal, why }),
        }
    }

    /// What it tells the account's breaker.
    #[must_use]
    pub const fn call_result(&self) -> CallResult {
        match self {
            Self::Again {
                after,
                limited: true,
                ..
            } => CallResult::Slow { after: *after },
            Self::Again { .. } => CallResult::Broken,
            Self::Refused {
                refusal: StripeRefusal::Key,
                ..
            } => CallResult::Locked,
            Self::Done(_) | Self::Refused { .. } => CallResult::Good,
        }
    }

    /// What it says, where it is no success.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Done(_) => String::new(),
            Self::Again { why, .. } | Self::Refused { why, .. } => why.clone(),
        }
    }

    /// What it means for the work that asked.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Done(_) => Outcome::Answered,
            Self::Again { after, why, .. } => Outcome::Again {
                after: *after,
                why: why.clone(),
            },
            Self::Refused { refusal, why } => {
                let service_wide =
                    matches!(refusal, StripeRefusal::Key | StripeRefusal::Permission);
                Outcome::Refused {
                    why: why.clone(),
                    scope: if service_wide {
                        RefusalScope::Service
                    } else {
                        RefusalScope::Action
                    },
                }
            }
        }
    }
}

/// The status with Stripe's own words, without anything that looks like a key.
fn words(status: u16, body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = &json["error"];
    let name = error["code"]
        .as_str()
        .or_else(|| error["type"].as_str())
        .unwrap_or_default();
    let mut words = status.to_string();
    for part in [name, error["message"].as_str().unwrap_or_default()] {
        if !part.is_empty() {
            words.push(' ');
            words.push_str(&hushed(part));
        }
    }
    words
}

/// A text on one line, not too long, with keys made unreadable: Stripe repeats the last characters of a wrong one.
fn hushed(text: &str) -> String {
    let is_key = |word: &str| ["sk_", "rk_", "pk_"].iter().any(|p| word.contains(p));
    let clean: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .map(|word| if is_key(word) { "…" } else { word })
        .collect();
    far_words::told(&clean.join(" "), EXCERPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(status: u16, body: &str, should_retry: Option<bool>) -> String {
        let hints = Hints {
            retry_after: Some(Span::from_s(7)),
            should_retry,
        };
        match meaning(status, body.as_bytes(), hints) {
            Answer::Done(json) => format!("done {json}"),
            Answer::Again { after, limited, .. } => {
                format!(
                    "again after {:?}{}",
                    after,
                    if limited { ", limited" } else { "" }
                )
            }
            Answer::Refused { refusal, why } => format!("{refusal:?}: {why}"),
        }
    }

    #[test]
    fn every_documented_answer_has_its_meaning() {
        let later = format!("again after {:?}", Some(Span::from_s(7)));
        let limited = format!("{later}, limited");
        let wrong_key = r#"{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: rk_test_*****1234"}}"#;
        let may_not = r#"{"error":{"code":"more_permissions_required","message":"The provided key 'rk_live_***9' does not\nhave the required permissions: 'rak_charge_read'."}}"#;
        for (status, body, should_retry, expected) in [
            (200, r#"{"id":1}"#, None, r#"done {"id":1}"#),
            (200, "<html>", None, later.as_str()),
            (200, "", Some(false), &later),
            (302, "", None, &later),
            (
                400,
                r#"{"error":{"type":"invalid_request_error","message":"no"}}"#,
                None,
                "Question: 400 invalid_request_error no",
            ),
            (
                401,
                wrong_key,
                None,
                "Key: 401 invalid_request_error Invalid API Key provided: …",
            ),
            (
                403,
                may_not,
                None,
                "Permission: 403 more_permissions_required The provided key … does not have the required permissions: \
                 'rak_charge_read'.",
            ),
            (
                404,
                r#"{"error":{"code":"resource_missing"}}"#,
                None,
                "Missing: 404 resource_missing",
            ),
            (404, "", Some(true), &later),
            (409, "", None, &later),
            (429, r#"{"error":{"code":"rate_limit"}}"#, None, &limited),
            (429, "", Some(false), "Question: 429"),
            (500, "", None, &later),
            (503, "<html>", None, &later),
            (500, "", Some(false), "Question: 500"),
        ] {
            assert_eq!(
                sort(status, body, should_retry),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn an_answer_names_nobody() {
        let body = br#"{"error":{"type":"forbidden","message":"jane@example.com may not"}}"#;
        for status in [403, 503] {
            let why = meaning(status, body, Hints::default()).why();
            assert_eq!(
                why.trim_start_matches("refused: "),
                format!("{status} forbidden <address> may not")
            );
        }
    }
}
