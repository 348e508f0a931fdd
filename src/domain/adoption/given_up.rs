//! Keys that work though nothing should, and whose ending a person gave up: that is decided, and no difference.

use super::class::Examined;
use crate::domain::machine::Grant;
use crate::domain::matching::held_seats;
use crate::domain::notice::{Left, left};

impl Examined<'_> {
    /// Whether a person gave the ending of a license up, and nothing else asks for it since.
    pub(super) fn is_given_up(&self, grant: &Grant) -> bool {
        left(self.machine, grant, self.now) == Some(Left::GivenUp)
    }

    /// Whether one of its licenses works for that reason alone.
    pub(super) fn has_given_up(&self) -> bool {
        let held = held_seats(self.machine, self.due);
        let mut over = held.filter(|(seat, _)| !seat.want.live_at(self.now));
        over.any(|(_, grant)| {
            let is = self.licenses.iter().find(|l| l.key == grant.key);
            is.is_some_and(|l| l.is_live(self.now)) && self.is_given_up(grant)
        })
    }
}
