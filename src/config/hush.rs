//! What no message about a config shows, whichever key it stands under: texts that look like secrets, and what came from the
//! environment.

use std::ops::Range;

/// How secrets of Stripe and of license services begin.
const BEGINNINGS: [&str; 7] = [
    "whsec_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "af_live_", "af_test_",
];
/// From so many characters on a value is looked for in messages without quotation marks, too; shorter ones are words.
const BARE_MIN: usize = 8;

/// Where a text holds what looks like a secret: what follows a known beginning, and name and password in a URL.
pub(super) fn looks_secret(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for beginning in BEGINNINGS {
        for (at, _) in text.match_indices(beginning) {
            let from = at + beginning.len();
            let rest = &text[from..];
            let of_secret = |c: char| c.is_alphanumeric() || "_-+/=".contains(c);
            let to = rest.find(|c| !of_secret(c)).unwrap_or(rest.len());
            spans.push(from..from + to);
        }
    }
    for (at, scheme) in text.match_indices("://") {
        let from = at + scheme.len();
        let rest = &text[from..];
        let url = |c: char| c.is_whitespace() || "\"'`".contains(c);
        let whole = &rest[..rest.find(url).unwrap_or(rest.len())];
        spans.extend(whole.rfind('@').map(|to| from..from + to));
    }
    spans.retain(|span| !span.is_empty());
    spans
}

/// A message without what looks like a secret.
pub(super) fn hushed(message: &str) -> String {
    let mut spans = looks_secret(message);
    spans.sort_by_key(|span| span.start);
    let (mut out, mut done) = (String::new(), 0);
    for span in spans {
        if span.start >= done {
            out.push_str(&message[done..span.start]);
            out.push('…');
        }
        done = done.max(span.end);
    }
    out + &message[done..]
}

/// A text of the file, and what its variables made of it.
#[derive(Clone, Debug)]
pub(super) struct Expanded {
    pub(super) written: String,
    pub(super) filled: String,
}

/// A message with texts as they are written in the file where it would show what a variable holds.
pub(super) fn as_written(message: String, expanded: &[Expanded]) -> String {
    let mut out = message;
    for Expanded { written, filled } in expanded {
        let filled = filled.trim();
        if filled.is_empty() {
            continue;
        }
        for mark in ['"', '`'] {
            out = out.replace(
                &format!("{mark}{filled}{mark}"),
                &format!("{mark}{written}{mark}"),
            );
        }
        if filled.chars().count() >= BARE_MIN {
            out = out.replace(filled, written);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        for (message, shown) in [
            (
                "`x` cannot be \"whsec_abc+/=\"",
                "`x` cannot be \"whsec_…\"",
            ),
            (
                "\"smtp://bob:pa/s@s@host\" is not",
                "\"smtp://…@host\" is not",
            ),
            ("\"https://sk_live_1@host\"", "\"https://…@host\""),
            (
                "a key, `rk_live_…` or `rk_test_…`",
                "a key, `rk_live_…` or `rk_test_…`",
            ),
            ("", ""),
        ] {
            assert_eq!(hushed(message), shown);
        }
    }

    #[test]
    fn what_a_variable_holds_is_not_shown() {
        let expanded = [
            Expanded {
                written: "${A}".to_owned(),
                filled: "1".to_owned(),
            },
            Expanded {
                written: "x${B}".to_owned(),
                filled: "xlong-enough ".to_owned(),
            },
        ];
        let message = "\"1\" is not from 1 to 10: xlong-enough".to_owned();
        assert_eq!(
            as_written(message, &expanded),
            "\"${A}\" is not from 1 to 10: x${B}"
        );
    }
}
