//! What is wrong with the text itself, and the text as it may be shown.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::hush;
use super::report::Position;
use super::tree::{Found, FoundKind};

/// Adds the mistakes of syntax, and takes out what they may have caused.
pub(super) fn syntax(text: &str, errors: &[toml::de::Error], found: &mut Vec<Found>) {
    if errors.is_empty() {
        return;
    }
    let line_of = |at: &Range<usize>| Position::of(text, at.clone()).line;
    let broken: Vec<usize> = errors
        .iter()
        .filter_map(toml::de::Error::span)
        .map(|s| line_of(&s))
        .collect();
    // Below a broken heading nothing is where it was meant to be.
    let is_heading = |at: &Range<usize>| {
        text.lines()
            .nth(line_of(at) - 1)
            .is_some_and(|l| l.trim_start().starts_with('['))
    };
    let broken_headings = errors
        .iter()
        .filter(|e| !is_duplicate(e))
        .filter_map(toml::de::Error::span)
        .filter(is_heading);
    let lost = broken_headings
        .map(|at| at.start)
        .min()
        .unwrap_or(usize::MAX);
    found.retain(|f| {
        f.kind != FoundKind::Absence
            && f.at
                .as_ref()
                .is_some_and(|at| at.start < lost && !broken.contains(&line_of(at)))
    });
    for error in errors {
        let hint = error.span().and_then(|at| syntax_hint(error, text, &at));
        let at = error.span();
        found.push(Found {
            kind: FoundKind::Mistake,
            at,
            message: error.message().to_owned(),
            hint,
        });
    }
}

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message().starts_with("duplicate")
}

/// What a broken line probably lacks, by what stands there. The value is not repeated: it may be a secret.
fn syntax_hint(error: &toml::de::Error, text: &str, at: &Range<usize>) -> Option<String> {
    let place = Position::of(text, at.clone());
    if is_duplicate(error) {
        return Some("it stands above already; keep one of the two".to_owned());
    }
    let line = text.lines().nth(place.line - 1)?.trim();
    let (key, value) = line
        .split_once('=')
        .map_or((line, ""), |(k, v)| (k.trim(), v.trim()));
    let hint = if line.starts_with('[') {
        "a heading is `[name]`, or `[[source]]` and `[[plan]]` for those of which there may be several"
    } else if !line.contains('=') {
        "every line is `key = value`, a `[heading]`, or a `# comment`"
    } else if value.is_empty() {
        return Some(format!("the value of `{key}` is missing"));
    } else if value.starts_with(|c: char| c.is_ascii_digit())
        && value.ends_with(|c: char| c.is_alphabetic())
    {
        return Some(format!("put the value in quotes: `{key} = \"…\"`"));
    } else {
        "texts stand in quotes, lists in `[…]` with commas between"
    };
    Some(hint.to_owned())
}

/// Where secrets stand that are written in the file itself, so that no message prints them.
pub(super) fn secrets(
    text: &str,
    file: &DeTable<'_>,
    errors: &[toml::de::Error],
) -> Vec<Range<usize>> {
    let mut spans = hush::looks_secret(text);
    collect_secrets(text, file, &mut spans);
    // A broken line may not have made it into the tree.
    for at in errors.iter().filter_map(toml::de::Error::span) {
        let start = text[..text.floor_char_boundary(at.start)]
            .rfind('\n')
            .map_or(0, |i| i + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        if let Some((key, value)) = line
            .split_once('=')
            .filter(|(key, _)| is_secret(key.trim()) || is_url(key.trim()))
        {
            let value = start + key.len() + 1..start + key.len() + 1 + value.len();
            spans.push(value);
        }
    }
    spans
}

/// What the keys of secrets have in their names, however they are written: a key that is mistyped has a secret all the same.
const SECRET_NAMES: [&str; 4] = ["apikey", "secret", "password", "token"];

fn is_secret(key: &str) -> bool {
    let plain = key.replace(['_', '-', '"'], "").to_ascii_lowercase();
    SECRET_NAMES.iter().any(|name| plain.contains(name))
}

/// Of a URL its scheme and server are no secrets.
fn is_url(key: &str) -> bool {
    matches!(key, "url" | "heartbeat_url")
}

fn collect_secrets(text: &str, table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for (name, item) in table.iter() {
        match name.get_ref().as_ref() {
            name if is_url(name) => spans.extend(around_server(text, item.span())),
            name if is_secret(name) => spans.push(item.span()),
            _ => {}
        }
        match item.get_ref() {
            DeValue::Table(inner) => collect_secrets(text, inner, spans),
            DeValue::Array(items) => {
                for inner in items.iter().filter_map(|i| i.get_ref().as_table()) {
                    collect_secrets(text, inner, spans);
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

/// What stands before and behind the server in a URL: name and password, and a path that may be as good as one.
fn around_server(text: &str, at: Range<usize>) -> Vec<Range<usize>> {
    let Some(url) = text.get(at.clone()) else {
        return vec![at];
    };
    let scheme = url.find("://").map_or(0, |i| i + 3);
    let server = url[scheme..].rfind('@').map_or(scheme, |i| scheme + i + 1);
    let path = url[server..].find('/').map_or(url.len(), |i| server + i);
    vec![
        at.start + scheme..at.start + server,
        at.start + path..at.end,
    ]
}

/// The text with the letters and digits of those spans blanked, byte by byte so that places hold. `${NAME}` stays: the
/// name of a variable is no secret, and it is what the reader looks for.
pub(super) fn blanked(text: &str, spans: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_variable = false;
    for (i, c) in text.char_indices() {
        in_variable = (in_variable || text[i..].starts_with("${")) && c != '}';
        if !in_variable
            && (c.is_alphanumeric() || c == '+' || c == '/')
            && spans.iter().any(|s| s.contains(&i))
        {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}
