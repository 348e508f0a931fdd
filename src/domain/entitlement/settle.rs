//! Settles a claim: its phase, each condition under the policy that judges it, and the instants that belong to them.

use super::claims::Claim;
use super::table::{End, Pair, Should};
use super::{Ctx, Want};
use crate::domain::condition::{
    DisputeEffect, EndingEffect, PauseEffect, RefundEffect, dispute, ending, refund,
};
use crate::domain::decided::Decided;
use crate::domain::id::{ItemKey, PlanName};
use crate::domain::lifecycle::phase::{self, Phase};
use crate::domain::lifecycle::{
    Deleted, Episode, GraceOutcome, PaidTime, PurchaseLife, SubscriptionLife,
};
use crate::domain::policy::Policy;
use crate::domain::time::{Span, Timestamp};

/// Under `at_grace_end = "keep"` the expiry is moved on in steps of this length, one to two steps ahead of the present.
const KEEP_AHEAD: Span = Span::from_days(30);

/// A claim with everything settled that the table asks for.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// Phase and conditions.
    pub(super) pair: Pair,
    /// The instants that the table's ends stand for.
    pub(super) dates: Dates,
    /// When the license became due.
    pub(super) since: Option<Timestamp>,
    /// Whether its grace began by a status alone.
    pub(super) guessed: bool,
}

/// The instants that the table's ends stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Dates {
    pub(super) paid: Option<Timestamp>,
    margin: Option<Timestamp>,
    grace: Option<Timestamp>,
    ahead: Option<Timestamp>,
    grace_or_end: Option<Timestamp>,
    subscription: Option<Timestamp>,
    rest_returned: Option<Timestamp>,
    /// Instants at which time alone changes something.
    pub(super) turns: Vec<Timestamp>,
}

impl Dates {
    /// What a license should be, with its instant.
    pub(super) const fn want(&self, should: Should) -> Want {
        match should {
            Should::Nothing => Want::Nothing,
            Should::Suspended => Want::Suspended,
            Should::Revoked => Want::Revoked,
            Should::Live(end) => Want::Live {
                until: match end {
                    End::Paid => self.paid,
                    End::Margin => self.margin,
                    End::Grace => self.grace,
                    End::Ahead => self.ahead,
                    End::GraceOrSubscription => self.grace_or_end,
                    End::Subscription => self.subscription,
                    End::RestReturned => self.rest_returned,
                    End::Never => None,
                },
            },
        }
    }
}

impl Ctx<'_> {
    fn policy(&self, plan: Option<&PlanName>) -> impl Fn(Timestamp) -> Policy {
        move |at| self.terms.policy(plan, at)
    }

    pub(super) fn settle_purchase(&self, life: &PurchaseLife, claim: &Claim<'_>) -> Settled {
        let policy = self.policy(claim.plan.map(|p| &p.name));
        // There is one payment, whenever it comes.
        let kept = self.terms.decided.kept.is_some();
        let until = claim
            .template
            .duration
            .and_then(|d| Some(life.paid_at? + d));
        let until = until.max(
            self.terms
                .decided
                .extended()
                .filter(|_| claim.template.duration.is_some()),
        );
        let pair = Pair {
            phase: if life.paid_at.is_some() {
                Phase::Paid
            } else {
                Phase::NotPaid
            },
            refund: if kept {
                RefundEffect::None
            } else {
                refund::of_purchase(life.returned, &policy)
            },
            dispute: if kept {
                DisputeEffect::None
            } else {
                dispute::effect(&life.disputes, &policy, |_| false)
            },
            pause: PauseEffect::None,
            ending: EndingEffect::None,
        };
        // No renewal will come, so there is no margin.
        Settled {
            pair,
            dates: Dates {
                paid: until,
                margin: until,
                ..Dates::default()
            },
            since: life.paid_at,
            guessed: false,
        }
    }

    pub(super) fn settle_subscription(
        &self,
        life: &SubscriptionLife,
        claim: &Claim<'_>,
    ) -> Settled {
        let policy = self.policy(claim.plan.map(|p| &p.name));
        let decided = self.terms.decided;
        let keys: Vec<&ItemKey> = if claim.asked {
            life.carrying()
        } else {
            vec![&claim.item]
        };
        let base = keys
            .iter()
            .filter_map(|key| life.base_end(key, decided))
            .max();
        let carrying = keys.iter().copied().max_by_key(|key| life.paid_end(key));
        let paid = carrying.and_then(|key| life.paid.get(key));
        let paid_end = carrying.and_then(|key| life.paid_end(key));
        let item = Some(&claim.item).filter(|_| !claim.asked);
        let grace = life.grace_of(item, paid_end, self.now);
        let phase = phase::of_item(life, base, grace);
        let mut known = known_end(life, claim, decided, base, paid, phase);
        // rule 34: a scheduled end counts for an item that is paid for, whatever became of the others.
        known.in_grace &= paid_end.is_none_or(|end| end <= self.now);
        let (ending, end_at) = ending::effect(&known, &policy);
        // What metadata asks for is paid for by any item that carries it.
        let times = || keys.iter().filter_map(|key| life.paid.get(*key));
        let paid_since = |at| times().any(|p| p.periods.iter().any(|period| period.paid_at > at));
        // rule 50: kept despite disputes of what was paid by then.
        let disputes = life.disputes.iter();
        let disputes = disputes.filter(|(_, dispute)| !decided.keeps(dispute.paid_by()));
        let disputes = disputes
            .map(|(id, dispute)| (id.clone(), *dispute))
            .collect();
        let pair = Pair {
            phase,
            refund: refund::of_items(times()),
            dispute: dispute::effect(&disputes, &policy, paid_since),
            pause: PauseEffect::of(life.paused, life.ended.is_some(), &policy),
            ending,
        };
        let dates = base
            .map(|base| self.dates((life, item), grace, (base, end_at), paid, &policy))
            .unwrap_or_default();
        Settled {
            pair,
            dates,
            since: life.began,
            guessed: grace.is_some_and(|e| e.guessed),
        }
    }

    fn dates(
        &self,
        (life, item): (&SubscriptionLife, Option<&ItemKey>),
        grace: Option<&Episode>,
        (base, end_at): (Timestamp, Timestamp),
        paid: Option<&PaidTime>,
        policy: &impl Fn(Timestamp) -> Policy,
    ) -> Dates {
        // The margin that was promised when it was last paid: an edited file does not reach back.
        let paid_at = paid
            .and_then(|p| p.periods.last())
            .map(|period| period.paid_at)
            .or(life.began);
        let margin = policy(paid_at.unwrap_or(self.now)).expiry_margin;
        let episode = grace.or_else(|| life.open_episode()).map(|e| e.ends);
        let ahead = episode.map(|ends| keep_until(ends, self.now));
        let turns = [Some(base), episode, ahead.map(|a| a - KEEP_AHEAD)];
        Dates {
            paid: Some(base),
            margin: Some(phase::with_margin(
                life.renewals_of(item),
                base,
                margin,
                self.now,
            )),
            grace: episode.map(|ends| ends.max(base + margin)),
            ahead,
            grace_or_end: episode.map(|ends| ends.max(end_at)),
            subscription: Some(base.min(end_at)),
            rest_returned: Some(base.min(end_at)),
            turns: turns.into_iter().flatten().collect(),
        }
    }
}

