//! `docs/config.md`, printed from the table of keys.

use std::fmt::Write as _;

use super::keys::{Absent, KeySpec, SECTIONS, ValueKind};
use super::size::ByteSize;
use crate::domain::time::Span;

/// The page that documents every key, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for section in SECTIONS {
        let title = match section.heading {
            "" => "Top of the file".to_owned(),
            heading => format!("`{heading}`"),
        };
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n{}\n\n", section.doc);
        page.push_str("| key | takes | default | meaning |\n|---|---|---|---|\n");
        for key in section.keys {
            let cells = [
                format!("`{}`", key.name),
                kind(key),
                absent(key),
                key.doc.to_owned(),
            ];
            let _ = writeln!(
                page,
                "| {} |",
                cells.map(|c| c.replace('|', "\\|")).join(" | ")
            );
        }
    }
    page
}

const HEAD: &str = "\
<!-- Printed from src/config/keys/table.rs; a test compares. Renew it with KEYWARD_BLESS=1 cargo test --test it config. -->

# The config file

One TOML file, `./keyward.toml` unless `--config` says otherwise. `keyward init` writes one with every key in it, and
`keyward check` reports every error at once, with its line and a fix.

- `${NAME}` inside any text is the environment variable of that name; `$${` is a plain `${`. A variable that is not set is
  a mistake.
- Relative paths count from the folder of the config file.
- Lengths of time are a number and `ms`, `s`, `m` (minutes), `h`, `d` or `w`, also together: `1h30m`. Sizes are a number and
  `B`, `KiB`, `MiB` or `GiB`.
- Questionable settings only produce warnings.
";

fn kind(key: &KeySpec) -> String {
    match key.kind {
        ValueKind::Text | ValueKind::Label => "text".to_owned(),
        ValueKind::Language => "language like `\"de\"`".to_owned(),
        ValueKind::Color => "colour like `\"#1f5fbf\"`".to_owned(),
        ValueKind::Links => "table of `https://` addresses".to_owned(),
        ValueKind::Texts | ValueKind::Templates => "list of texts".to_owned(),
        ValueKind::Secret => "secret text".to_owned(),
        ValueKind::Secrets => "list of secret texts".to_owned(),
        ValueKind::SmtpUrl => "`smtp://` or `smtps://` URL".to_owned(),
        ValueKind::Url => "`http://` or `https://` URL".to_owned(),
        ValueKind::Socket => "address:port".to_owned(),
        ValueKind::Networks => "list of addresses or networks".to_owned(),
        ValueKind::Mailbox => "mailbox".to_owned(),
        ValueKind::Path => "path".to_owned(),
        ValueKind::Span(from_s, to_s) => format!(
            "length of time in whole seconds, {}",
            span_range(from_s, to_s)
        ),
        ValueKind::Spans(from_s, to_s) => format!(
            "list of lengths of time in whole seconds, {}",
            span_range(from_s, to_s)
        ),
        ValueKind::Wait(from_s, to_s) => format!("length of time, {}", span_range(from_s, to_s)),
        ValueKind::Waits(from_s, to_s) => {
            format!("list of lengths of time, {}", span_range(from_s, to_s))
        }
        ValueKind::Size(from, to) => {
            format!(
                "size, {} to {}",
                ByteSize::from_bytes(from),
                ByteSize::from_bytes(to)
            )
        }
        ValueKind::Count(from, to) | ValueKind::CountText(from, to) => {
            format!("number, {from} to {to}")
        }
        ValueKind::Devices => "number from 1, or `\"unlimited\"`".to_owned(),
        ValueKind::Variables => "table of texts".to_owned(),
        ValueKind::Allowance => "a number of times in a period like `\"3/30d\"`".to_owned(),
        ValueKind::Percent => "a percentage like `\"2%\"`".to_owned(),
        ValueKind::Share => "`\"keep\"` | `\"revoke\"` | a percentage like `\"50%\"`".to_owned(),
        ValueKind::Flag => "`true` | `false`".to_owned(),
        ValueKind::Cron => "cron expression".to_owned(),
        ValueKind::Choice(choices) => choices
            .iter()
            .map(|c| format!("`\"{c}\"`"))
            .collect::<Vec<_>>()
            .join(" | "),
        ValueKind::Table(heading) => format!("table, see `{heading}`"),
        ValueKind::Tables(heading) => format!("tables, see `{heading}`"),
    }
}

fn span_range(from_s: i64, to_s: i64) -> String {
    format!("{} to {}", Span::from_s(from_s), Span::from_s(to_s))
}

fn absent(key: &KeySpec) -> String {
    match key.absent {
        Absent::Required => "**required**".to_owned(),
        Absent::Is(value) => format!("`{value}`"),
        Absent::Means(words) => words.to_owned(),
    }
}
