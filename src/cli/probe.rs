//! `keyward probe`: what the license service can do, found out on a throwaway license.

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::Args;

use super::ask::{ask, load};
use super::report;
use crate::admin::{Failure, Request};
use crate::clock::Clock;
use crate::config::{Config, Env, LicensesConfig};
use crate::domain::id::{AppId, SourceName};
use crate::domain::probe::{DeviceForm, ServiceProbe};
use crate::effects::license::probe::probe;
use crate::effects::services::prober;

/// `probe`.
#[derive(Args, Debug)]
pub struct ProbeArgs {
    /// The application for the throw-away license: one that sells nothing.
    #[arg(long, value_name = "APP")]
    pub app: String,
    /// The source whose license service is meant, where it has one of its own.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Do not ask before a credit is spent.
    #[arg(long)]
    pub yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Probes the license service, and keeps what it learned.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config_path: &Path, args: &ProbeArgs) -> Result<(), Failure> {
    let (config, _) = load(config_path, &Env::process())?;
    let source = args.source.as_deref().map(SourceName::from);
    let licenses = match &source {
        Some(name) if config.source(name).is_none() => {
            return Err(Failure::input(format!("there is no source `{name}`")));
        }
        Some(name) => config.licenses_of(name),
        None => &config.licenses,
    };
    let app = AppId::new(&args.app);
    if sells(&config, &app) {
        return Err(
            Failure::input(format!("the application {app} sells licenses"))
                .hint("make one at the license service that sells nothing, and name it"),
        );
    }
    let client = prober(licenses).map_err(Failure::input)?;
    agreed(args, licenses)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    let learned = probe(&client, licenses.service.as_str(), &app, &Clock::Wall);
    let learned = runtime
        .block_on(learned)
        .map_err(|e| Failure::input(e.to_string()))?;
    ask(config_path, Request::Probed(learned.clone()))?;
    if args.json {
        return report::json(&learned);
    }
    report::data(&text(&learned));
    report::say("kept in the store; a running server goes by it from its next start on");
    Ok(())
}

/// Whether any purchase gets a license of that application.
fn sells(config: &Config, app: &AppId) -> bool {
    let own = config.sources.iter().filter_map(|s| s.licenses.as_ref());
    let of_services = own.chain([&config.licenses]).map(|l| &l.app_id);
    let of_plans = config
        .plans
        .iter()
        .filter_map(|p| p.license.app_id.as_ref());
    of_services.chain(of_plans).any(|known| known == app)
}

/// Makes sure that somebody agrees to what it costs.
fn agreed(args: &ProbeArgs, licenses: &LicensesConfig) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let refused = || {
        Failure::input("nothing was done: a probe makes one license, which may cost a credit")
            .hint("`--yes` agrees to that")
    };
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    report::say(&format!(
        "this makes one license at {} in the application {}, which may cost a credit, and revokes it again. Go ahead? [y/N]",
        licenses.service.as_str(),
        args.app
    ));
    // A question that cannot be shown is asked all the same.
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        Ok(_) | Err(_) => Err(refused()),
    }
}

/// What was learned, a line each.
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "a flat table: a row for each thing that is learned"
)]
pub(super) fn text(probe: &ServiceProbe) -> String {
    let word = |can: bool| if can { "yes" } else { "no" };
    let listed = probe
        .listed_after_s
        .map_or("not within the probe".to_owned(), |s| {
            format!("after {} s at most", s + 1)
        });
    let learned = |can: Option<bool>| can.map_or("not learned", word).to_owned();
    let devices = match probe.device_form {
        Some(DeviceForm::Update) => "yes, by the action `update`".to_owned(),
        Some(DeviceForm::Plain) => "yes, without an action".to_owned(),
        None => word(probe.set_devices).to_owned(),
    };
    let said = probe.unknown_action.clone();
    let fields = |names: &Option<Vec<String>>| {
        names
            .as_ref()
            .map_or("not learned".to_owned(), |names| names.join(", "))
    };
    let rows = [
        (
            "an end can be moved to an earlier instant",
            word(probe.can_shorten).to_owned(),
        ),
        (
            "an end can be taken away",
            word(probe.can_be_for_life).to_owned(),
        ),
        (
            "an end on 31 December 2099 is taken instead",
            probe.far_end.map_or("not tried", word).to_owned(),
        ),
        (
            "a license that has expired can be extended",
            learned(probe.extends_expired),
        ),
        (
            "a revocation can be undone",
            word(probe.revoke_reversible).to_owned(),
        ),
        ("a second revocation is taken", learned(probe.revokes_again)),
        (
            "an end can be set while revoked",
            learned(probe.extends_revoked),
        ),
        (
            "an active license may be activated",
            learned(probe.activates_again),
        ),
        ("the number of devices can be changed", devices),
        ("devices can be taken away", learned(probe.fewer_devices)),
        (
            "the limit of devices can be taken away",
            learned(probe.unlimited_devices),
        ),
        (
            "the list shows labels",
            word(probe.list_shows_label).to_owned(),
        ),
        (
            "the list can be asked for a label",
            learned(probe.finds_by_label),
        ),
        ("the list shows", fields(&probe.list_fields)),
        ("a single read shows", fields(&probe.read_fields)),
        ("a new license is listed", listed),
        (
            "an action that does not exist",
            said.unwrap_or_else(|| "is taken in silence".to_owned()),
        ),
    ];
    let rows = rows
        .into_iter()
        .map(|(what, answer)| vec![what.to_owned(), answer])
        .collect();
    report::table(
        &[
            &format!("{} on {:.10}", probe.service, probe.at.to_string()),
            "",
        ],
        rows,
    )
}
