//! What decisions and notices are made from: all that a decision depends on besides the machine, and a machine with what
//! is known of it.

use crate::domain::action::Abilities;
use crate::domain::adoption::Gap;
use crate::domain::customer::Customer;
use crate::domain::entitlement::Entitlement;
use crate::domain::hold::Distrust;
use crate::domain::holding::Brakes;
use crate::domain::id::SourceName;
use crate::domain::lifecycle::Folded;
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;

/// All that a decision depends on besides the machine.
#[derive(Clone, Copy, Debug)]
pub struct DecisionContext<'a> {
    /// Plans and policies through time.
    pub revisions: &'a Revisions,
    /// The instant.
    pub now: Timestamp,
    /// What the license service can.
    pub abilities: &'a Abilities,
    /// The customer's own record.
    pub customer: Option<&'a Customer>,
    /// When this store began; purchases before it look for a license first.
    pub store_since: Option<Timestamp>,
    /// Times of which the store has no memory, in the order in which they were noticed.
    pub gaps: &'a [Gap],
    /// A number from 0 to 999 for jitter.
    pub jitter: u32,
    /// Creates whose attempt is on disk and whose outcome is not: they may have acted.
    pub under_way: &'a [u32],
    /// Why nobody is stopped by time alone at present (after an outage, or a clock that jumped); `None`: nothing speaks
    /// against it.
    pub stops_held: Option<Distrust>,
    /// What else holds work back at present.
    pub brakes: Brakes<'a>,
}

impl DecisionContext<'_> {
    /// Since when licenses are made here for a source; what was sold before looks for one first. `None` in replay, where
    /// nothing is older.
    #[must_use]
    pub fn makes_since(&self, of: &SourceName) -> Option<Timestamp> {
        self.brakes.since(of, self.store_since, self.now)
    }
}

/// A machine at an instant, with what its facts come to and what each license should be.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    pub machine: &'a Machine,
    /// What its facts come to.
    pub folded: &'a Folded,
    /// What each license should be.
    pub due: &'a Entitlement,
    /// Plans and policies through time.
    pub revisions: &'a Revisions,
    /// The instant.
    pub now: Timestamp,
}
