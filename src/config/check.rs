//! Judgements across keys and tables: what cannot be meant is a mistake, what is unwise a warning.

mod devices;

use std::collections::BTreeMap;
use std::path::Path;

use super::Config;
use super::tree::{TreeReader, nearest};
use super::types::{Backup, LicensesConfig, Livemode, Service, Source, Transport};
use crate::domain::plan::Plan;
use crate::domain::policy::STANDARD;
use crate::domain::time::Span;
use devices::{devices, devices_by_hand};

/// What AuthForge allows on one key (reference: its "Update a license").
const AUTHFORGE_DEVICES_MAX: u32 = 16;
/// A request that is cut off sooner leaves outcomes unknown that a little patience would have told.
const AUTHFORGE_TIMEOUT_ADVISED: Span = Span::from_s(30);

/// Judges a config that was read.
pub(super) fn check(config: &Config, reader: &TreeReader<'_>) {
    sources(config, reader);
    public_url(config, reader);
    proxy(config, reader);
    services(config, reader);
    backups(config, reader);
    alerts(config, reader);
    plans(config, reader);
    for policy in &config.policies {
        super::judge::policy(policy, reader);
    }
}

/// Whether a URL leads to this machine only.
pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn is_open(url: &str) -> bool {
    url.starts_with("http://") && !is_loopback(url)
}

fn sources(config: &Config, reader: &TreeReader<'_>) {
    if config.sources.is_empty()
        && !reader.env.is_lenient()
        && reader.spot("/source").is_none_or(|s| s.is_empty())
    {
        let hint = "add a table `[[source]]` with `name = \"stripe\"` and its `signing_secrets`";
        reader.absence(None, "there is no source of events", hint);
    }
    let mut seen = BTreeMap::new();
    for (i, source) in config.sources.iter().enumerate() {
        let at = |key: &str| reader.spot(&format!("/source/{i}/{key}"));
        let name = source.name.as_str();
        if !name.is_empty() && seen.insert(name, i).is_some() {
            reader.mistake(
                at("name"),
                format!("two sources are called \"{name}\""),
                "each is served at an address of its own",
            );
        }
        if is_open(&source.api_base) {
            let hint = "use https://; only a stand-in on this machine needs none";
            reader.warning(
                at("api_base"),
                "the API key is sent unencrypted to `api_base`",
                hint,
            );
        }
        mode(source, reader, at("livemode"), at("api_key"));
    }
    shared_licenses(config, reader);
}

fn mode(
    source: &Source,
    reader: &TreeReader<'_>,
    at: Option<std::ops::Range<usize>>,
    key_at: Option<std::ops::Range<usize>>,
) {
    if source.livemode == Livemode::Any && !reader.env.is_lenient() {
        let hint = "have a source for each mode; each has its signing secret anyway";
        reader.warning(
            at,
            "`livemode = \"any\"` hands out real licenses for test purchases",
            hint,
        );
    }
    let Some(key) = source.api_key.as_ref().map(crate::secret::Secret::reveal) else {
        return;
    };
    let is = |mode: &str| {
        ["sk_", "rk_"]
            .iter()
            .any(|kind| key.starts_with(&format!("{kind}{mode}_")))
    };
    let other = match source.livemode {
        Livemode::Live => is("test").then_some("test"),
        Livemode::Test => is("live").then_some("live"),
        Livemode::Any => None,
    };
    if let Some(other) = other {
        // What it would look up is never what this source's events are about, and what it sold nobody would hear of.
        let hint = format!("give the key of the source's own mode, or `livemode = \"{other}\"`");
        let what =
            format!("`api_key` is a key of {other} mode, and the source takes the other one");
        reader.mistake(key_at, what, hint);
    }
}

/// A test source whose licenses come from where a live source's do.
fn shared_licenses(config: &Config, reader: &TreeReader<'_>) {
    let live = config.sources.iter().find(|s| s.livemode == Livemode::Live);
    let Some(live) = live else { return };
    for (i, test) in config
        .sources
        .iter()
        .enumerate()
        .filter(|(_, s)| s.livemode == Livemode::Test)
    {
        if identity(config.licenses_of(&live.name))
            == identity(test.licenses.as_ref().unwrap_or(&config.licenses))
        {
            let at = reader
                .spot(&format!("/source/{i}/licenses"))
                .or_else(|| reader.spot(&format!("/source/{i}/name")));
            let message = format!(
                "the test source \"{}\" hands out the same licenses as \"{}\"",
                test.name, live.name
            );
            reader.warning(
                at,
                message,
                "give it its own: `licenses = { service = \"embedded\" }`, or another `app_id`",
            );
        }
    }
}

