//! What an answer of the license service means for the action that asked. Pure: every answer that is documented or
//! that we ever met is a line of the tests.
//!
//! The status decides, for a gateway's 429 or 5xx comes with a body of its own form; the body adds the words. The
//! table is §4 of our notes on AuthForge (its Error Codes Reference, `docs.authforge.cc/api/errors`).

use super::{Answer, Refusal, RefusalKind};
use crate::domain::time::Span;
use crate::effects::far_words;
use crate::effects::throttle::CallResult;

/// The longest wait that a service may ask for; more is a mistake, and a person can always retry sooner.
pub const RETRY_AFTER_MAX: Span = Span::from_hours(1);
/// How much of an answer a person is shown, in characters.
const EXCERPT_MAX: usize = 200;
/// How much of it is looked at, in bytes: what a page squeezes out, and what is cut here, lies far behind what is shown.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Sorts an answer by what is to be done next. `read` reads the body of a success; `None` from it is an unreadable one.
pub fn meaning<T>(
    status: u16,
    body: &[u8],
    retry_after: Option<Span>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Answer<T> {
    let kind = match status {
        200..=299 => {
            return match read(body) {
                Some(t) => Answer::Done(t),
                // Not even its beginning is shown: it may hold the new license's key.
                None => Answer::Unknown {
                    after: None,
                    why: format!("{status}, but illegible ({} bytes)", body.len()),
                },
            };
        }
        429 => {
            return Answer::Again {
                after: retry_after,
                why: words(status, body),
            };
        }
        // A server's or a gateway's trouble, or a status that we do not know: it may have acted.
        ..=299 | 408 | 500.. => {
            return Answer::Unknown {
                after: retry_after,
                why: words(status, body),
            };
        }
        400 => RefusalKind::BadRequest,
        401 => RefusalKind::BadKey,
        402 => RefusalKind::NoCredits,
        403 => RefusalKind::Forbidden,
        404 => RefusalKind::NotFound,
        300..=499 => RefusalKind::Other,
    };
    let (code, message) = error_in(body);
    Answer::Refused(Refusal {
        kind,
        status,
        code,
        message,
    })
}

impl<T> Answer<T> {
    /// What it tells the service's breaker.
    #[must_use]
    pub fn call_result(&self) -> CallResult {
        match self {
            Self::Done(_) => CallResult::Good,
            Self::Again { after, .. } => CallResult::Slow { after: *after },
            Self::NotSent { .. } | Self::Unknown { .. } => CallResult::Broken,
            Self::Refused(refusal) if refusal.status == 0 => CallResult::Unsent,
            Self::Refused(refusal) if refusal.kind == RefusalKind::BadKey => CallResult::Locked,
            Self::Refused(_) => CallResult::Good,
        }
    }

    /// What it says, where it is no success.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Done(_) => String::new(),
            Self::Again { why, .. } | Self::NotSent { why } | Self::Unknown { why, .. } => {
                why.clone()
            }
            Self::Refused(refusal) => refusal.to_string(),
        }
    }

    /// What it tells the breaker of the creates, which is about credits alone.
    #[must_use]
    pub fn credits_result(&self) -> CallResult {
        match self {
            Self::Done(_) => CallResult::Good,
            Self::Refused(refusal) if refusal.kind == RefusalKind::NoCredits => CallResult::Locked,
            Self::Refused(_) | Self::Again { .. } | Self::NotSent { .. } | Self::Unknown { .. } => {
                CallResult::Unsent
            }
        }
    }
}

/// Reads `Retry-After`: seconds, or a date, which is measured against the answer's own `Date` so that no clock of ours
/// is asked (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Span> {
    let span = if let Ok(s) = value.trim().parse::<u32>() {
        Span::from_s(i64::from(s))
    } else {
        let until = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
        let from = chrono::DateTime::parse_from_rfc2822(date?.trim()).ok()?;
        Span::from_ms((until - from).num_milliseconds())
    };
    Some(span.clamp(Span::ZERO, RETRY_AFTER_MAX))
}

/// The documented error object, or the beginning of whatever came instead.
fn error_in(body: &[u8]) -> (String, String) {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        error: String,
        #[serde(default)]
        message: String,
    }
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(error) if is_code(&error.error) => (error.error, excerpt(error.message.as_bytes())),
        Ok(_) | Err(_) => (String::new(), excerpt(body)),
    }
}

/// A word for programs, and not a sentence that might repeat a key.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn words(status: u16, body: &[u8]) -> String {
    let (code, message) = error_in(body);
    let mut words = status.to_string();
    for part in [code, message] {
        if !part.is_empty() {
            words.push(' ');
            words.push_str(&part);
        }
    }
    words
}

