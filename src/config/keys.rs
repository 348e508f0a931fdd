//! What the config knows of a key: its name, what it takes, its default, and the sentence that explains it.
//!
//! The keys themselves stand in `table` and `policy`. The reader takes ranges and suggestions from there, and `docs/config.md` is
//! printed from it.

mod policy;
mod spec;
mod table;

pub(super) use policy::POLICY;
pub(super) use table::{
    ADOPT, ALERT, BACKFILL, BACKUP, BUY, CHECKOUT, GUARD, HTTP, LICENSE, LICENSES, MAIL, PLAN,
    PORTAL, ROOT, SCHEDULER, SECTIONS, SELF_SERVICE, SOURCE, STORE, SUCCESS, TIME, VENDOR,
};

/// What a key takes. Ranges are inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    /// Any text that is not empty.
    Text,
    /// A short text on one line, shown to customers.
    Label,
    /// A language, like `en` or `pt-BR`.
    Language,
    /// A colour, `#rrggbb`.
    Color,
    /// A table of web addresses under labels of one's own.
    Links,
    /// A list of texts that are not empty.
    Texts,
    /// A list of label templates: texts with ids of a purchase in them.
    Templates,
    /// A text that is not shown.
    Secret,
    /// A list of those.
    Secrets,
    /// An SMTP server's URL, whose password is not shown.
    SmtpUrl,
    /// An `http://` or `https://` URL.
    Url,
    /// An address and a port.
    Socket,
    /// Addresses or networks.
    Networks,
    /// A mailbox, with a name or without.
    Mailbox,
    /// A file or a folder; relative to the config file's folder.
    Path,
    /// A length of time in whole seconds, from and to in seconds: what dates are made of.
    Span(i64, i64),
    /// A list of those; each from and to in seconds.
    Spans(i64, i64),
    /// A length of time to the millisecond, from and to in seconds: how long is waited for somebody.
    Wait(i64, i64),
    /// A list of those; each from and to in seconds.
    Waits(i64, i64),
    /// A size in bytes, from and to.
    Size(u64, u64),
    /// A whole number, from and to.
    Count(u32, u32),
    /// The same, also as a text.
    CountText(u32, u32),
    /// A whole number from 1, or `"unlimited"`.
    Devices,
    /// So many times in a period.
    Allowance,
    /// `"keep"`, `"revoke"`, or a percentage.
    Share,
    /// A table of texts under names of one's own.
    Variables,
    /// A percentage.
    Percent,
    /// A cron expression of six fields.
    Cron,
    /// `true` or `false`.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A table, described in the section of this heading.
    Table(&'static str),
    /// Tables of one's own naming, described there.
    Tables(&'static str),
}

impl ValueKind {
    /// The heading of the table, or tables, that the key takes.
    pub(super) const fn heading(self) -> Option<&'static str> {
        if let Self::Table(heading) | Self::Tables(heading) = self {
            Some(heading)
        } else {
            None
        }
    }
}

/// What holds when the key is absent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent {
    /// The key must be there.
    Required,
    /// This value, as TOML.
    Is(&'static str),
    /// What these words say.
    Means(&'static str),
}

#[derive(Debug)]
pub(super) struct KeySpec {
    pub(super) name: &'static str,
    pub(super) kind: ValueKind,
    pub(super) absent: Absent,
    pub(super) doc: &'static str,
}

/// A table of keys.
#[derive(Debug)]
pub(super) struct Section {
    /// As it is written in the file; empty for the file's top.
    pub(super) heading: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [KeySpec],
}

impl Section {
    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static KeySpec> {
        self.keys.iter().find(|k| k.name == name)
    }
}

/// What a key's value can look like, as TOML.
pub(super) fn example(key: &KeySpec) -> &'static str {
    match (key.name, key.absent) {
        ("trusted_proxies", _) => "[\"127.0.0.1\", \"172.16.0.0/12\"]",
        ("origins", _) => "[\"https://example.com\"]",
        ("cancel_url", _) => "\"https://example.com/pricing\"",
        ("trial", Absent::Means(_)) => "\"14d\"",
        ("reset_devices", _) => "\"3/30d\"",
        ("rekey", _) => "\"1/90d\"",
        ("max_share", _) => "\"2%\"",
        ("labels", _) => "[\"order {session}\"]",
        ("prices", _) => "[\"price_…\"]",
        ("products", _) => "[\"prod_…\"]",
        ("extends", _) => "[\"pro\"]",
        ("lookup_keys", _) => "[\"pro_monthly\"]",
        ("requests_per_s", _) => "40",
        ("tolerance", _) => "\"300s\"",
        ("duration", _) => "\"365d\"",
        ("policy", _) => "\"standard\"",
        ("url" | "heartbeat_url", _) if matches!(key.kind, ValueKind::Secret) => {
            "\"https://hooks.example.com/${ALERT_TOKEN}\""
        }
        ("email", _) => "[\"you@example.com\"]",
        ("key_prefix", _) => "\"ACME\"",
        ("second_signing_key", _) => "2",
        ("offline", _) => "\"30d\"",
        ("title", _) => "\"Example Pro\"",
        ("name", Absent::Means(_)) => "\"Example\"",
        ("downloads", _) => "{ Windows = \"https://example.com/setup.exe\" }",
        ("logo", _) => "\"./logo.svg\"",
        ("color" | "color_dark", _) => "\"#1f5fbf\"",
        ("support_url", _) => "\"https://example.com/help\"",
        ("language", _) => "\"en\"",
        ("variables", _) => "{ edition = \"pro\" }",
        ("url", _) => "\"smtps://user:${SMTP_PASSWORD}@smtp.example.com:465\"",
        ("path", Absent::Required) => "\"/backup/keyward\"",
        ("path", _) => "\"./mail\"",
        ("public_url", _) => "\"https://buy.example.com\"",
        ("signing_secrets", _) => "[\"${STRIPE_WEBHOOK_SECRET}\"]",
        ("app_id", _) => "\"00000000-0000-0000-0000-000000000000\"",
        (_, Absent::Is(value)) => value,
        ("api_key", _) => "\"${API_KEY}\"",
        ("from" | "reply_to", _) => "\"Example <keys@example.com>\"",
        ("devices" | "devices_per_unit", _) => "3",
        ("ca_file", _) => "\"./ca.pem\"",
        ("templates", _) => "\"./templates\"",
        ("name", _) => "\"NAME\"",
        (_, Absent::Required | Absent::Means(_)) => "\"…\"",
    }
}
