//! `[portal]`, and `self_service` in a plan.

use std::collections::BTreeMap;

use super::super::Config;
use super::super::check::is_loopback;
use super::super::keys::{PLAN, PORTAL, SELF_SERVICE};
use super::super::tree::Table;
use super::super::types::{Portal, Transport};
use crate::domain::id::PlanName;
use crate::domain::self_service::SelfService;

/// The portal, given all else. Without mail nobody could sign in.
pub(super) fn portal(root: &Table<'_>, config: &Config) -> Portal {
    let set = root.sub("portal", &PORTAL).and_then(|t| t.flag("enabled"));
    let mails = config
        .sources
        .iter()
        .any(|s| config.mail_of(&s.name).transport != Transport::None);
    let public = config.public_url.starts_with("https://");
    let reader = root.reader;
    if set == Some(true) && !mails {
        let hint = "the code to sign in with comes by mail; set `transport` under [mail]";
        let at = reader.spot("/portal/enabled");
        reader.mistake(at, "the portal cannot be used without mail", hint);
    }
    if set == Some(true) && !public && !is_loopback(&config.public_url) {
        let hint = "set `public_url` to an https:// address; only this machine itself needs none";
        let at = reader.spot("/portal/enabled");
        reader.mistake(at, "the portal's cookies would travel unencrypted", hint);
    }
    Portal {
        enabled: set.unwrap_or(mails && public),
        plans: plans(root),
    }
}

fn plans(root: &Table<'_>) -> BTreeMap<PlanName, SelfService> {
    let plans = root.tables("plan", &PLAN);
    let own = plans.iter().filter_map(|t| {
        let name = PlanName::new(t.text("name")?);
        let service = t.sub("self_service", &SELF_SERVICE)?;
        let service = SelfService {
            reset_devices: service.allowance("reset_devices"),
            rekey: service.allowance("rekey"),
        };
        Some((name, service))
    });
    own.collect()
}
