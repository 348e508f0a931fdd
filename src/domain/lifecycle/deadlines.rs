//! What time alone does to a subscription's life.

use super::Cause;
use super::course::Course;
use super::subscription::Trigger;
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Lets the deadlines up to an instant pass.
    pub(super) fn pass_deadlines(&mut self, to: Timestamp) {
        let Some(episode) = self
            .life
            .episodes
            .last_mut()
            .filter(|e| e.is_open() && e.lapsed.is_none())
        else {
            return;
        };
        let (ends, gave_up) = (episode.ends, episode.gave_up);
        if ends > to {
            return;
        }
        episode.lapsed = Some(ends);
        // Where Stripe ended it meanwhile there is nothing left that could lapse and come back by itself.
        let trigger = if gave_up {
            Trigger::GraceOutlived
        } else {
            Trigger::GraceOver
        };
        self.trigger(ends, trigger, Cause::GraceOver);
    }
}
