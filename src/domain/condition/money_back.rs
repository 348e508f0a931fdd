//! How much money has to go back before the policy takes a license away (rule 36). What that means for the time of a
//! subscription's items is in `refund.rs`.

use crate::domain::object::Returned;
use crate::domain::policy::{OnPartialRefund, OnRefund, Policy};
use crate::domain::time::Timestamp;

/// Whether so much went back that the policy takes the license away.
#[must_use]
pub fn takes_away(returned: Returned, policy: &Policy) -> bool {
    match returned {
        Returned::Nothing => false,
        Returned::All => policy.on_refund == OnRefund::Revoke,
        Returned::Part(percent) => match policy.on_partial_refund {
            OnPartialRefund::Keep => false,
            OnPartialRefund::Revoke => true,
            OnPartialRefund::Share(share) => percent >= share,
        },
    }
}

/// Since when so much is gone that the policy takes the license away, as it stood at an instant. `steps`: what went back by
/// then and later, the newest last.
#[must_use]
pub fn gone_since(
    steps: &[(Returned, Timestamp)],
    policy: impl Fn(Timestamp) -> Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    let known = steps.partition_point(|(_, at)| *at <= now);
    let takes = |(part, at): &(Returned, Timestamp)| takes_away(*part, &policy(*at));
    let kept = steps[..known].iter().rposition(|step| !takes(step));
    let since = steps[..known].get(kept.map_or(0, |n| n + 1))?;
    Some(since.1)
}
