//! From the config's words to what the other rooms want to be handed.

use std::collections::BTreeMap;

use crate::config::{Config, Licenses, Mail, Service, SuspendBy, Transport as Way};
use crate::domain::action::Abilities;
use crate::domain::id::SourceName;
use crate::effects::mail::{MailConfig, Templates, Transport};
use crate::secret::Secret;

/// The most devices on one key of AuthForge (its page on unlimited seats).
const AUTHFORGE_DEVICES_MAX: u32 = 16;
/// The same at the embedded service.
const EMBEDDED_DEVICES_MAX: u32 = 10_000;

/// What a configured license service can do, as the engine needs to know it.
#[must_use]
pub fn abilities(licenses: &Licenses) -> Abilities {
    let embedded = matches!(licenses.service, Service::Embedded { .. });
    Abilities {
        can_shorten: true,
        revoke_reversible: embedded || licenses.suspend == SuspendBy::Revoke,
        set_devices: embedded,
        sends_mail: true,
        devices_max: if embedded { EMBEDDED_DEVICES_MAX } else { AUTHFORGE_DEVICES_MAX },
        request_timeout: licenses.request_timeout,
        lookup_after: licenses.lookup_after.clone(),
    }
}

/// The license service of each source, by the name that `retry --service` takes.
#[must_use]
pub fn services(config: &Config) -> BTreeMap<SourceName, &'static str> {
    let name = |source: &crate::config::Source| service_name(config.licenses_of(&source.name));
    config.sources.iter().map(|s| (s.name.clone(), name(s))).collect()
}

/// The name of a license service.
#[must_use]
pub const fn service_name(licenses: &Licenses) -> &'static str {
    match licenses.service {
        Service::AuthForge { .. } => "authforge",
        Service::Embedded { .. } => "embedded",
    }
}

/// How mail is sent.
#[must_use]
pub fn mail_config(mail: &Mail) -> MailConfig {
    let transport = match &mail.transport {
        Way::Smtp { url, ca_file } => Transport::Smtp { url: protected(url), ca: ca_file.clone() },
        Way::Folder { path } => Transport::Folder { path: path.clone() },
        Way::None => Transport::None,
    };
    MailConfig {
        transport,
        from: mail.from.to_string(),
        reply_to: mail.reply_to.as_ref().map(ToString::to_string),
        timeout: mail.timeout.to_std(),
    }
}

/// The templates of a mail table: the operator's own before the built-in ones.
#[must_use]
pub fn templates(mail: &Mail) -> Templates {
    Templates::load(mail.templates.as_deref(), &mail.default_language)
}

/// The config's plain `smtp://host` in the mail room's words, which wants plainness said: `tls=none`. A password is not
/// sent in the clear to another machine, and what is only tried for can be talked away: both become STARTTLS.
fn protected(url: &Secret) -> Secret {
    let Ok(mut parsed) = reqwest::Url::parse(url.reveal().trim()) else { return url.clone() };
    let tls = parsed.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let host = parsed.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let tls = match (parsed.scheme(), tls.as_deref()) {
        ("smtp", None) if parsed.password().is_none() || is_here => "none",
        ("smtp", None | Some("opportunistic")) => "required",
        _ => return url.clone(),
    };
    parsed.set_query(Some(&format!("tls={tls}")));
    Secret::new(parsed.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_said_and_passwords_are_protected() {
        for (config, room) in [
            ("smtp://mx.example.com:25", "smtp://mx.example.com:25?tls=none"),
            ("smtp://localhost:2525", "smtp://localhost:2525?tls=none"),
            ("smtp://u:p@[::1]:2525", "smtp://u:p@[::1]:2525?tls=none"),
            ("smtp://u:p%40@mx.example.com", "smtp://u:p%40@mx.example.com?tls=required"),
            ("smtp://mx.example.com?tls=opportunistic", "smtp://mx.example.com?tls=required"),
            ("smtp://mx.example.com?tls=required", "smtp://mx.example.com?tls=required"),
            ("smtps://u:p@mx.example.com", "smtps://u:p@mx.example.com"),
        ] {
            assert_eq!(protected(&Secret::new(config)).reveal(), room);
        }
    }
}
