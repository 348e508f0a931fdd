//! What a probe learned of a license service, and what that means for the config's plans. Pure.

use super::{Tried, Verdict};
use crate::config::{Config, SuspendBy};
use crate::domain::plan::{AtDeviceLimit, Devices, Plan, Seats};
use crate::domain::policy::{AtGraceEnd, OnCancel};
use crate::domain::probe::{DeviceForm, ServiceProbe};

/// What was learned, and each setting that does not go with it.
#[must_use]
pub fn learned(config: &Config, probe: &ServiceProbe) -> Vec<Tried> {
    let subject = format!("abilities of {}", probe.service);
    let abilities = Tried::new(Verdict::Good, &subject, words(probe));
    let abilities = if probe.set_devices {
        abilities.hint("warnings above about plans whose devices change do not hold: they are changed by themselves")
    } else {
        abilities
    };
    let mut out = vec![abilities];
    out.extend(stops(config, probe, &subject));
    out.extend(devices(config, probe, &subject));
    out.extend(ends(config, probe, &subject));
    out
}

fn words(probe: &ServiceProbe) -> String {
    let word = |can: bool| if can { "can" } else { "cannot" };
    let form = match probe.device_form {
        Some(DeviceForm::Update) => " (by the action `update`)",
        Some(DeviceForm::Plain) => " (without an action)",
        None => "",
    };
    let mut words = format!(
        "probed on {:.10}: it {} shorten, {} undo a revocation, {} change devices{form}",
        probe.at.to_string(),
        word(probe.can_shorten),
        word(probe.revoke_reversible),
        word(probe.set_devices),
    );
    for (can, what) in [
        (Some(probe.can_be_for_life), "take an end away"),
        (probe.fewer_devices, "take devices away"),
        (probe.unlimited_devices, "take their limit away"),
        (probe.extends_expired, "extend what has expired"),
        (probe.extends_revoked, "set an end while revoked"),
        (probe.finds_by_label, "list by label"),
    ] {
        if let Some(can) = can {
            words.extend([", ", word(can), " ", what]);
        }
    }
    if !probe.can_be_for_life && probe.far_end == Some(true) {
        words.push_str(" (a license for life that comes back gets 31 December 2099 there, and is shown as for life)");
    }
    for (again, what) in [
        (probe.revokes_again, "a second revocation"),
        (probe.activates_again, "activating what is active"),
    ] {
        if again == Some(false) {
            words.extend(["; it refuses ", what, ", which is then looked at"]);
        }
    }
    words
}

/// Whether a license can be stopped, and come back, in the way that is configured.
fn stops(config: &Config, probe: &ServiceProbe, subject: &str) -> Vec<Tried> {
    let own = config.sources.iter().filter_map(|s| s.licenses.as_ref());
    let of_service = own
        .chain([&config.licenses])
        .filter(|l| l.service.as_str() == probe.service);
    let mut ways: Vec<SuspendBy> = of_service.map(|l| l.suspend).collect();
    ways.dedup();
    let for_life = ways
        .contains(&SuspendBy::Shorten)
        .then(|| for_life(config, probe, subject));
    let other = if probe.revoke_reversible {
        "`suspend = \"revoke\"` under `[licenses]`: it can undo a revocation"
    } else {
        "`suspend = \"wait\"` under `[licenses]`: you are told instead"
    };
    let wrong = ways.into_iter().filter_map(|way| match way {
        SuspendBy::Shorten if !probe.can_shorten => {
            Some("`suspend = \"shorten\"`, but it cannot shorten: nothing is stopped before its end")
        }
        SuspendBy::Shorten if probe.extends_expired == Some(false) => Some(
            "`suspend = \"shorten\"`, but it cannot extend what has expired: a stopped license does not come back",
        ),
        SuspendBy::Revoke if !probe.revoke_reversible => Some(
            "`suspend = \"revoke\"`, but it cannot undo a revocation: nothing is stopped before its end",
        ),
        SuspendBy::Shorten | SuspendBy::Revoke | SuspendBy::Wait => None,
    });
    wrong
        .map(|what| Tried::new(Verdict::Bad, subject, what).hint(other))
        .chain(for_life.flatten())
        .collect()
}

