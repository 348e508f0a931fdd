//! `[[source]]`.

use super::super::keys::{LICENSES, MAIL, SOURCE};
use super::super::tree::Table;
use super::super::types::{Connect, Livemode, Source, SourceKind};
use super::services::{licenses, mail};
use crate::domain::id::SourceName;
use crate::domain::time::Span;

/// Stripe's API, where no other is named.
pub(crate) const STRIPE_API: &str = "https://api.stripe.com";

/// All sources, as they stand in the file.
pub(super) fn sources(root: &Table<'_>, tolerance: Span) -> Vec<Source> {
    root.tables("source", &SOURCE)
        .iter()
        .map(|t| source(t, tolerance))
        .collect()
}

fn source(t: &Table<'_>, tolerance: Span) -> Source {
    t.require("name", "events come in at `/webhooks/NAME`");
    t.require(
        "signing_secrets",
        "without one nobody could tell Stripe from a stranger",
    );
    let name = name(t).unwrap_or_default();
    let signing_secrets = signing_secrets(t);
    let api_key = t.secret("api_key");
    if api_key
        .as_ref()
        .is_some_and(|k| k.reveal().starts_with("pk_") || k.reveal().starts_with("whsec_"))
    {
        t.reader.mistake(
            t.get("api_key").map(|v| v.span),
            "`api_key` is not a key that may look things up",
            "`pk_…` is for browsers and `whsec_…` is a signing secret; make a restricted key, `rk_live_…` or `rk_test_…`",
        );
    }
    Source {
        name: SourceName::new(name),
        kind: t
            .choice("kind", SourceKind::CHOICES)
            .unwrap_or(SourceKind::Stripe),
        signing_secrets,
        livemode: t
            .choice("livemode", Livemode::CHOICES)
            .unwrap_or(Livemode::Live),
        api_key,
        api_base: t.url("api_base").unwrap_or_else(|| STRIPE_API.to_owned()),
        tolerance: t.length("tolerance").unwrap_or(tolerance),
        connect: t
            .choice("connect", Connect::CHOICES)
            .unwrap_or(Connect::Ignore),
        invoices: t.flag("invoices").unwrap_or(true),
        licenses: t.sub("licenses", &LICENSES).map(|t| licenses(&t)),
        mail: t.sub("mail", &MAIL).map(|t| mail(&t)),
    }
}

/// The longest name of a source; it is the beginning of every machine's id.
const NAME_LEN_MAX: usize = 64;

fn name(t: &Table<'_>) -> Option<String> {
    let value = t.get("name")?;
    let name = value.text()?;
    let safe = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !safe || name.len() > NAME_LEN_MAX {
        let message = format!("the source's name \"{name}\" cannot stand in a URL");
        value.mistake(
            message,
            format!("letters, digits, `-` and `_`, at most {NAME_LEN_MAX} of them"),
        );
        return None;
    }
    Some(name)
}

fn signing_secrets(t: &Table<'_>) -> Vec<crate::secret::Secret> {
    let secrets = t.secrets("signing_secrets").unwrap_or_default();
    let at = || t.get("signing_secrets").map(|v| v.span);
    if secrets.iter().any(|s| {
        ["sk_", "rk_", "pk_"]
            .iter()
            .any(|p| s.reveal().starts_with(p))
    }) {
        let hint = "the signing secret begins with `whsec_`; it is shown with the endpoint under Developers, Webhooks";
        t.reader
            .mistake(at(), "`signing_secrets` holds an API key", hint);
    }
    let nothing = t
        .get("signing_secrets")
        .and_then(|v| v.value.as_array().map(|a| a.is_empty()))
        .unwrap_or(false);
    if nothing && !t.reader.env.is_lenient() {
        t.reader.mistake(
            at(),
            "`signing_secrets` is empty",
            "add the endpoint's secret: `[\"${STRIPE_WEBHOOK_SECRET}\"]`",
        );
    }
    secrets
}
