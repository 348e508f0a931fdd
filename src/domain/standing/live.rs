//! When a shop, or a plan, went live: what happened before is told by nobody here.

use super::{Author, Standing, StandingOrders};
use crate::domain::id::PlanName;
use crate::domain::time::Timestamp;

/// The end of a time in which a plan was only observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WentLive {
    /// When it ended.
    pub at: Timestamp,
    /// When the store was restored that was observed since; `None`: it was observed for another reason.
    pub restored: Option<Timestamp>,
}

impl StandingOrders {
    /// When a plan last went live after it was only observed; `None`: it never was. A license without a plan follows the
    /// whole shop.
    #[must_use]
    pub fn went_live(&self, plan: Option<&PlanName>) -> Option<WentLive> {
        let concerns = |of: &Option<PlanName>| of.is_none() || of.as_ref() == plan;
        let (mut observed, mut restored, mut went) = (false, None, None);
        for order in &self.0 {
            match &order.what {
                Standing::Observe { plan } if concerns(plan) => {
                    observed = true;
                    if order.by == Author::Restore {
                        restored = restored.or(Some(order.at));
                    }
                }
                Standing::Live { plan } if concerns(plan) && observed => {
                    let at = order.at;
                    went = Some(WentLive { at, restored });
                    (observed, restored) = (false, None);
                }
                Standing::Observe { .. }
                | Standing::Live { .. }
                | Standing::Pause { .. }
                | Standing::Resume { .. }
                | Standing::OtherHandler { .. }
                | Standing::Alone { .. }
                | Standing::Adopted { .. }
                | Standing::Override { .. }
                | Standing::EndOverride { .. }
                | Standing::Erased => {}
            }
        }
        went
    }
}
