//! Events that were acknowledged and kept, and could not be read: of a newer version of Stripe's API, say. Nobody knows what
//! they would have changed, so a person looks.

use std::collections::BTreeSet;

use crate::domain::id::{EventId, Scope};
use crate::domain::no_use::Unreadable;
use crate::domain::time::Timestamp;

/// So many are named besides the newest.
const NAMED_MAX: usize = 4;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableEvent {
    /// Where its id is known.
    pub scope: Scope,
    pub event: EventId,
    /// Its type.
    pub kind: String,
    /// When it came.
    pub received: Timestamp,
    pub why: Unreadable,
}

impl UnreadableEvent {
    /// The event's name, `stripe/evt_123`, with its type.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{} ({})", self.scope, self.event, self.kind)
    }
}

/// All of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableEvents {
    /// Since when there are any.
    pub since: Timestamp,
    pub count: usize,
    pub kinds: BTreeSet<String>,
    pub newest: UnreadableEvent,
    /// Those that came before the newest, the newest of them first.
    pub before: Vec<UnreadableEvent>,
}

impl UnreadableEvents {
    /// A source's first.
    #[must_use]
    pub fn of(event: UnreadableEvent) -> Self {
        Self {
            since: event.received,
            count: 1,
            kinds: BTreeSet::from([event.kind.clone()]),
            newest: event,
            before: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, event: UnreadableEvent) {
        self.since = self.since.min(event.received);
        self.count += 1;
        if !self.kinds.contains(&event.kind) {
            self.kinds.insert(event.kind.clone());
        }
        let older = if event.received > self.newest.received {
            std::mem::replace(&mut self.newest, event)
        } else {
            event
        };
        let at = self
            .before
            .partition_point(|known| known.received >= older.received);
        self.before.insert(at, older);
        self.before.truncate(NAMED_MAX);
    }

    /// The newest, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let named = std::iter::once(&self.newest).chain(&self.before);
        let mut lines: Vec<String> = named
            .map(|one| format!("{} of {}", one.name(), one.received))
            .collect();
        let more = self.count - lines.len();
        if more > 0 {
            lines.push(format!("and {more} more: keyward events --ignored"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64) -> UnreadableEvent {
        UnreadableEvent {
            scope: Scope::of("stripe"),
            event: EventId::new(format!("evt_{n}")),
            kind: format!("invoice.{}", n % 2),
            received: Timestamp::from_s(n),
            why: Unreadable::Beyond,
        }
    }

    #[test]
    fn the_newest_are_named_and_all_are_counted_in_whatever_order_they_come() {
        let in_order = [3, 9, 1, 7, 5, 8, 2];
        let mut events = UnreadableEvents::of(event(6));
        in_order.map(event).into_iter().for_each(|e| events.add(e));
        assert_eq!(
            (events.count, events.since),
            (8, Timestamp::from_s(1)),
            "{events:?}"
        );
        let lines = events.lines();
        let named: Vec<&str> = lines
            .iter()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert_eq!(
            named,
            [
                "stripe/evt_9",
                "stripe/evt_8",
                "stripe/evt_7",
                "stripe/evt_6",
                "stripe/evt_5",
                "and"
            ]
        );
        assert_eq!(lines[5], "and 3 more: keyward events --ignored");
        assert_eq!(Vec::from_iter(events.kinds), ["invoice.0", "invoice.1"]);
    }
}