/// Which licenses a table hands out.
fn identity(licenses: &LicensesConfig) -> (Option<&str>, &str) {
    let base = match &licenses.service {
        Service::AuthForge { api_base, .. } => Some(api_base.as_str()),
        Service::Embedded { .. } => None,
    };
    (base, licenses.app_id.as_str())
}

fn public_url(config: &Config, reader: &TreeReader<'_>) {
    let given = reader.spot("/public_url").filter(|s| !s.is_empty());
    if given.is_none() && !reader.env.is_lenient() {
        let message = format!(
            "without `public_url` the links in mails lead to {}",
            config.public_url
        );
        reader.warning(
            None,
            message,
            "add `public_url = \"https://buy.example.com\"`",
        );
    } else if is_open(&config.public_url) {
        let hint = "Stripe delivers live events over https:// only, and keys should not travel unencrypted";
        reader.warning(given, "`public_url` is unencrypted", hint);
    }
}

/// A server that only its own machine can reach, for customers who come from outside: there is a proxy before it, and all
/// visitors have the proxy's address.
fn proxy(config: &Config, reader: &TreeReader<'_>) {
    let behind_one = config.listen.ip().is_loopback() && !is_loopback(&config.public_url);
    let told = reader.told_in("/http/trusted_proxies");
    if !behind_one || !config.http.trusted_proxies.is_empty() || told || reader.env.is_lenient() {
        return;
    }
    let given = |path: &str| reader.spot(path).filter(|s| !s.is_empty());
    let own = given("/http/trusted_proxies").filter(|at| Some(at.clone()) != given("/http"));
    let message = "behind a proxy all customers share one rate limit on the success page, for no proxy is trusted";
    let hint = "add `trusted_proxies = [\"127.0.0.1\"]` to `[http]`, or wherever the proxy's requests come from";
    reader.warning(own.or_else(|| given("/public_url")), message, hint);
}

/// Backups in what they are copies of.
fn backups(config: &Config, reader: &TreeReader<'_>) {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let inside = |backup: &Backup| absolute(&backup.path).starts_with(absolute(&config.data_dir));
    if config.backup.as_ref().is_some_and(inside) {
        let at = reader.spot("/backup/path").filter(|s| !s.is_empty());
        let message = "backups in the data directory are lost with what they should bring back";
        reader.mistake(at, message, "name a folder on another disk");
    }
}

/// Alerts by mail, and no mail.
fn alerts(config: &Config, reader: &TreeReader<'_>) {
    if config.alert.email.is_empty() || config.mail.transport != Transport::None {
        return;
    }
    let at = reader.spot("/alert/email").filter(|s| !s.is_empty());
    let hint = "set `transport` in `[mail]`, or use `url`";
    reader.mistake(at, "alerts cannot be mailed, for no mail is sent", hint);
}

fn services(config: &Config, reader: &TreeReader<'_>) {
    let own = config
        .sources
        .iter()
        .enumerate()
        .filter_map(|(i, s)| Some((format!("/source/{i}/licenses"), s.licenses.as_ref()?)));
    for (path, licenses) in own.chain([("/licenses".to_owned(), &config.licenses)]) {
        let Service::AuthForge { api_base, .. } = &licenses.service else {
            continue;
        };
        if is_open(api_base) {
            let hint = "use https://; only a stand-in on this machine needs none";
            reader.warning(
                reader.spot(&format!("{path}/api_base")),
                "the API key is sent unencrypted to `api_base`",
                hint,
            );
        }
        if licenses.request_timeout < AUTHFORGE_TIMEOUT_ADVISED && !is_loopback(api_base) {
            let message = format!(
                "a `request_timeout` of {} cuts off slow requests that would have succeeded",
                licenses.request_timeout
            );
            let hint = "each is looked up before it is repeated, which is slower than waiting; 30s or more is advised";
            reader.warning(
                reader.spot(&format!("{path}/request_timeout")),
                message,
                hint,
            );
        }
    }
    if config.mail.transport == Transport::None
        && !reader.env.is_lenient()
        && config.sources.iter().any(|s| s.mail.is_none())
    {
        let at = reader.spot("/mail").filter(|s| !s.is_empty());
        reader.warning(
            at,
            "no mail is sent: customers see their keys on the success page only",
            "set `transport` in `[mail]`",
        );
    }
    if matches!(config.mail.transport, Transport::Folder { .. })
        && !reader.env.is_lenient()
        && sells_for_real(config)
    {
        reader.warning(
            reader.spot("/mail/transport"),
            "mail is written to a folder: no customer gets any",
            "set `transport = \"smtp\"` and its `url`",
        );
    }
}

