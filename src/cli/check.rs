//! `keyward check`: every mistake at once, and with `--online` what the services say.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::args::CheckArgs;
use super::ask::{ask, load, only_row};
use super::online::{self, Tried, Verdict};
use super::{page, report, source_names};
use crate::admin::{ElsewhereRow, Failure, MoveQuery, Request, Response, socket};
use crate::config::{Config, Env};
use crate::domain::id::SourceName;
use crate::domain::probe::ServiceProbe;
use crate::domain::service_move::ServiceKind;
use crate::effects::services::Services;
use crate::engine::read::applications::OtherApplication;
use crate::engine::read::sources::SourceChange;
use crate::server::named_by;

/// Checks the config.
///
/// # Errors
/// That there are mistakes, or services that do not do what the config says.
pub(super) fn run(path: &Path, args: &CheckArgs) -> Result<(), Failure> {
    let (config, warnings) = load(path, &Env::process())?;
    report::findings(&warnings);
    let count = match warnings.len() {
        0 => String::new(),
        1 => ", with 1 warning".to_owned(),
        n => format!(", with {n} warnings"),
    };
    report::data(&format!("{} is valid{count}", path.display()));
    let mut tried = match online::services(&config) {
        Ok((services, mut tried)) => {
            if args.online {
                tried.extend(online(&config, &services)?);
                tried.extend(probed(path, &config));
            }
            tried
        }
        Err(wrong) => vec![wrong],
    };
    tried.extend(elsewhere(path, &config));
    tried.extend(other_applications(path, &config));
    tried.extend(renamed(path, &config));
    tried.iter().for_each(|t| report::data(&line(t)));
    match tried.iter().filter(|t| t.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        1 => Err(Failure::input("1 thing does not work as configured")),
        n => Err(Failure::input(format!(
            "{n} things do not work as configured"
        ))),
    }
}

fn online(config: &Config, services: &Services) -> Result<Vec<Tried>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    Ok(runtime.block_on(online::all(config, services)))
}

/// What probes learned of the license services, and what that means for the config's plans.
fn probed(path: &Path, config: &Config) -> Vec<Tried> {
    let own = config.sources.iter().filter_map(|s| s.licenses.as_ref());
    let names: BTreeSet<&str> = own
        .chain([&config.licenses])
        .map(|l| l.service.as_str())
        .collect();
    let probe = |service: &&str| {
        let request = Request::Probe {
            service: (*service).to_owned(),
        };
        // Without a store nothing was learned yet.
        let Some(Response::List { rows, .. }) = known(path, config, request) else {
            return None;
        };
        page::read::<ServiceProbe>(&rows).ok()?.pop()
    };
    names
        .iter()
        .filter_map(probe)
        .flat_map(|probe| online::learned(config, &probe))
        .collect()
}

/// What a running server, or the store itself, answers; nothing where there is none yet. The store is another user's where it
/// is the server's own: opened here, its files would be ours.
fn known(path: &Path, config: &Config, request: Request) -> Option<Response> {
    let owner = |path: &Path| Some(std::fs::metadata(path).ok()?.uid());
    let is_ours = owner(&config.data_dir)? == owner(Path::new("/proc/self"))?;
    match socket::ask(&config.data_dir, &request) {
        Ok(Some(response)) => Some(response),
        Ok(None) if is_ours => ask(path, request).ok(),
        Ok(None) | Err(_) => None,
    }
}

/// Licenses that are at another service than the one that the config names.
fn elsewhere(path: &Path, config: &Config) -> Vec<Tried> {
    let service = |name: &SourceName| {
        ServiceKind::named(config.licenses_of(name).service.as_str()).map(|is| (name.clone(), is))
    };
    let named = config.sources.iter().filter_map(|s| service(&s.name));
    let count = Request::Move(MoveQuery::Count {
        named: named.collect(),
    });
    let Some(Response::Page { rows, .. }) = known(path, config, count) else {
        return Vec::new();
    };
    let rows = page::read::<ElsewhereRow>(&rows).unwrap_or_default();
    rows.iter().map(online::elsewhere).collect()
}

/// Licenses that are in applications that the config names no more.
fn other_applications(path: &Path, config: &Config) -> Vec<Tried> {
    let named = named_by(config);
    let query = Request::Move(MoveQuery::Applications { named });
    let Some(Response::Page { rows, .. }) = known(path, config, query) else {
        return Vec::new();
    };
    let rows = page::read::<OtherApplication>(&rows).unwrap_or_default();
    rows.iter().map(online::other_application).collect()
}

/// Sources that have purchases and that the config names no more, or otherwise.
fn renamed(path: &Path, config: &Config) -> Vec<Tried> {
    let named = source_names::named(config);
    let change = known(path, config, Request::Sources { named });
    let change = change.and_then(|response| only_row::<SourceChange>(response).ok());
    change.map_or_else(Vec::new, |change| source_names::tried(path, &change))
}

fn line(tried: &Tried) -> String {
    let hint = tried
        .hint
        .as_deref()
        .map_or(String::new(), |hint| format!("\n        hint: {hint}"));
    format!(
        "{:<5}  {}: {}{hint}",
        tried.verdict.as_str(),
        tried.subject,
        tried.what
    )
}
