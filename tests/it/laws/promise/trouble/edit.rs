//! Edits of a config.

use keyward::domain::plan::{Devices, Plan};
use keyward::domain::policy::{
    AtGraceEnd, OnCancel, OnDispute, OnPartialRefund, OnRefund, Policy, Resubscribe, Trial,
};
use keyward::domain::revision::{Revision, Revisions};
use keyward::domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// What is changed in a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Edit {
    FewerDevices,
    ShorterGrace,
    AnotherPolicy,
    PlansDropped,
    PricesMoved,
    RefundsRevoke,
    NoTrials,
}

/// The config's history with one more revision.
pub(super) fn edited(revisions: &Revisions, edit: Edit, at: Timestamp) -> Revisions {
    let first = revisions.newest().unwrap().clone();
    let mut next = Revision {
        from: at,
        ..first.clone()
    };
    match edit {
        Edit::FewerDevices => next.plans.iter_mut().for_each(fewer_devices),
        Edit::ShorterGrace => each(&mut next, |p| p.grace = Span::from_days(1)),
        Edit::AnotherPolicy => each(&mut next, harsh),
        Edit::PlansDropped => next.plans.clear(),
        Edit::PricesMoved => {
            let last = next.plans.len() - 1;
            for n in 0..last {
                let (left, right) = next.plans.split_at_mut(n + 1);
                let (one, other) = (&mut left[n], &mut right[0]);
                std::mem::swap(&mut one.prices, &mut other.prices);
                std::mem::swap(&mut one.products, &mut other.products);
                std::mem::swap(&mut one.lookup_keys, &mut other.lookup_keys);
            }
        }
        Edit::RefundsRevoke => each(&mut next, |p| {
            p.on_refund = OnRefund::Revoke;
            p.on_partial_refund = OnPartialRefund::Revoke;
        }),
        Edit::NoTrials => each(&mut next, |p| p.trial = Trial::None),
    }
    revisions.replaced(vec![first, next])
}

fn each(revision: &mut Revision, change: impl Fn(&mut Policy)) {
    revision.policies.iter_mut().for_each(change);
}

fn fewer_devices(plan: &mut Plan) {
    plan.license.devices = Some(Devices::Count(1));
    plan.license.devices_per_unit = None;
}

/// Everything as hard as it can be; the margin belongs to each renewal and stays.
fn harsh(policy: &mut Policy) {
    *policy = Policy {
        name: policy.name.clone(),
        grace: Span::from_days(2),
        at_grace_end: AtGraceEnd::Revoke,
        on_cancel: OnCancel::Now,
        on_refund: OnRefund::Revoke,
        on_partial_refund: OnPartialRefund::Revoke,
        on_dispute: OnDispute::Suspend,
        expiry_margin: policy.expiry_margin,
        processing_margin: policy.processing_margin,
        resubscribe: Resubscribe::New,
        trial: Trial::None,
        ..Policy::default()
    };
}