/// Whether some source has its licenses at a service outside: then it is no trial of the program.
fn sells_for_real(config: &Config) -> bool {
    let sources = config.sources.iter().filter(|s| s.mail.is_none());
    let mut services = sources.map(|s| s.licenses.as_ref().unwrap_or(&config.licenses));
    services.any(|l| matches!(l.service, Service::AuthForge { .. }))
}

fn plans(config: &Config, reader: &TreeReader<'_>) {
    let (mut names, mut prices) = (BTreeMap::new(), BTreeMap::new());
    for (i, plan) in config.plans.iter().enumerate() {
        let at = |key: &str| reader.spot(&format!("/plan/{i}/{key}"));
        let name = plan.name.as_str();
        if !name.is_empty() && names.insert(name, i).is_some() {
            reader.mistake(
                at("name"),
                format!("two plans are called \"{name}\""),
                "each needs a name of its own",
            );
        }
        let sold = plan.prices.iter().map(|p| ("price", "prices", p.as_str()));
        let sold = sold.chain(
            plan.lookup_keys
                .iter()
                .map(|k| ("lookup key", "lookup_keys", k.as_str())),
        );
        let sold: Vec<_> = sold
            .chain(
                plan.products
                    .iter()
                    .map(|p| ("product", "products", p.as_str())),
            )
            .collect();
        if sold.is_empty()
            && !["prices", "lookup_keys", "products"]
                .iter()
                .any(|k| reader.told_in(&format!("/plan/{i}/{k}")))
        {
            let message = format!(
                "the plan \"{name}\" has no price: only `metadata.plan` of a purchase can name it"
            );
            reader.warning(
                at("name"),
                message,
                "add `prices`, `lookup_keys` or `products`; `prices = [\"*\"]` takes the rest",
            );
        }
        for (what, key, id) in sold {
            if let Some(first) = prices.insert((what, id), name) {
                let by = if first == name {
                    "twice".to_owned()
                } else {
                    format!("by the plans \"{first}\" and \"{name}\"")
                };
                reader.warning(
                    at(key),
                    format!("the {what} \"{id}\" is named {by}"),
                    "the first one counts",
                );
            }
        }
        unknown_policy(config, plan, reader, at("policy"));
        extends(config, plan, reader, i);
        devices(config, plan, reader, at("license"));
    }
    devices_by_hand(config, reader);
}

/// A plan prolongs plans that are there, with keys of the same application.
fn extends(config: &Config, plan: &Plan, reader: &TreeReader<'_>, i: usize) {
    for (n, name) in plan.extends.iter().enumerate() {
        let at = reader.spot(&format!("/plan/{i}/extends/{n}"));
        let names = || config.plans.iter().map(|p| p.name.as_str());
        let Some(other) = config.plans.iter().find(|p| p.name == *name) else {
            let hint = match nearest(name.as_str(), names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "name the plan whose license is to be prolonged".to_owned(),
            };
            let message = format!(
                "the plan \"{}\" extends a plan \"{name}\" that is not there",
                plan.name
            );
            reader.mistake(at, message, hint);
            continue;
        };
        if other.license.app_id != plan.license.app_id {
            let message = format!(
                "the plan \"{}\" extends \"{name}\", whose keys are for another application",
                plan.name
            );
            reader.mistake(
                at,
                message,
                "both need the same `app_id` in `license`: a key works for one application",
            );
        }
    }
}

fn unknown_policy(
    config: &Config,
    plan: &Plan,
    reader: &TreeReader<'_>,
    at: Option<std::ops::Range<usize>>,
) {
    let Some(policy) = plan.policy.as_ref().map(|p| p.as_str()) else {
        return;
    };
    let known = || {
        config
            .policies
            .iter()
            .map(|p| p.name.as_str())
            .chain([STANDARD])
    };
    if known().any(|name| name == policy) {
        return;
    }
    let hint = match nearest(policy, known()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            format!("add a table `[policy.{policy}]`, or leave `policy` out for the standard one")
        }
    };
    reader.mistake(
        at,
        format!(
            "the plan \"{}\" names a policy \"{policy}\" that is not there",
            plan.name
        ),
        hint,
    );
}
