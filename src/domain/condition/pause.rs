//! Pauses: whether one that is on stops the license (rule 33). What it grants meanwhile is paid time, in
//! `lifecycle/snapshots.rs`; a pause that a failed payment or a trial's end brought is no pause of this kind.

use crate::domain::lifecycle::Pause;
use crate::domain::policy::{OnPause, Policy};
use crate::domain::time::Timestamp;

/// What a pause does to a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PauseEffect {
    /// None is on, or the policy lets the license work.
    None,
    /// The license stops with the pause and works again with its end.
    Stops,
}

impl PauseEffect {
    /// Every value, for the printed table.
    pub const ALL: [Self; 2] = [Self::None, Self::Stops];
    /// The word in the printed table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::Stops => "stops it",
        }
    }

    /// What a pause does under the policy of the instant at which it began; an ended subscription knows none.
    #[must_use]
    pub fn of(pause: Option<Pause>, ended: bool, policy: impl Fn(Timestamp) -> Policy) -> Self {
        let stops =
            |p: Pause| !p.trial_over && !ended && policy(p.since).on_pause == OnPause::Suspend;
        if pause.is_some_and(stops) {
            Self::Stops
        } else {
            Self::None
        }
    }
}
