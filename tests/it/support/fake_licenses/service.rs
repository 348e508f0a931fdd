//! What the service does with a call.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use keyward::domain::action::{Abilities, Act, GrantStatus};
use keyward::domain::id::{EventId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::service::{Cannot, License, apply};
use serde_json::{Value, json};

use super::faults::Faults;
use super::reply::plain_error;
use super::{Call, Kept, Reply, Shared, instant, key_of, now};

impl Shared {
    pub(super) fn answer(&self, call: &Call, faults: &Faults, authorized: bool) -> Reply {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        if !authorized {
            return plain_error(401, "invalid_api_key");
        }
        match faults.refuse {
            Some(402) if call.method != "POST" => {}
            Some(402) => return plain_error(402, "no_credits"),
            Some(401) => return plain_error(401, "invalid_api_key"),
            Some(status) => return plain_error(status, "forbidden"),
            None => {}
        }
        match (call.method.as_str(), &path[..]) {
            ("POST", ["v1", "licenses"]) => self.create(&call.body),
            ("GET", ["v1", "licenses"]) => self.list(&call.query, faults),
            ("GET", ["v1", "licenses", key])
                if faults.refuse_hidden && faults.list_hides.iter().any(|k| k == key) =>
            {
                plain_error(403, "forbidden")
            }
            ("GET", ["v1", "licenses", key]) => {
                self.one(key, |kept| (200, serde_json::to_string(kept).unwrap()))
            }
            ("PUT", ["v1", "licenses", key]) => {
                self.one(key, |kept| update(kept, &call.body, faults))
            }
            _ => plain_error(404, "not_found"),
        }
    }

    fn create(&self, body: &Value) -> Reply {
        let Some(app_id) = body["appId"].as_str() else {
            return plain_error(400, "bad_request");
        };
        let label = body["label"].as_str();
        let slots = body["maxHwidSlots"].as_u64().unwrap_or(1);
        let Ok(expires_at) = serde_json::from_value(body["expiresAt"].clone()) else {
            return plain_error(400, "bad_request");
        };
        if !(1..=16).contains(&slots) || label.is_some_and(|l| l.chars().count() > 128) {
            return plain_error(400, "bad_request");
        }
        let mut db = self.db();
        let kept = Kept {
            license_key: key_of(db.licenses.len() as u64),
            app_id: app_id.into(),
            status: "active".into(),
            expires_at,
            max_hwid_slots: u32::try_from(slots).unwrap(),
            unlimited_hwid_slots: body["unlimitedHwidSlots"].as_bool().unwrap_or(false),
            hwid_list: vec![],
            label: label.map(Into::into),
            created_at: now(),
        };
        let mut shown = serde_json::to_value(&kept).unwrap();
        shown.as_object_mut().unwrap().remove("label");
        let at = db.licenses.len();
        db.index.insert(kept.license_key.clone(), at);
        db.licenses.push(kept);
        (201, json!({ "licenses": [shown] }).to_string())
    }

    fn list(&self, query: &HashMap<String, String>, faults: &Faults) -> Reply {
        let get = |name| query.get(name).map(String::as_str);
        let limit: usize = get("limit").map_or(50, |l| l.parse().unwrap_or(0));
        let Ok(from) = get("cursor").unwrap_or("0").parse::<usize>() else {
            return plain_error(400, "bad_request");
        };
        let Some(app) = get("appId").filter(|_| (1..=200).contains(&limit)) else {
            return plain_error(400, "bad_request");
        };
        if from > 0 && faults.refuse_cursors > 0 {
            self.faults.lock().unwrap().refuse_cursors -= 1;
            return plain_error(400, "bad_request");
        }
        let youngest =
            now() - chrono::TimeDelta::milliseconds(i64::try_from(faults.list_lag_ms).unwrap());
        let mut db = self.db();
        let held = db.licenses.len();
        db.first_listed.get_or_insert(held);
        let until = if faults.list_frozen {
            db.frozen_at
        } else {
            db.licenses.len()
        };
        let label = get("label").filter(|_| faults.finds_by_label);
        let all = db.licenses[..until].iter().enumerate().skip(from);
        let mut shown = all.filter(|(_, l)| {
            l.app_id == app
                && !faults.list_hides.contains(&l.license_key)
                && (faults.list_lag_ms == 0 || l.created_at <= youngest)
                && (label.is_none() || l.label.as_deref() == label)
        });
        let mut page: Vec<Value> = vec![];
        let mut cursor = Value::Null;
        for (at, kept) in shown.by_ref().take(limit) {
            let mut entry = serde_json::to_value(kept).unwrap();
            let fields = entry.as_object_mut().unwrap();
            fields.remove("hwidList");
            if faults.list_revokes.contains(&kept.license_key) {
                fields.insert("status".into(), "revoked".into());
            }
            if !faults.list_shows_label {
                fields.remove("label");
            }
            page.push(entry);
            cursor = (at + 1).to_string().into();
        }
        if shown.next().is_none() {
            cursor = Value::Null;
        }
        (
            200,
            json!({ "licenses": page, "cursor": cursor }).to_string(),
        )
    }

    fn one(&self, key: &str, act: impl FnOnce(&mut Kept) -> Reply) -> Reply {
        let mut db = self.db();
        match db.index.get(key).copied() {
            Some(at) => act(&mut db.licenses[at]),
            None => (
                404,
                json!({ "error": "not_found", "message": format!("no license {key}") }).to_string(),
            ),
        }
    }
}

fn update(kept: &mut Kept, body: &Value, faults: &Faults) -> Reply {
    let key = LicenseKey::new(kept.license_key.as_str());
    let is = kept.expires_at.map(instant);
    let act = match body["action"].as_str() {
        Some("update") | None => {
            return if devices(kept, body, faults) {
                answered(kept, faults)
            } else {
                plain_error(400, "bad_request")
            };
        }
        Some("revoke") if faults.refuse_repeats && kept.status == "revoked" => {
            return plain_error(400, "bad_request");
        }
        Some("revoke") => Act::Revoke { key },
        Some("activate") if faults.refuse_activate => return plain_error(400, "bad_request"),
        Some("activate") if faults.refuse_repeats && kept.status == "active" => {
            return plain_error(400, "bad_request");
        }
        Some("activate") => Act::Reinstate { key, until: is },
        Some("reset-hwid") => Act::ResetDevices {
            key,
            decision: EventId::from("by a call"),
            device: None,
        },
        Some("extend") if faults.no_extend_revoked && kept.status == "revoked" => {
            return plain_error(400, "bad_request");
        }
        Some("extend")
            if faults.dead_when_expired && kept.expires_at.is_some_and(|at| at <= now()) =>
        {
            return plain_error(400, "bad_request");
        }
        Some("extend") => {
            match serde_json::from_value::<Option<DateTime<Utc>>>(body["expiresAt"].clone()) {
                Ok(None) if is.is_some() && faults.for_life == "ignore" => {
                    return answered(kept, faults);
                }
                Ok(None) if is.is_some() && faults.for_life == "refuse" => {
                    return plain_error(400, "bad_request");
                }
                Ok(Some(to)) if is_too_far(to, faults) => {
                    return plain_error(400, "bad_request");
                }
                Ok(to) => Act::SetExpiry {
                    key,
                    until: to.map(instant),
                },
                Err(_) => return plain_error(400, "bad_request"),
            }
        }
        _ => return plain_error(400, "bad_request"),
    };
    let abilities = Abilities {
        can_shorten: faults.shorten == "accept",
        ..Abilities::simulated()
    };
    match apply_to(kept, &act, &abilities) {
        Err(Cannot::Shorten) if faults.shorten == "ignore" => {}
        Err(_) => return plain_error(400, "bad_request"),
        Ok(()) => {}
    }
    answered(kept, faults)
}

fn is_too_far(end: DateTime<Utc>, faults: &Faults) -> bool {
    faults.end_max_days > 0 && end > now() + chrono::TimeDelta::days(faults.end_max_days)
}

fn answered(kept: &Kept, faults: &Faults) -> Reply {
    if faults.silent_updates {
        (200, "{}".into())
    } else {
        (200, serde_json::to_string(kept).unwrap())
    }
}

/// Changes the devices, where the form and the change are taken; whether they are.
fn devices(kept: &mut Kept, body: &Value, faults: &Faults) -> bool {
    let form = if body["action"].is_null() {
        "plain"
    } else {
        "update"
    };
    if faults.devices == "ignore" {
        return true;
    }
    let slots = body["maxHwidSlots"].as_u64();
    let unlimited = body["unlimitedHwidSlots"].as_bool().unwrap_or(false);
    let fewer = slots.is_some_and(|n| n < u64::from(kept.max_hwid_slots));
    let refused = faults.devices != form
        || slots.is_none() && !unlimited
        || slots.is_some_and(|n| !(1..=16).contains(&n))
        || fewer && faults.no_fewer_devices
        || unlimited && faults.no_unlimited_devices;
    if !refused {
        kept.unlimited_hwid_slots = unlimited;
        kept.max_hwid_slots = slots.map_or(kept.max_hwid_slots, |n| u32::try_from(n).unwrap());
    }
    !refused
}

/// Lets the model act on a license as it is kept here.
fn apply_to(kept: &mut Kept, act: &Act, abilities: &Abilities) -> Result<(), Cannot> {
    let mut license = License {
        key: LicenseKey::new(kept.license_key.as_str()),
        label: None,
        status: if kept.status == "revoked" {
            GrantStatus::Revoked
        } else {
            GrantStatus::Live
        },
        expires_at: kept.expires_at.map(instant),
        devices: Devices::Count(kept.max_hwid_slots),
    };
    let confirmed = apply(&mut license, act, abilities)?;
    kept.status = if confirmed.status == GrantStatus::Revoked {
        "revoked"
    } else {
        "active"
    }
    .into();
    kept.expires_at = confirmed
        .expires_at
        .and_then(|at| DateTime::from_timestamp_millis(at.ms()));
    if matches!(act, Act::ResetDevices { .. }) {
        kept.hwid_list.clear();
    }
    Ok(())
}