/// The beginning of a text, as it may be kept.
fn excerpt(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(bytes.get(..HEAD_BYTES_MAX).unwrap_or(bytes));
    far_words::told(&head, EXCERPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<html>\n<head><title>502 Bad Gateway</title></head>\n</html>";

    /// One word for the kind of answer, for the table.
    fn sort(status: u16, body: &str) -> String {
        match meaning(status, body.as_bytes(), Some(Span::from_s(7)), |b| {
            (b == b"good").then_some(())
        }) {
            Answer::Done(()) => "done".into(),
            Answer::Again { after, .. } => format!("again after {}", after.unwrap()),
            Answer::NotSent { .. } => "not sent".into(),
            Answer::Unknown { after: None, .. } => "unknown".into(),
            Answer::Unknown {
                after: Some(after), ..
            } => format!("unknown after {after}"),
            Answer::Refused(r) => format!("{:?} [{}] {}", r.kind, r.code, r.message),
        }
    }

    #[test]
    fn every_documented_answer_has_its_meaning() {
        let cases = [
            (200, "good", "done"),
            (201, "good", "done"),
            (204, "good", "done"),
            (200, "", "unknown"),
            (201, "{\"licenses\":[", "unknown"),
            (200, HTML, "unknown"),
            (
                400,
                r#"{"error":"bad_request","message":"maxHwidSlots"}"#,
                "BadRequest [bad_request] maxHwidSlots",
            ),
            (
                401,
                r#"{"error":"invalid_api_key","message":"no"}"#,
                "BadKey [invalid_api_key] no",
            ),
            (
                402,
                r#"{"error":"no_credits","message":"top up"}"#,
                "NoCredits [no_credits] top up",
            ),
            (403, r#"{"error":"forbidden"}"#, "Forbidden [forbidden] "),
            (
                403,
                r#"{"message":"Missing Authentication Token"}"#,
                "Forbidden [] {\"message\":\"Missing Authentication Token\"}",
            ),
            (
                404,
                r#"{"error":"not_found","message":"x"}"#,
                "NotFound [not_found] x",
            ),
            (404, "", "NotFound [] "),
            (409, "in\nuse\u{1b}[31m", "Other [] in use [31m"),
            (
                422,
                r#"{"error":"invalid","message":"date"}"#,
                "Other [invalid] date",
            ),
            (301, "", "Other [] "),
            (408, "", "unknown after 7s"),
            (
                429,
                r#"{"error":"rate_limited","message":"slow"}"#,
                "again after 7s",
            ),
            (429, HTML, "again after 7s"),
            (500, r#"{"error":"internal_error"}"#, "unknown after 7s"),
            (502, HTML, "unknown after 7s"),
            (503, "", "unknown after 7s"),
            (504, HTML, "unknown after 7s"),
            (599, "", "unknown after 7s"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(sort(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn words_name_status_code_and_message() {
        let said = |status, body: &str| match meaning(status, body.as_bytes(), None, |_| None::<()>)
        {
            Answer::Unknown { why, .. } | Answer::Again { why, .. } | Answer::NotSent { why } => {
                why
            }
            Answer::Done(()) => "done".into(),
            Answer::Refused(refusal) => refusal.to_string(),
        };
        assert_eq!(
            said(500, r#"{"error":"internal_error","message":"oops"}"#),
            "500 internal_error oops"
        );
        assert_eq!(
            said(502, HTML),
            "502 <html> <head><title>502 Bad Gateway</title></head> </html>"
        );
        assert_eq!(said(503, ""), "503");
        assert_eq!(
            said(500, &"é".repeat(10_000)).chars().count(),
            "500 ".len() + EXCERPT_MAX + 1
        );
    }

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date() {
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        for (value, date, expected_s) in [
            ("3", None, Some(3)),
            (" 0 ", None, Some(0)),
            ("86400", None, Some(3600)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some(date), Some(30)),
            ("Wed, 21 Oct 2026 07:27:00 GMT", Some(date), Some(0)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", None, None),
            ("soon", Some(date), None),
            ("-1", None, None),
        ] {
            assert_eq!(
                retry_after(value, date),
                expected_s.map(Span::from_s),
                "{value}"
            );
        }
    }

    #[test]
    fn an_answer_names_nobody() {
        let body = br#"{"error":"forbidden","message":"jane@example.com may not"}"#;
        for status in [403, 503] {
            let why = meaning::<()>(status, body, None, |_| None).why();
            assert_eq!(
                why.replace(':', ""),
                format!("{status} forbidden <address> may not")
            );
        }
    }
}
