//! A shop that sold without Keyward is taken in, as `keyward adopt --apply` does it: what Stripe lists of it and the licenses
//! that it has go through the command's own code; only the reading over HTTP is left out.

use std::collections::BTreeMap;

use keyward::adopt::table::KeyTable;
use keyward::adopt::{Gatherer, KnownShop, LicenseIndex, List, Shop, examined};
use keyward::domain::action::GrantStatus;
use keyward::domain::adoption::Asking;
use keyward::domain::id::{Scope, SourceName};
use keyward::domain::time::Timestamp;
use keyward::effects::license::{Expiry, License, Status};
use keyward::engine::record;
use serde_json::{Value, json};

use super::service::Kept;
use super::world::World;

/// Takes everything in, as Stripe lists it now. Says whether something waits for the next run.
pub(super) fn adopt(world: &mut World, objects: &[(Timestamp, Value)]) -> bool {
    let now = world.now;
    let mut gatherer = Gatherer::new(now);
    for (list, object) in listed(objects, now) {
        gatherer.add(list, &object);
    }
    let mut known = KnownShop::default();
    for machine in world.machines() {
        assert!(known.add(record::encode(&machine)));
    }
    let source = SourceName::from("stripe");
    let licenses = LicenseIndex::of(world.licenses.all.values().map(license));
    let shop = Shop {
        scope: &Scope::new(source.clone(), None),
        revisions: &world.rules.revisions,
        devices_max: world.rules.devices_max(&source),
        templates: &world.templates,
        known: &known,
        asking: Asking::Adoption,
        now,
    };
    let judged = examined(
        &shop,
        &mut gatherer.finish(),
        &licenses,
        &mut KeyTable::default(),
    );
    let waits = !judged.waiting.is_empty();
    for purchase in judged.moves.into_iter().chain(judged.waiting) {
        world.put_in(&purchase.input(now));
    }
    waits
}

/// Each object as it is, in the order in which the lists are read.
fn listed(became: &[(Timestamp, Value)], now: Timestamp) -> Vec<(List, Value)> {
    let told = became.iter().filter(|(at, _)| *at <= now);
    let newest: BTreeMap<&str, &Value> = told
        .map(|(_, object)| (object["id"].as_str().unwrap(), object))
        .collect();
    let of = |kind: &str| -> Vec<Value> {
        let objects = newest.values().filter(|o| o["object"] == kind);
        objects.map(|o| (*o).clone()).collect()
    };
    let payments = of("invoice_payment");
    let mut all = Vec::new();
    for list in List::ALL {
        let kind = match list {
            List::Sessions => "checkout.session",
            List::Invoices => "invoice",
            List::Subscriptions => "subscription",
            List::Charges => "charge",
            List::Refunds => "refund",
            List::Disputes => "dispute",
            List::Events => "event",
        };
        for mut object in of(kind) {
            if list == List::Invoices {
                let own = payments.iter().filter(|p| p["invoice"] == object["id"]);
                object["payments"] = json!({ "data": own.collect::<Vec<_>>() });
            }
            all.push((list, object));
        }
    }
    all
}

/// As the license service lists it.
fn license(kept: &Kept) -> License {
    let license = &kept.license;
    License {
        key: license.key.clone(),
        app_id: None,
        status: match license.status {
            GrantStatus::Live => Status::Active,
            GrantStatus::Suspended => Status::Suspended,
            GrantStatus::Revoked => Status::Revoked,
        },
        expires_at: license.expires_at.map_or(Expiry::Never, Expiry::At),
        devices: Some(license.devices),
        bound: None,
        label: license.label.as_ref().map(|l| l.as_str().to_owned()),
        created_at: Some(kept.steps[0].at),
    }
}
