//! `[vendor]`, `[success]`, and what customers see of a plan.

use std::collections::BTreeMap;

use super::super::keys::{PLAN, SUCCESS, VENDOR};
use super::super::tree::{Table, Value};
use super::super::types::{Color, Link, PlanDisplay, SuccessPage, Vendor};
use crate::domain::id::PlanName;
use crate::domain::time::Span;
use toml::de::DeValue;

/// The longest name that customers are shown, in characters: it stands in subjects and on buttons.
const LABEL_CHARS_MAX: usize = 80;

pub(super) fn vendor(root: &Table<'_>) -> Vendor {
    let Some(t) = root.sub("vendor", &VENDOR) else {
        return Vendor::default();
    };
    Vendor {
        name: label(&t, "name"),
        reply_to: t.mailbox("reply_to"),
        support_url: t.url("support_url"),
        logo: t.path("logo"),
        color: color(&t, "color"),
        color_dark: color(&t, "color_dark"),
        downloads: links(&t, "downloads"),
        templates: t.path("templates"),
        language: t.get("language").and_then(|v| language(&v)),
    }
}

impl Default for SuccessPage {
    fn default() -> Self {
        Self {
            show_for: Span::from_days(7),
        }
    }
}

pub(super) fn success(root: &Table<'_>) -> SuccessPage {
    let default = SuccessPage::default();
    root.sub("success", &SUCCESS)
        .map_or(default, |t| SuccessPage {
            show_for: t.length("show_for").unwrap_or(default.show_for),
        })
}

/// What customers see of each plan.
pub(super) fn display(root: &Table<'_>) -> BTreeMap<PlanName, PlanDisplay> {
    let display = |t: &Table<'_>| PlanDisplay {
        title: label(t, "title"),
        downloads: links(t, "downloads"),
    };
    root.tables("plan", &PLAN)
        .iter()
        .filter_map(|t| Some((PlanName::new(t.text("name")?), display(t))))
        .collect()
}

fn label(t: &Table<'_>, name: &str) -> Option<String> {
    let value = t.get(name)?;
    let text = value.text()?;
    shown(&value, text)
}

/// A text that can stand in a subject and on a button.
fn shown(value: &Value<'_>, text: String) -> Option<String> {
    let one_line = !text.chars().any(char::is_control);
    if one_line && text.chars().count() <= LABEL_CHARS_MAX {
        return Some(text.trim().to_owned());
    }
    value.mistake(
        format!("`{}` is too long to be shown", value.key.name),
        format!("one line of {LABEL_CHARS_MAX} characters at most"),
    );
    None
}

fn color(t: &Table<'_>, name: &str) -> Option<Color> {
    let value = t.get(name)?;
    let text = value.text()?;
    let color = Color::parse(text.trim());
    if color.is_none() {
        value.mistake(
            format!("\"{text}\" is not a colour"),
            "`#` and six hexadecimal digits, like `#1f5fbf`",
        );
    }
    color
}

/// A table of labels and web addresses.
fn links(t: &Table<'_>, name: &str) -> Vec<Link> {
    let Some(value) = t.get(name) else {
        return Vec::new();
    };
    let DeValue::Table(entries) = value.value else {
        value.wrong("a table of labels and addresses");
        return Vec::new();
    };
    let mut links = Vec::new();
    for (label, address) in entries.iter() {
        let address = Value {
            path: format!("{}/{}", value.path, value.key.name),
            value: address.get_ref(),
            span: address.span(),
            ..value.clone()
        };
        let label = shown(&address, label.get_ref().to_string());
        let url = address.text().and_then(|url| web(&address, &url));
        links.extend(label.zip(url).map(|(label, url)| Link { label, url }));
    }
    links
}

/// Any address on the web, also one with a query.
fn web(value: &Value<'_>, text: &str) -> Option<String> {
    let is_web = |u: &reqwest::Url| matches!(u.scheme(), "http" | "https") && u.has_host();
    let url = reqwest::Url::parse(text.trim()).ok().filter(is_web);
    if url.is_none() {
        value.mistake(
            format!("\"{text}\" is not an address on the web"),
            "it begins with https:// and names a host",
        );
    }
    url.map(|_| text.trim().to_owned())
}

/// A language tag as far as we need it: `en`, `pt-BR`, `zh-Hant`.
pub(super) fn language(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let plain = text.split('-').all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    if !plain {
        value.mistake(
            format!("\"{text}\" is not a language"),
            "like `en`, `de` or `pt-BR`",
        );
        return None;
    }
    Some(text)
}