/// Licenses for life that are stopped by an end: whether they come back as what they were.
fn for_life(config: &Config, probe: &ServiceProbe, subject: &str) -> Option<Tried> {
    let plans = named(config, &|p| p.license.duration.is_none());
    let whose = if plans.is_empty() {
        "purchases for life".to_owned()
    } else {
        format!("purchases for life of these plans: {plans}")
    };
    match probe.gives_life_back() {
        Some(true) => None,
        Some(false) => {
            let what = format!(
                "`suspend = \"shorten\"`, but it takes neither an end away nor one so far off that it is none: what was stopped does not come back for life, with {whose}"
            );
            let hint = "`suspend = \"wait\"` under `[licenses]`: you are told instead; `keyward rekey` gives a new key";
            Some(Tried::new(Verdict::Bad, subject, what).hint(hint))
        }
        None => {
            let what = format!(
                "it cannot take an end away, and whether it takes one far off instead was not tried: it decides how what was stopped comes back, with {whose}"
            );
            let hint = "`keyward probe --app APP` learns it";
            Some(Tried::new(Verdict::Unwise, subject, what).hint(hint))
        }
    }
}

/// Plans whose customers get devices in a way that the service does not take.
fn devices(config: &Config, probe: &ServiceProbe, subject: &str) -> Vec<Tried> {
    let counts = |p: &Plan| p.license.devices_per_unit.is_some() && p.seats == Seats::Devices;
    let fixed = |p: &Plan| p.license.devices.unwrap_or(Devices::Count(1));
    let differs = |p: &Plan| {
        let other = |o: &Plan| o.license.app_id == p.license.app_id && fixed(o) != fixed(p);
        counts(p) || config.plans.iter().any(other)
    };
    let unlimited = |p: &Plan| {
        fixed(p) == Devices::Unlimited
            || counts(p) && p.license.at_device_limit == AtDeviceLimit::Unlimited
    };
    let mut out = Vec::new();
    let mut tell = |can: Option<bool>, what: &str, is: &dyn Fn(&Plan) -> bool| {
        let plans = named(config, is);
        if can == Some(false) && !plans.is_empty() {
            let what = format!("it cannot {what}, which changes of these plans need: {plans}");
            let waits =
                "each such change waits for you in `keyward actions`, with what to set where";
            out.push(Tried::new(Verdict::Unwise, subject, what).hint(waits));
        }
    };
    tell(probe.fewer_devices, "take devices away", &|p| differs(p));
    tell(
        probe.unlimited_devices,
        "take the limit of devices away",
        &|p| unlimited(p) && differs(p),
    );
    out
}

/// Plans whose policies move an end where the service does not let it go.
fn ends(config: &Config, probe: &ServiceProbe, subject: &str) -> Vec<Tried> {
    let policy = |p: &Plan| config.policy(p.policy.as_ref());
    let mut out = Vec::new();
    let lapse = named(config, &|p| policy(p).at_grace_end == AtGraceEnd::Suspend);
    if probe.extends_expired == Some(false) && !lapse.is_empty() {
        let what = format!(
            "it cannot extend what has expired: who pays after the grace gets the key back by your hand only, with these plans: {lapse}"
        );
        out.push(
            Tried::new(Verdict::Unwise, subject, what)
                .hint("`keyward rekey` gives them a new key; `at_grace_end = \"keep\"` lets none expire while Stripe still tries"),
        );
    }
    let for_life = named(config, &|p| policy(p).on_cancel == OnCancel::Keep);
    if probe.gives_life_back() != Some(true) && !for_life.is_empty() {
        let what = format!(
            "it cannot take an end away, which `on_cancel = \"keep\"` of these plans needs: {for_life}"
        );
        out.push(
            Tried::new(Verdict::Unwise, subject, what)
                .hint("each cancellation waits for you in `keyward actions`"),
        );
    }
    out
}

