//! From the config's words to what the other rooms want to be handed.

use std::collections::BTreeMap;

use crate::config::{Config, Licenses, Mail, Service, SuspendBy, Transport as Way};
use crate::domain::action::Abilities;
use crate::domain::id::SourceName;
use crate::effects::mail::{MailConfig, Transport};

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
        Way::Smtp { url, ca_file } => Transport::Smtp { url: url.clone(), ca: ca_file.clone() },
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
