//! What a far end said, as it may be kept, logged and mailed: on one line, of bounded length, without mail addresses and
//! without the secrets that it was told.
//!
//! Mail servers repeat the recipient in each refusal, some repeat the line that logs in, and services name the customer in
//! what they write for people. Whatever a far end says goes through here before it becomes anybody's reason.

/// What stands where an address stood.
const ADDRESS: &str = "<address>";
/// What stands where a secret stood.
const HIDDEN: &str = "…";
/// How an address's `@` is written: by itself, in a URL, in JSON.
const ATS: [&str; 3] = ["@", "%40", "\\u0040"];
/// From so many characters on the beginning of a secret is taken for it: far ends cut what they repeat.
const BEGINNING_MIN: usize = 8;
/// From so many characters on a secret is looked for inside of words, too; shorter ones stand in too many of them.
const INSIDE_MIN: usize = 6;

/// A far end's text: its beginning on one line, without what a terminal would obey and without mail addresses.
pub(super) fn told(text: &str, chars_max: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    // Before it is cut: half an address is still somebody's.
    let mut out = without_addresses(&words.join(" "));
    if out.chars().count() > chars_max {
        out = out.chars().take(chars_max).chain(['…']).collect();
    }
    out
}

fn without_addresses(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((at, len)) = next_at(rest) {
        let (before, after) = (&rest[..at], &rest[at + len..]);
        let (kept, tail) = (without_local_part(before), without_domain(after));
        if kept.len() == before.len() {
            out.push_str(&rest[..at + len]);
            rest = after;
            continue;
        }
        let bare = kept.strip_suffix('<').zip(tail.strip_prefix('>'));
        let (kept, tail) = bare.unwrap_or((kept, tail));
        out.push_str(kept);
        out.push_str(ADDRESS);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Where the next `@` stands, and how long it is.
fn next_at(text: &str) -> Option<(usize, usize)> {
    let found = ATS.iter().filter_map(|at| Some((text.find(at)?, at.len())));
    found.min()
}

/// What stands before an address, of what stands before its `@`.
fn without_local_part(before: &str) -> &str {
    if let Some(quoted) = before.strip_suffix('"') {
        return quoted.rfind('"').map_or("", |begins| &quoted[..begins]);
    }
    let of_name = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-\\".contains(c);
    let kept = before.trim_end_matches(of_name);
    let name = &before[kept.len()..];
    // Quotation marks around the address, not of it.
    let marks = name.len() - name.trim_start_matches(['\'', '`']).len();
    &before[..kept.len() + marks]
}

/// What stands after an address, of what stands after its `@`.
fn without_domain(after: &str) -> &str {
    if let Some(literal) = after.strip_prefix('[') {
        return literal.split_once(']').map_or("", |(_, tail)| tail);
    }
    let tail = after.trim_start_matches(|c: char| c.is_alphanumeric() || "._-".contains(c));
    let domain = &after[..after.len() - tail.len()];
    &after[domain.trim_end_matches(['.', '-']).len()..]
}

/// Texts that a far end was told and that no reason may repeat.
#[derive(Clone, Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    /// Hides these, whatever case they come back in.
    pub(super) fn new<T: AsRef<str>>(secrets: impl IntoIterator<Item = T>) -> Self {
        let plain = |s: T| s.as_ref().trim().trim_end_matches('=').to_ascii_lowercase();
        let mut all: Vec<String> = secrets.into_iter().map(plain).collect();
        all.retain(|secret| !secret.is_empty());
        // The longest first: a shorter one may be a part of it.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all)
    }

    /// The text without them, and without what is only the beginning of one.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for secret in self.0.iter().filter(|s| s.chars().count() >= INSIDE_MIN) {
            while let Some(at) = out.to_ascii_lowercase().find(secret.as_str()) {
                let rest = &out[at + secret.len()..];
                let padding = rest.len() - rest.trim_start_matches('=').len();
                out.replace_range(at..at + secret.len() + padding, HIDDEN);
            }
        }
        let of_word = |c: char| c.is_alphanumeric() || "+/=_-".contains(c);
        let (mut hidden, mut rest) = (String::new(), out.as_str());
        while let Some(begins) = rest.find(of_word) {
            let (before, from) = rest.split_at(begins);
            let (word, tail) = from.split_at(from.find(|c| !of_word(c)).unwrap_or(from.len()));
            hidden.push_str(before);
            hidden.push_str(if self.is_one(word) { HIDDEN } else { word });
            rest = tail;
        }
        hidden + rest
    }

    fn is_one(&self, word: &str) -> bool {
        let word = word.trim_end_matches('=').to_ascii_lowercase();
        let is_beginning = |s: &String| word.len() >= BEGINNING_MIN && s.starts_with(&word);
        self.0.iter().any(|s| *s == word || is_beginning(s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_kept() {
        for (said, kept) in [
            (
                "5.1.1 <jane@example.com>: Recipient address rejected: User unknown",
                "5.1.1 <address>: Recipient address rejected: User unknown",
            ),
            ("jane@example.com.", "<address>."),
            (
                "mail to 'o'brien@example.com' failed",
                "mail to '<address>' failed",
            ),
            (
                r#"{"email":"jane+x@example.com"}"#,
                r#"{"email":"<address>"}"#,
            ),
            (
                r#"{"email":"jane\u0040example.com"}"#,
                r#"{"email":"<address>"}"#,
            ),
            ("/v1/find?q=jane%40example.com&x=1", "<address>&x=1"),
            ("<\"jane doe\"@example.com> no", "<address> no"),
            ("jane@[192.0.2.1]: no", "<address>: no"),
            ("żółw@bücher.example: no", "<address>: no"),
            ("no jane=example.com@bounce.example", "no <address>"),
            ("a@b.example, c@d.example", "<address>, <address>"),
            (
                "mail for @example.com\r\n is not ours",
                "mail for @example.com is not ours",
            ),
            ("jane@", "<address>"),
            ("", ""),
        ] {
            assert_eq!(told(said, 300), kept, "{said}");
        }
    }

    #[test]
    fn half_an_address_is_none_either() {
        assert_eq!(told("user jane@example.com", 8), "user <ad…");
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let hidden = Hidden::new(["hunter22", "AGJvYgBodW50ZXIyMg==", "bob", "a"]);
        for (said, kept) in [
            ("no: AUTH PLAIN AGJvYgBodW50ZXIyMg==", "no: AUTH PLAIN …"),
            ("no: AUTH PLAIN AGJVYGBODW50ZXIYMG", "no: AUTH PLAIN …"),
            ("no: AUTH PLAIN AGJvYgBodW5", "no: AUTH PLAIN …"),
            ("xHunter22x for Bob", "x…x for …"),
            ("bobsled, a bad one", "bobsled, … bad one"),
            ("", ""),
        ] {
            assert_eq!(hidden.hide(said), kept, "{said}");
        }
        assert_eq!(Hidden::default().hide("a"), "a");
    }
}