/// The names of some plans.
fn named(config: &Config, is: &dyn Fn(&Plan) -> bool) -> String {
    let plans = config.plans.iter().filter(|p| is(p));
    let names: Vec<String> = plans.map(|p| format!("`{}`", p.name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Env;
    use crate::domain::id::AppId;
    use crate::domain::time::Timestamp;

    fn able() -> ServiceProbe {
        ServiceProbe {
            service: "authforge".to_owned(),
            app: AppId::new("app_probe"),
            at: Timestamp::from_s(1_767_607_200),
            can_shorten: true,
            can_be_for_life: true,
            revoke_reversible: true,
            set_devices: true,
            list_shows_label: false,
            listed_after_s: Some(0),
            device_form: Some(DeviceForm::Plain),
            fewer_devices: Some(true),
            unlimited_devices: Some(true),
            extends_expired: Some(true),
            unknown_action: None,
            far_end: None,
            revokes_again: Some(true),
            extends_revoked: Some(true),
            activates_again: Some(true),
            finds_by_label: Some(false),
            list_fields: None,
            read_fields: None,
        }
    }

    /// The verdicts of a config with these lines, without what was learned itself.
    fn wrong(lines: &str, probe: &ServiceProbe) -> Vec<(Verdict, String)> {
        let text = format!(
            "[licenses]\nservice = \"authforge\"\napi_key = \"af_1\"\napp_id = \"app\"\n{lines}"
        );
        let env = Env::new(|_| None).lenient();
        let (config, _) = Config::parse(&text, Path::new("keyward.toml"), &env).unwrap();
        let all = learned(&config, probe);
        all.into_iter()
            .skip(1)
            .map(|t| (t.verdict, t.what))
            .collect()
    }

    const PLANS: &str = "[[plan]]\nname = \"solo\"\nprices = [\"price_1\"]\n\
        [[plan]]\nname = \"team\"\nprices = [\"price_2\"]\nlicense = { devices = \"unlimited\" }\n";

    #[test]
    fn what_can_do_everything_is_fine() {
        assert_eq!(wrong(PLANS, &able()), []);
    }

    #[test]
    fn what_is_missing_is_told_for_the_plans_that_need_it() {
        let weak = ServiceProbe {
            fewer_devices: Some(false),
            unlimited_devices: Some(false),
            ..able()
        };
        let told = wrong(PLANS, &weak);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].1.contains("take devices away") && told[0].1.ends_with("`solo`, `team`"));
        assert!(told[1].1.contains("take the limit") && told[1].1.ends_with("`team`"));
        // Nobody's devices change where all plans are alike.
        assert_eq!(
            wrong("[[plan]]\nname = \"solo\"\nprices = [\"price_1\"]\n", &weak),
            []
        );
        let keep = format!("{PLANS}policy = \"kept\"\n[policy.kept]\non_cancel = \"keep\"\n");
        let keep = format!("suspend = \"wait\"\n{keep}");
        let weak = ServiceProbe {
            can_be_for_life: false,
            ..able()
        };
        let told = wrong(&keep, &weak);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.ends_with("`team`"), "{told:?}");
    }

    /// Where stops are ends, a license for life must come back for life.
    #[test]
    fn who_is_stopped_by_an_end_must_be_able_to_lose_it_again() {
        let keeps_ends = |far_end| ServiceProbe {
            can_be_for_life: false,
            far_end,
            ..able()
        };
        let solo = "[[plan]]\nname = \"solo\"\nprices = [\"price_1\"]\n\
            [[plan]]\nname = \"year\"\nprices = [\"price_2\"]\nlicense = { duration = \"365d\" }\n";
        let told = wrong(solo, &keeps_ends(Some(false)));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].0 == Verdict::Bad && told[0].1.ends_with("of these plans: `solo`"),
            "{told:?}"
        );
        let told = wrong(solo, &keeps_ends(None));
        assert!(
            told.len() == 1 && told[0].0 == Verdict::Unwise && told[0].1.contains("not tried"),
            "{told:?}"
        );
        assert_eq!(wrong(solo, &keeps_ends(Some(true))), []);
        let shown = words(&keeps_ends(Some(true)));
        assert!(
            shown.contains("cannot take an end away") && shown.contains("31 December 2099"),
            "{shown}"
        );
        let wait = format!("suspend = \"wait\"\n{solo}");
        assert_eq!(wrong(&wait, &keeps_ends(Some(false))), []);
    }

    #[test]
    fn a_way_to_stop_that_does_not_work_is_a_mistake() {
        let dead = ServiceProbe {
            extends_expired: Some(false),
            ..able()
        };
        let told = wrong(PLANS, &dead);
        assert_eq!(
            told.iter().map(|t| t.0).collect::<Vec<_>>(),
            [Verdict::Bad, Verdict::Unwise],
            "{told:?}"
        );
        let told = wrong("suspend = \"wait\"\n", &dead);
        assert_eq!(told, []);
        for (way, probe) in [
            (
                "shorten",
                ServiceProbe {
                    can_shorten: false,
                    ..able()
                },
            ),
            (
                "revoke",
                ServiceProbe {
                    revoke_reversible: false,
                    ..able()
                },
            ),
        ] {
            let told = wrong(&format!("suspend = \"{way}\"\n"), &probe);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].0, Verdict::Bad);
        }
        // A probe of a version that learned less says nothing about it.
        let old = ServiceProbe {
            fewer_devices: None,
            unlimited_devices: None,
            extends_expired: None,
            ..able()
        };
        assert_eq!(wrong(PLANS, &old), []);
    }
}