/// What is known of a claim's end.
fn known_end(
    life: &SubscriptionLife,
    claim: &Claim<'_>,
    decided: &Decided,
    base: Option<Timestamp>,
    paid: Option<&PaidTime>,
    phase: Phase,
) -> ending::Known {
    let at = if life.cancel_at_period_end {
        life.cancel_at.or(claim.period.map(|(_, end)| end))
    } else {
        life.cancel_at
    };
    let was_unpaid = life
        .episodes
        .iter()
        .any(|e| matches!(e.outcome, GraceOutcome::Ended(_)));
    // It counts for an item only when it is not later than that item's paid end (rule 34).
    let counts = at.filter(|at| base.is_some_and(|base| *at <= base));
    ending::Known {
        deleted: life.ended,
        in_grace: phase.is_unpaid(),
        trial_over: !phase.is_unpaid() && ended_with_trial(life, claim),
        reached_end: life
            .ended
            .is_none_or(|e| !was_unpaid || base.is_some_and(|base| base >= e.at)),
        paid_after: life
            .ended
            .is_some_and(|e| paid.is_some_and(|p| p.periods.iter().any(|x| x.paid_at > e.at))),
        // rule 50: kept despite the money that went back.
        rest_returned: life.ended.and_then(|e| {
            let kept = |paid_at| decided.keeps(paid_at);
            refund::rest_returned(&life.returned, paid, e.at, kept)
        }),
        scheduled: counts.zip(life.scheduled_since),
        unlicensed: !claim.sells,
        runs_out: life.paused.is_some_and(|p| p.trial_over),
    }
}

/// Whether it ended when a trial was over that nobody cancelled, or that was paused since, and nothing was ever paid for the claim.
fn ended_with_trial(life: &SubscriptionLife, claim: &Claim<'_>) -> bool {
    let paid = |key: &ItemKey| life.paid.get(key).is_some_and(|p| p.end().is_some());
    let was_paid = if claim.asked {
        life.carriers.iter().any(paid)
    } else {
        paid(&claim.item)
    };
    let paused = life.paused.is_some_and(|p| p.trial_over);
    let over = |e: Deleted| paused || !e.asked && life.trial_until.is_some_and(|end| end <= e.at);
    !was_paid && life.ended.is_some_and(over)
}

/// Where the expiry stands under `keep` after a grace that ended at `ends`.
fn keep_until(ends: Timestamp, now: Timestamp) -> Timestamp {
    let steps = (now - ends).ms().max(0) / KEEP_AHEAD.ms() + 2;
    ends + Span::from_ms(KEEP_AHEAD.ms() * steps)
}
