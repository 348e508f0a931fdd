//! Which lines have to be played together: those that name the same thing, directly or through others. Machines of different
//! groups never meet: links lead by names, and the rules that know two machines (35 and 55) ask for one customer,
//! or for a name.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::history::Line;
use crate::domain::fact::NamedLicense;
use crate::domain::id::{MachineId, Scope};
use crate::domain::routing;
use crate::engine::input::{EventPayload, Input};

/// A digest of something that is named. Two names of one digest only put more together than must be.
pub(super) type NameDigest = u64;

/// Every name of a line.
pub(super) fn names(line: &Line, mut each: impl FnMut(NameDigest)) {
    let hasher = FixedState::default();
    let digest = |scope: &Scope, kind: char, name: &str| hasher.hash_one((scope, kind, name));
    if let Input::Delivery(delivery) = &line.input {
        let scope = delivery.scope();
        // An event that comes twice is known by its id, whatever it says.
        each(digest(&scope, 'e', delivery.id.as_str()));
        match &delivery.payload {
            EventPayload::Fact(fact) => {
                for name in fact.names() {
                    each(digest(&scope, 'o', name.as_str()));
                }
                // rule 55: whoever extends a license by its purchase's name meets that purchase.
                let named = fact.wants().and_then(|w| w.license.as_ref());
                if let Some(NamedLicense::Purchase(object)) = named {
                    each(digest(&scope, 'o', object.as_str()));
                }
                if let Some(customer) = fact.customer() {
                    each(digest(&scope, 'c', customer.as_str()));
                }
            }
            EventPayload::Customer(customer) => each(digest(&scope, 'c', customer.id.as_str())),
            EventPayload::Ignored(_) | EventPayload::Unreadable(_) => {}
        }
    } else if let Input::Decision { machine, .. } = &line.input {
        each(digest(machine.scope(), 'o', machine.object().as_str()));
    }
}

/// The machine that a line may begin.
pub(super) fn may_begin(line: &Line) -> Option<MachineId> {
    let Input::Delivery(delivery) = &line.input else {
        return None;
    };
    let EventPayload::Fact(fact) = &delivery.payload else {
        return None;
    };
    let object = routing::may_begin(fact)?;
    Some(routing::machine_id(&delivery.scope(), object))
}

/// Sets that grow together as names join them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: foldhash::HashMap<NameDigest, u32>,
    parent: Vec<u32>,
}

impl Groups {
    /// Puts names into one group, with all that was in a group with any of them. Returns the group.
    pub(super) fn join(&mut self, names: &[NameDigest]) -> u32 {
        let mut joined: Option<u32> = None;
        for name in names {
            let new = u32::try_from(self.parent.len()).unwrap_or(u32::MAX);
            let known = *self.by_name.entry(*name).or_insert(joined.unwrap_or(new));
            if known == new {
                self.parent.push(new);
            }
            let known = self.of(known);
            let other = joined.map_or(known, |joined| self.of(joined));
            // The older one stays: what was told of a group is told of it still.
            let (stays, goes) = (known.min(other), known.max(other));
            self.parent[goes as usize] = stays;
            joined = Some(stays);
        }
        joined.unwrap_or_else(|| {
            let alone = u32::try_from(self.parent.len()).unwrap_or(u32::MAX);
            self.parent.push(alone);
            alone
        })
    }

    /// The group that a set belongs to by now.
    pub(super) fn of(&mut self, mut set: u32) -> u32 {
        while self.parent[set as usize] != set {
            let above = self.parent[self.parent[set as usize] as usize];
            self.parent[set as usize] = above;
            set = above;
        }
        set
    }
}

/// Lines by their groups, each in its order.
#[must_use]
pub fn apart(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut groups = Groups::default();
    let mut of_line = Vec::new();
    let sets: Vec<u32> = lines
        .iter()
        .map(|line| {
            of_line.clear();
            names(line, |name| of_line.push(name));
            groups.join(&of_line)
        })
        .collect();
    let mut by_group: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
    for (line, set) in lines.into_iter().zip(sets) {
        by_group.entry(groups.of(set)).or_default().push(line);
    }
    by_group.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_name_is_one_group_through_others_too() {
        let mut groups = Groups::default();
        let sets: Vec<u32> = [&[1, 2][..], &[3], &[4, 5], &[2, 3], &[6, 5], &[7]]
            .iter()
            .map(|names| groups.join(names))
            .collect();
        let groups: Vec<u32> = sets.iter().map(|set| groups.of(*set)).collect();
        assert_eq!(groups[0], groups[1]);
        assert_eq!(groups[0], groups[3]);
        assert_eq!(groups[2], groups[4]);
        let mut apart = vec![groups[0], groups[2], groups[5]];
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), 3);
    }
}
