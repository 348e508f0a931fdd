//! Customers who have a newer live subscription: an old one's license is not touched beside it.

use std::collections::{BTreeMap, HashMap};

use super::Candidate;
use crate::domain::id::CustomerId;
use crate::domain::lifecycle::Kind;
use crate::domain::time::Timestamp;

/// The live subscriptions of each customer, with when they began.
pub(super) struct Newest<'a>(HashMap<&'a CustomerId, Vec<(Timestamp, &'a Candidate)>>);

impl<'a> Newest<'a> {
    pub(super) fn of(candidates: &'a BTreeMap<String, Candidate>, now: Timestamp) -> Self {
        let mut of: HashMap<_, Vec<_>> = HashMap::new();
        for candidate in candidates.values() {
            let is_live = candidate.due.seats.iter().any(|s| s.want.live_at(now));
            let subscribed = candidate.machine.kind == Kind::Subscription;
            if let (true, Some(customer), Some(began)) =
                (is_live && subscribed, &candidate.customer, candidate.began)
            {
                of.entry(customer).or_default().push((began, candidate));
            }
        }
        Self(of)
    }

    /// Whether a customer has a live subscription to the same plan that began after this purchase.
    pub(super) fn is_after(&self, candidate: &Candidate) -> bool {
        let (Some(customer), Some(own)) = (&candidate.customer, candidate.began) else {
            return false;
        };
        let plans = |c: &'a Candidate| c.due.seats.iter().map(|s| &s.plan);
        let newer = |(began, other): &(Timestamp, &'a Candidate)| {
            *began > own
                && plans(other).any(|plan| candidate.due.seats.iter().any(|s| s.plan == *plan))
        };
        self.0
            .get(customer)
            .is_some_and(|all| all.iter().any(newer))
    }
}
