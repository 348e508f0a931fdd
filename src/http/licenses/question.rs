//! A program's question: bytes to fields that hold what they should, or a problem that says what is wrong.

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;

use crate::domain::time::Span;
use crate::embedded::ProgramQuestion;
use crate::http::problem::Problem;

/// The largest question, in bytes: all fields at their longest, and room.
const BODY_MAX: usize = 4 << 10;
/// The longest key, application and device, in bytes.
const FIELD_MAX: usize = 128;
/// How long a nonce is: shorter ones could come again by chance.
const NONCE_LEN: std::ops::RangeInclusive<usize> = 16..=128;

#[derive(Deserialize)]
struct QuestionBody {
    key: String,
    app: String,
    device: String,
    nonce: String,
}

/// Reads a question, within its length and its time.
pub(super) async fn read(body: Body, patience: Span) -> Result<ProgramQuestion, Problem> {
    let collected = Limited::new(body, BODY_MAX).collect();
    let bytes = match tokio::time::timeout(patience.to_std(), collected).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("a question has at most {BODY_MAX} bytes"),
            ));
        }
        Ok(Err(_)) => return Err(bad("cut_off", "the body ended before its announced length")),
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the body did not arrive in time",
            ));
        }
    };
    let body: QuestionBody = serde_json::from_slice(&bytes).map_err(|_| {
        bad(
            "bad_request",
            "the body must be a JSON object with the texts `key`, `app`, `device` and `nonce`",
        )
    })?;
    check(body)
}

fn check(body: QuestionBody) -> Result<ProgramQuestion, Problem> {
    let QuestionBody {
        key,
        app,
        device,
        nonce,
    } = body;
    for (name, text) in [("key", &key), ("app", &app), ("device", &device)] {
        if text.trim().is_empty() || text.len() > FIELD_MAX || text.chars().any(char::is_control) {
            let wanted =
                format!("`{name}` must be a text of 1 to {FIELD_MAX} bytes on a single line");
            return Err(bad("bad_request", wanted));
        }
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !NONCE_LEN.contains(&nonce.len()) || !nonce.bytes().all(plain) {
        let wanted =
            "`nonce` must be 16 to 128 letters, digits, `-` and `_`, new for each question";
        return Err(bad("bad_request", wanted));
    }
    Ok(ProgramQuestion {
        key,
        app,
        device,
        nonce,
    })
}

fn bad(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, message)
}
