//! `[licenses]` and `[mail]`, at the top of the file or inside a source.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use lettre::message::Mailbox;

use super::super::tree::{Table, Value};
use super::super::types::{LicensesConfig, Mail, ProgramSettings, Service, SuspendBy, Transport};
use crate::domain::id::AppId;
use crate::domain::time::Span;
use crate::secret::Secret;

/// AuthForge's Developer API, where no other is named.
const AUTHFORGE_API: &str = "https://api.authforge.cc";
/// AuthForge allows 50 a second sustained.
const AUTHFORGE_REQUESTS_PER_S: u32 = 40;
/// The application of the embedded service, where none is named.
const EMBEDDED_APP: &str = "keyward";

#[derive(Clone, Copy, PartialEq)]
enum ServiceName {
    Embedded,
    AuthForge,
}

impl Default for LicensesConfig {
    /// The embedded service.
    fn default() -> Self {
        Self {
            service: Service::Embedded {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                programs: ProgramSettings::default(),
            },
            app_id: AppId::new(EMBEDDED_APP),
            requests_per_s: None,
            in_flight: 8,
            request_timeout: Span::from_s(35),
            lookup_after: vec![Span::from_s(2), Span::from_s(15)],
            suspend: SuspendBy::Shorten,
            probed: None,
        }
    }
}

impl Default for ProgramSettings {
    fn default() -> Self {
        Self {
            key_prefix: None,
            session: Span::from_hours(24),
            signing_key: 1,
            second_signing_key: None,
        }
    }
}

impl Default for Mail {
    /// No mail.
    fn default() -> Self {
        let address = lettre::Address::new("keyward", "localhost");
        Self {
            transport: Transport::None,
            #[expect(
                clippy::expect_used,
                reason = "both halves are constants, and a test makes one"
            )]
            from: Mailbox::new(
                Some("Keyward".to_owned()),
                address.expect("a constant address"),
            ),
            reply_to: None,
            templates: None,
            default_language: "en".to_owned(),
            timeout: Span::from_s(60),
        }
    }
}

pub(super) fn licenses(t: &Table<'_>) -> LicensesConfig {
    let names = [
        ("embedded", ServiceName::Embedded),
        ("authforge", ServiceName::AuthForge),
    ];
    let name = t.choice("service", &names);
    let default = LicensesConfig::default();
    let (api_base, api_key) = (t.url("api_base"), t.secret("api_key"));
    let (listen, app_id) = (listen(t), t.text("app_id"));
    let suspend = t.choice("suspend", SuspendBy::CHOICES);
    let programs = program_settings(t);
    let (service, app_id, per_s) = match name {
        Some(ServiceName::AuthForge) => {
            t.require("api_key", "AuthForge knows us by it");
            t.require("app_id", "a license belongs to an application");
            let ours = [
                "listen",
                "key_prefix",
                "session",
                "signing_key",
                "second_signing_key",
            ];
            t.idle(&ours, "with AuthForge, which is elsewhere");
            let service = Service::AuthForge {
                api_base: api_base.unwrap_or_else(|| AUTHFORGE_API.to_owned()),
                api_key: api_key.unwrap_or_else(|| Secret::new("")),
            };
            (
                service,
                AppId::new(app_id.unwrap_or_default()),
                AUTHFORGE_REQUESTS_PER_S,
            )
        }
        Some(ServiceName::Embedded) | None => {
            // A service's name that was wrong has been told; what belongs to it is not to be blamed as well.
            if name.is_some() || !t.has("service") {
                t.idle(
                    &["api_base", "api_key", "suspend"],
                    "with the embedded service; `service = \"authforge\"` uses it",
                );
            }
            let listen = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let service = Service::Embedded { listen, programs };
            (service, app_id.map_or(default.app_id, AppId::new), 0)
        }
    };
    LicensesConfig {
        service,
        app_id,
        requests_per_s: NonZeroU32::new(t.count("requests_per_s").unwrap_or(per_s)),
        in_flight: t.count("in_flight").unwrap_or(default.in_flight),
        request_timeout: t
            .length("request_timeout")
            .unwrap_or(default.request_timeout),
        lookup_after: lookup_after(t).unwrap_or(default.lookup_after),
        suspend: suspend.unwrap_or(default.suspend),
        probed: None,
    }
}

fn program_settings(t: &Table<'_>) -> ProgramSettings {
    let default = ProgramSettings::default();
    ProgramSettings {
        key_prefix: key_prefix(t),
        session: t.length("session").unwrap_or(default.session),
        signing_key: t.count("signing_key").unwrap_or(default.signing_key),
        second_signing_key: t.count("second_signing_key"),
    }
}

