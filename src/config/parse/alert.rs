//! `[alert]`.

use super::super::tree::Table;
use super::super::types::AlertConfig;
use crate::domain::time::Span;
use crate::secret::Secret;

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            email: Vec::new(),
            url: None,
            heartbeat_url: None,
            every: Span::from_minutes(15),
        }
    }
}

pub(super) fn alert(t: &Table<'_>) -> AlertConfig {
    AlertConfig {
        email: addresses(t),
        url: address(t, "url"),
        heartbeat_url: address(t, "heartbeat_url"),
        every: t.length("every").unwrap_or(AlertConfig::default().every),
    }
}

fn addresses(t: &Table<'_>) -> Vec<String> {
    let addresses = t.texts("email").unwrap_or_default();
    for address in &addresses {
        if address.parse::<lettre::Address>().is_err() {
            t.reader.mistake(
                t.get("email").map(|v| v.span),
                format!("`email` holds \"{address}\", which is not an address"),
                "one like you@example.com",
            );
        }
    }
    addresses
}

/// A URL that may hold a secret: it is not shown.
fn address(t: &Table<'_>, name: &str) -> Option<Secret> {
    let secret = t.secret(name)?;
    let url = reqwest::Url::parse(secret.reveal()).ok();
    let good = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !good {
        let message = format!("`{name}` is not an address that can be asked");
        let hint = "it begins with https://";
        t.reader.mistake(t.get(name).map(|v| v.span), message, hint);
    }
    Some(secret)
}
