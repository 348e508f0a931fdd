//! What a license service can do with devices, against what plans want of it.

use super::AUTHFORGE_DEVICES_MAX;
use crate::config::Config;
use crate::config::tree::TreeReader;
use crate::config::types::Service;
use crate::domain::plan::{AtDeviceLimit, Devices, Plan, Seats};

/// Whether licenses come from AuthForge anywhere.
fn uses_authforge(config: &Config) -> bool {
    let everywhere = config
        .sources
        .iter()
        .map(|s| s.licenses.as_ref().unwrap_or(&config.licenses));
    everywhere
        .into_iter()
        .any(|l| matches!(l.service, Service::AuthForge { .. }))
}

/// Plans whose customers get other devices by a change of quantity or of plan: AuthForge takes that in its dashboard only.
pub(super) fn devices_by_hand(config: &Config, reader: &TreeReader<'_>) {
    if !uses_authforge(config) || reader.env.is_lenient() {
        return;
    }
    let hint = "each such change waits for you in `keyward actions`, with what to set where";
    let at = |i: usize| {
        reader
            .spot(&format!("/plan/{i}/license"))
            .or_else(|| reader.spot(&format!("/plan/{i}/name")))
    };
    let counts =
        |plan: &Plan| plan.license.devices_per_unit.is_some() && plan.seats == Seats::Devices;
    for (i, plan) in config.plans.iter().enumerate().filter(|(_, p)| counts(p)) {
        let message = format!(
            "the devices of the plan \"{}\" follow its quantity, and AuthForge changes devices in its dashboard only",
            plan.name
        );
        reader.warning(
            at(i),
            message,
            format!("{hint}; `seats = \"keys\"` gives each unit a key of its own instead"),
        );
    }
    let fixed = |plan: &Plan| plan.license.devices.unwrap_or(Devices::Count(1));
    for (i, plan) in config.plans.iter().enumerate().filter(|(_, p)| !counts(p)) {
        let unlike = |p: &&Plan| {
            !counts(p) && p.license.app_id == plan.license.app_id && fixed(p) != fixed(plan)
        };
        let Some(other) = config.plans[..i].iter().find(unlike) else {
            continue;
        };
        let message = format!(
            "the plans \"{}\" and \"{}\" allow different devices, and AuthForge changes devices in its dashboard only",
            other.name, plan.name
        );
        reader.warning(
            at(i),
            message,
            format!("who changes from one to the other: {hint}"),
        );
        return;
    }
}

pub(super) fn devices(
    config: &Config,
    plan: &Plan,
    reader: &TreeReader<'_>,
    at: Option<std::ops::Range<usize>>,
) {
    let authforge = uses_authforge(config);
    let most = |n: Option<u32>| n.is_some_and(|n| n > AUTHFORGE_DEVICES_MAX);
    let fixed = plan.license.devices.and_then(|d| match d {
        Devices::Count(n) => Some(n),
        Devices::Unlimited => None,
    });
    if authforge && (most(fixed) || most(plan.license.devices_per_unit)) {
        let message = format!(
            "the plan \"{}\" allows more devices than AuthForge does on one key ({AUTHFORGE_DEVICES_MAX})",
            plan.name
        );
        let what = match plan.license.at_device_limit {
            AtDeviceLimit::Split => {
                "the customer gets several keys that share them; `at_device_limit = \"unlimited\"` gives one without a limit"
            }
            AtDeviceLimit::Unlimited => {
                "the customer gets one key without a limit; `at_device_limit = \"split\"` gives several that share them"
            }
        };
        reader.warning(at.clone(), message, what);
    }
    if plan.license.devices_per_unit.is_some() && plan.seats == Seats::Keys {
        let message = format!(
            "`devices_per_unit` of the plan \"{}\" counts for nothing: its units are keys",
            plan.name
        );
        reader.warning(
            at.clone(),
            message,
            "set `devices` for each key, or `seats = \"devices\"`",
        );
    }
    if plan.license.devices_per_unit.is_some() && plan.license.devices == Some(Devices::Unlimited) {
        let message = format!(
            "`devices_per_unit` of the plan \"{}\" adds nothing to \"unlimited\"",
            plan.name
        );
        reader.warning(at, message, "leave one of the two out");
    }
}
