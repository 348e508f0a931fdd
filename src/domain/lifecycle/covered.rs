//! Whether an instant is paid for, and whether a failure then starts a grace.

use super::course::Course;
use super::subscription::{SubscriptionState as S, SubscriptionTrigger};
use crate::domain::fact::Fact;
use crate::domain::id::ItemKey;
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Whether an instant is paid for (or granted, or on trial), for every licensed item that ever was, and for what the
    /// metadata asks for by any item that carries it. An item that was never paid for has no license that a grace could
    /// keep (rule 20): it neither starts one for the others nor holds one open. Time that a person has added by then stands for a
    /// payment where no grace reaches further, one that runs or one that would begin now: who extends takes nothing away
    /// (rule 50).
    pub(super) fn is_covered(&self, at: Timestamp) -> bool {
        let added = self.terms.decided.extended_by(at);
        let grace = || {
            let runs = self.life.episodes.iter().filter(|e| e.is_open());
            let ends = runs.map(|e| e.ends).max();
            ends.unwrap_or_else(|| self.grace_ends(at))
        };
        if added.is_some_and(|until| until > at && until >= grace()) {
            return true;
        }
        let reaches = |key: &ItemKey| self.life.paid_end(key).is_some_and(|end| end > at);
        let licensed = self.objects.subscription.licensed_at(at);
        let had = |key: &&ItemKey| self.life.paid_end(key).is_some();
        let items = licensed.clone().filter(had).all(reaches)
            && (licensed.clone().next().is_none() || licensed.clone().any(|key| had(&key)));
        items && (self.life.asked.is_none() || self.life.carrying().into_iter().any(reaches))
    }

    /// Time that a person adds settles a grace that it reaches beyond, and what lapsed before (rule 50).
    pub(super) fn decision(&mut self, fact: &Fact) {
        let unpaid = self.state().is_some_and(S::owes);
        if unpaid && self.is_covered(fact.at) {
            self.settled_by(fact);
        }
    }

    /// The present is covered again while a grace is open.
    pub(super) fn settled_by(&mut self, fact: &Fact) {
        let after_end = self.life.ended.is_some() && self.life.open_episode().is_some();
        let trigger = if after_end {
            SubscriptionTrigger::PaidAfterEnd
        } else {
            SubscriptionTrigger::Paid
        };
        self.step(fact, trigger);
    }

    /// Whether something that is licensed at an instant was ever paid, granted or on trial: else there is no license to keep
    /// by a grace. What a person added later is none of that.
    pub(super) fn had_time(&self, at: Timestamp) -> bool {
        let licensed = self.objects.subscription.licensed_at(at);
        let carriers = self.life.carriers.iter();
        let carriers = carriers.filter(|_| self.life.asked.is_some());
        let mut keys = licensed.chain(carriers);
        keys.any(|key| self.life.paid_end(key).is_some())
    }

    /// Whether a failure could start a grace: none is open, the subscription lives, and no pause excuses it.
    pub(super) fn grace_may_start(&self) -> bool {
        self.life.open_episode().is_none() && self.life.ended.is_none() && !self.is_excused()
    }

    /// When a grace that begins at an instant is over.
    pub(super) fn grace_ends(&self, at: Timestamp) -> Timestamp {
        let exempt = self.terms.decided.exempt.unwrap_or(at);
        (at + self.policy_at(at).grace).max(exempt)
    }

    /// A pause knows neither grace nor mail.
    pub(super) fn is_excused(&self) -> bool {
        self.life.paused.is_some_and(|p| !p.trial_over)
    }
}
