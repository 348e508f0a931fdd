//! Which licenses a look for one may take, as the product's own look decides it (rule 52).

use std::collections::BTreeSet;

use keyward::domain::action::{Action, CreatePhase, GrantStatus};
use keyward::domain::adoption::{Belongs, SeatEnds, has_had, labels_of};
use keyward::domain::id::LicenseKey;
use keyward::domain::machine::Machine;
use keyward::engine::record::key;
use keyward::store::Read;

use super::World;
use crate::laws::promise::service::Kept;

/// The licenses that a look may take, the best first; none where the action is no look.
pub(super) fn may_take(world: &World, machine: &Machine, action: &Action) -> Vec<LicenseKey> {
    if !matches!(action.phase, CreatePhase::Recover { .. }) {
        return Vec::new();
    }
    let mut labels: BTreeSet<String> = action.label.iter().map(ToString::to_string).collect();
    let new = action.act.new_license();
    if is_foreign(action) && !new.is_some_and(|new| has_had(machine, &new.seat)) {
        labels.extend(labels_of(machine, &world.templates));
    }
    let mut found: Vec<&Kept> = world.licenses.all.values().collect();
    found.retain(|k| label(k).is_some_and(|l| labels.contains(l)) && !is_held(world, machine, k));
    let seat = new.map(|new| SeatEnds::of(machine, new));
    let belongs = |k: &Kept| {
        let seat = seat.as_ref();
        seat.map_or(Belongs::Unsaid, |s| s.belongs(Some(k.license.expires_at)))
    };
    found.sort_by_key(|k| (world.rank(k), belongs(k), k.steps[0].at));
    for other in machine.open_actions().filter(|a| a.id != action.id) {
        let Some(of_other) = other.label.as_ref().map(|l| l.as_str()) else {
            continue;
        };
        if !is_foreign(other) {
            found.retain(|k| label(k) != Some(of_other));
        } else if let Some(its) = found.iter().position(|k| label(k) == Some(of_other)) {
            found.remove(its);
        }
    }
    found.into_iter().map(|k| k.license.key.clone()).collect()
}

fn is_foreign(action: &Action) -> bool {
    matches!(action.phase, CreatePhase::Recover { any_age: true, .. })
}

fn label(kept: &Kept) -> Option<&str> {
    kept.license.label.as_ref().map(|l| l.as_str())
}

impl World {
    /// How good a license is to take over; the least is the best.
    pub(in crate::laws::promise) fn rank(&self, kept: &Kept) -> u8 {
        match kept.license.status {
            _ if kept.works(self.now) => 0,
            GrantStatus::Live | GrantStatus::Suspended => 1,
            GrantStatus::Revoked => 2,
        }
    }
}

fn is_held(world: &World, machine: &Machine, kept: &Kept) -> bool {
    let link = key::by_key(machine.id.scope(), &kept.license.key);
    world.store.get(&link).unwrap().is_some()
}