fn key_prefix(t: &Table<'_>) -> Option<String> {
    let prefix = t.text("key_prefix")?;
    let fits = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
    if !(2..=8).contains(&prefix.len()) || !prefix.bytes().all(fits) {
        t.reader.mistake(
            t.get("key_prefix").map(|v| v.span),
            format!("`key_prefix` cannot be \"{prefix}\""),
            "2 to 8 capital letters and digits, like `ACME`",
        );
        return None;
    }
    Some(prefix)
}

fn listen(t: &Table<'_>) -> Option<SocketAddr> {
    let listen = t.socket("listen")?;
    if !listen.ip().is_loopback() {
        let hint = "it is reached by Keyward alone: `127.0.0.1:0`";
        t.reader.mistake(
            t.get("listen").map(|v| v.span),
            "`listen` of the license service must be a loopback address",
            hint,
        );
    }
    Some(listen)
}

fn lookup_after(t: &Table<'_>) -> Option<Vec<Span>> {
    let waits = t.lengths("lookup_after")?;
    let value = t.get("lookup_after")?;
    if value.value.as_array().is_some_and(|a| a.is_empty()) {
        value.mistake(
            "`lookup_after` is empty",
            "at least one look must come before a license is made again: `[\"2s\", \"15s\"]`",
        );
    }
    Some(waits).filter(|w| !w.is_empty())
}

#[derive(Clone, Copy, PartialEq)]
enum TransportName {
    None,
    Smtp,
    Folder,
}

pub(super) fn mail(t: &Table<'_>) -> Mail {
    let names = [
        ("none", TransportName::None),
        ("smtp", TransportName::Smtp),
        ("folder", TransportName::Folder),
    ];
    let name = t.choice("transport", &names);
    let default = Mail::default();
    let (url, path, ca_file) = (
        t.get("url").and_then(|v| smtp_url(&v)),
        t.path("path"),
        t.path("ca_file"),
    );
    let transport = match name {
        Some(TransportName::Smtp) => {
            t.require("url", "the server must be known");
            t.require("from", "a mail needs a sender");
            t.idle(&["path"], "with `transport = \"smtp\"`");
            Transport::Smtp {
                url: url.unwrap_or_else(|| Secret::new("")),
                ca_file,
            }
        }
        Some(TransportName::Folder) => {
            t.require("path", "the folder must be known");
            t.idle(&["url", "ca_file"], "with `transport = \"folder\"`");
            Transport::Folder {
                path: path.unwrap_or_default(),
            }
        }
        Some(TransportName::None) => Transport::None,
        None => {
            if !t.has("transport") {
                t.idle(&["url", "path", "ca_file"], "without a `transport`");
            }
            Transport::None
        }
    };
    Mail {
        transport,
        from: t.mailbox("from").unwrap_or(default.from),
        reply_to: t.mailbox("reply_to"),
        templates: t.path("templates"),
        default_language: t
            .get("default_language")
            .and_then(|v| super::vendor::language(&v))
            .unwrap_or(default.default_language),
        timeout: t.length("timeout").unwrap_or(default.timeout),
    }
}

/// What lettre's `from_url` takes, judged without its opening of certificate stores.
fn smtp_url(value: &Value<'_>) -> Option<Secret> {
    let text = value.text()?;
    let hint = "`smtps://user:pass@host:465` (TLS), `smtp://user:pass@host:587?tls=required` (STARTTLS) or `smtp://host:25` (plain)";
    let Some(url) = reqwest::Url::parse(&text)
        .ok()
        .filter(reqwest::Url::has_host)
    else {
        value.mistake(
            "`url` is not a mail server's URL",
            format!("{hint}; percent-encode what is special in a URL"),
        );
        return None;
    };
    let tls = url
        .query_pairs()
        .find(|(k, _)| k == "tls")
        .map(|(_, v)| v.into_owned());
    match (url.scheme(), tls.as_deref()) {
        ("smtps", _) | ("smtp", Some("required")) => {}
        ("smtp", None | Some("opportunistic")) => {
            if url.password().is_some() && !super::super::check::is_loopback(&text) {
                let message = "the mail server's password may be sent in clear";
                value.reader.warning(
                    Some(value.span.clone()),
                    message,
                    "use `smtps://`, or add `?tls=required`",
                );
            }
        }
        ("smtp", Some(_)) => {
            value.mistake(
                "`tls` in `url` must be \"required\" or \"opportunistic\"",
                hint,
            );
            return None;
        }
        _ => {
            value.mistake("`url` must begin with smtp:// or smtps://", hint);
            return None;
        }
    }
    Some(Secret::new(text))
}
