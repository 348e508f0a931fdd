//! The services as they are made: what the config names, with its limits, breakers and abilities.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::{EmbeddedAt, LicenseService, MAIL_FLOW, MailService, ServiceConfigError};
use crate::config;
use crate::domain::action::Abilities;
use crate::domain::id::SourceName;
use crate::effects::license::recover::{Patience, Recoverer};
use crate::effects::license::stop::SuspendBy;
use crate::effects::license::{Client, ClientConfig, ClientError};
use crate::effects::mail::{CannotMail, MailConfig, Mailer, Templates, Transport};
use crate::effects::throttle::{BreakerSettings, Guard, Throttle};

/// Why a license service cannot be built, before it is known whose it is.
pub(super) enum NoLicense {
    Client(ClientError),
    NoEmbedded,
}

impl NoLicense {
    pub(super) fn of(self, name: &str) -> ServiceConfigError {
        match self {
            Self::Client(error) => ServiceConfigError::License {
                source_name: SourceName::from(name),
                error,
            },
            Self::NoEmbedded => ServiceConfigError::NoEmbedded,
        }
    }
}

pub(super) fn mail_error(error: CannotMail, name: &str) -> ServiceConfigError {
    ServiceConfigError::Mail {
        source_name: SourceName::from(name),
        error,
    }
}

pub(super) fn license_service(
    config: &config::LicensesConfig,
    embedded: Option<&EmbeddedAt>,
    changed: &Arc<Notify>,
) -> Result<LicenseService, NoLicense> {
    let mut client = match &config.service {
        config::Service::AuthForge { api_base, api_key } => {
            let mut client = ClientConfig::new(versioned(api_base), api_key.clone());
            client.suspend = suspend_by(config.suspend);
            client.abilities = declared(config);
            client
        }
        config::Service::Embedded { .. } => {
            let at = embedded.ok_or(NoLicense::NoEmbedded)?;
            ClientConfig::embedded(
                versioned(&format!("http://{}", at.address)),
                at.token.clone(),
            )
        }
    };
    let in_flight = usize::try_from(config.in_flight)
        .unwrap_or(usize::MAX)
        .max(1);
    client.request_timeout = config.request_timeout;
    client.in_flight = in_flight;
    let client = Client::new(client).map_err(NoLicense::Client)?;
    let throttle = Throttle::new(
        config.requests_per_s.map_or(0, std::num::NonZeroU32::get),
        in_flight,
    );
    let flow = u32::try_from(in_flight).unwrap_or(u32::MAX);
    Ok(LicenseService {
        recoverer: Recoverer::new(client.clone(), throttle.clone(), Patience::default()),
        client,
        throttle,
        app_id: config.app_id.clone(),
        in_flight,
        breaker: Guard::new(BreakerSettings::service(flow), changed),
        credits: Guard::new(BreakerSettings::credits(flow), changed),
        name: config.service.as_str(),
        request_timeout: config.request_timeout,
    })
}

/// A client that tries everything, for a probe.
///
/// # Errors
/// That the service cannot be probed: it is the one inside this binary, or no client can be made.
pub fn prober(licenses: &config::LicensesConfig) -> Result<Client, String> {
    let config::Service::AuthForge { api_base, api_key } = &licenses.service else {
        return Err("what the service inside Keyward can is known".to_owned());
    };
    let mut client = ClientConfig::new(versioned(api_base), api_key.clone());
    client.abilities = crate::effects::license::Abilities::tried();
    client.request_timeout = licenses.request_timeout;
    Client::new(client).map_err(|e| e.to_string())
}

/// A client that only reads lists, with a pace of its own; `None`: the service is the one inside this binary.
///
/// # Errors
/// When the address or the key cannot be used.
pub fn list_client(
    config: &config::LicensesConfig,
) -> Option<Result<(Client, Throttle), ClientError>> {
    let config::Service::AuthForge { api_base, api_key } = &config.service else {
        return None;
    };
    let rate = config.requests_per_s.map_or(0, std::num::NonZeroU32::get);
    Some(list_client_at(api_base, api_key, rate))
}

/// The same for an address and a key that no config names.
///
/// # Errors
/// When one of them cannot be used.
pub fn list_client_at(
    api_base: &str,
    api_key: &crate::secret::Secret,
    requests_per_s: u32,
) -> Result<(Client, Throttle), ClientError> {
    let client = Client::new(ClientConfig::new(versioned(api_base), api_key.clone()))?;
    Ok((client, Throttle::new(requests_per_s, LIST_IN_FLIGHT)))
}

/// Requests side by side of a client that reads lists.
const LIST_IN_FLIGHT: usize = 4;

/// The API's root: the config names the host, the version is ours (its documentation: "Base").
fn versioned(api_base: &str) -> String {
    let base = api_base.trim_end_matches('/');
    if base.ends_with("/v1") {
        base.to_owned()
    } else {
        format!("{base}/v1")
    }
}

const fn suspend_by(configured: config::SuspendBy) -> SuspendBy {
    match configured {
        config::SuspendBy::Shorten => SuspendBy::Shorten,
        config::SuspendBy::Revoke => SuspendBy::Revoke,
        config::SuspendBy::Wait => SuspendBy::Wait,
    }
}

pub(super) fn mail_service(
    config: &config::Mail,
    changed: &Arc<Notify>,
) -> Result<MailService, CannotMail> {
    let transport = match &config.transport {
        config::Transport::Smtp { url, ca_file } => Transport::Smtp {
            url: crate::effects::smtp_url::with_plainness(url),
            ca: ca_file.clone(),
        },
        config::Transport::Folder { path } => Transport::Folder { path: path.clone() },
        config::Transport::None => Transport::None,
    };
    let reply_to = config.reply_to.as_ref().map(ToString::to_string);
    let mailer = Mailer::new(MailConfig {
        transport,
        from: config.from.to_string(),
        reply_to: reply_to.clone(),
        timeout: config.timeout.to_std(),
    })?;
    let templates = Templates::load(config.templates.as_deref(), &config.default_language);
    let templates = ArcSwap::from_pointee(templates);
    let breaker = Guard::new(BreakerSettings::service(MAIL_FLOW), changed);
    Ok(MailService {
        mailer,
        breaker,
        templates,
        reply_to,
        default_language: config.default_language.clone(),
    })
}

/// What a license service can: what a probe learned, else what its documentation says.
fn declared(licenses: &config::LicensesConfig) -> crate::effects::license::Abilities {
    let declared = match licenses.service {
        config::Service::AuthForge { .. } => crate::effects::license::Abilities::authforge(),
        config::Service::Embedded { .. } => return crate::effects::license::Abilities::embedded(),
    };
    licenses
        .probed
        .as_ref()
        .map_or(declared, |probe| declared.learned(probe))
}

/// What a source's license service can, as the domain asks it.
#[must_use]
pub fn abilities(licenses: &config::LicensesConfig, mail: &config::Mail) -> Abilities {
    let declared = declared(licenses);
    Abilities {
        can_shorten: declared.can_shorten,
        revoke_reversible: declared.revoke_reversible,
        set_devices: declared.set_devices,
        devices_max: declared.devices_max,
        // Whether it does is the source's matter, not its services'.
        can_query: false,
        sends_mail: mail.transport != config::Transport::None,
        request_timeout: licenses.request_timeout,
        lookup_after: licenses.lookup_after.clone(),
    }
}
