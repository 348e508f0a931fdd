//! Entitlement: what the customer should hold now, seat by seat, whatever the license service has.

mod payment;
mod subscription;

use std::collections::BTreeSet;

use super::condition::{Disputed, Returned};
use super::fold::{Decided, Folded, ItemKey, Life, Outcome};
use super::id::{AppId, PlanName};
use super::plan::{AtDeviceLimit, Devices, Plan, Seats, Template};
use super::policy::{OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, OnPartialRefund, OnRefund, Policy};
use super::revision::Revisions;
use super::time::{Span, Timestamp};

/// Under `at_grace_end = "keep"` the expiry is moved on in steps of this length, one to two steps ahead of the present.
const KEEP_AHEAD: Span = Span::from_days(30);

/// So long after a payment nobody is told that it names nothing to hand out: Stripe may still be asked what it sold.
const LOOKUP_TAKES: Span = Span::from_minutes(10);

/// The name of what the metadata asks for, where no line or item of its own stands for it.
const PURCHASE: &str = "purchase";

/// One license that the purchase stands for, and what should hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatDue {
    /// The item or line.
    pub item: ItemKey,
    /// Other names of the item.
    pub aliases: BTreeSet<ItemKey>,
    /// Which of its units, from 1.
    pub unit: u32,
    /// The plan; `None` for a purchase by metadata alone.
    pub plan: Option<PlanName>,
    /// The application; `None`: the one under `[licenses]`.
    pub app_id: Option<AppId>,
    /// Devices.
    pub devices: Devices,
    /// What should be.
    pub want: Want,
    /// Why.
    pub why: Why,
    /// When the license became due.
    pub since: Option<Timestamp>,
}

/// What should hold of a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing was paid: no license.
    Nothing,
    /// It works until then (`None`: for life). An instant in the past is an end that came.
    Live {
        /// Its expiry.
        until: Option<Timestamp>,
    },
    /// It does not work, and may come back.
    Suspended,
    /// It is over.
    Revoked,
}

impl Want {
    /// Whether the license should work at an instant.
    #[must_use]
    pub fn live_at(self, now: Timestamp) -> bool {
        match self {
            Self::Live { until } => until.is_none_or(|u| u > now),
            Self::Nothing | Self::Suspended | Self::Revoked => false,
        }
    }
}

/// Why a license is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Paid, granted, on trial, or in grace.
    Due,
    /// The grace is over.
    Lapsed,
    /// A dispute is open, or an inquiry.
    Disputed,
    /// A dispute was lost.
    DisputeLost,
    /// The money went back.
    Refunded,
    /// The subscription is paused.
    Paused,
    /// It was cancelled, or sells something else now.
    Ending,
    /// A person said so.
    Decided,
    /// Nothing was paid.
    NotPaid,
}

/// What a machine's customer should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlement {
    /// Seat by seat.
    pub seats: Vec<SeatDue>,
    /// Whether the seats are all there are: a license that stands for none of them is one given up.
    pub complete: bool,
    /// When time alone changes some of it next.
    pub wake: Option<Timestamp>,
    /// What the operator should know.
    pub reports: Vec<super::fold::Report>,
}

/// Works out what should be, from a fold.
#[must_use]
pub fn entitlement(folded: &Folded, revisions: &Revisions, now: Timestamp, devices_max: u32) -> Entitlement {
    let ctx = Ctx { revisions, decided: &folded.decided, now, devices_max };
    let mut entitlement = match &folded.life {
        Life::Payment(p) => ctx.payment(p),
        Life::Subscription(s) => ctx.subscription(s),
    };
    for seat in &mut entitlement.seats {
        ctx.decide(seat);
    }
    let ends = entitlement.seats.iter().filter_map(|s| match s.want {
        Want::Live { until } => until,
        Want::Nothing | Want::Suspended | Want::Revoked => None,
    });
    entitlement.wake = earliest(entitlement.wake, ends, now);
    entitlement
}

/// The earliest instant after `now`.
pub(super) fn earliest(
    known: Option<Timestamp>,
    more: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    known.into_iter().chain(more).filter(|t| *t > now).min()
}

struct Ctx<'a> {
    revisions: &'a Revisions,
    decided: &'a Decided,
    now: Timestamp,
    devices_max: u32,
}

/// A license template with the purchase's own wishes applied.
struct Wished {
    plan: Option<PlanName>,
    app_id: Option<AppId>,
    seats: Seats,
    template: Template,
}

impl Ctx<'_> {
    fn policy(&self, plan: Option<&PlanName>, at: Timestamp) -> Policy {
        self.revisions.policy(plan, self.decided.judged_at(at))
    }

    /// A person's word goes before everything.
    fn decide(&self, seat: &mut SeatDue) {
        if self.decided.revoked {
            (seat.want, seat.why) = (Want::Revoked, Why::Decided);
        } else if let Some(grant) = self.decided.grant {
            let live = match seat.want {
                Want::Live { until } => until.filter(|_| grant.is_some()).max(grant),
                Want::Nothing | Want::Suspended | Want::Revoked => grant,
            };
            let holds =
                grant.is_none_or(|until| until > self.now) || matches!(seat.want, Want::Live { .. } | Want::Nothing);
            if holds {
                (seat.want, seat.why) = (Want::Live { until: live }, Why::Decided);
                seat.since = seat.since.or(Some(self.now));
            }
        }
    }

    /// The seats that a quantity of one template makes.
    fn seats(&self, item: &ItemKey, aliases: &BTreeSet<ItemKey>, wished: &Wished, quantity: u32) -> Vec<SeatDue> {
        let seat = |unit, devices| SeatDue {
            item: item.clone(),
            aliases: aliases.clone(),
            unit,
            plan: wished.plan.clone(),
            app_id: wished.app_id.clone(),
            devices,
            want: Want::Nothing,
            why: Why::NotPaid,
            since: None,
        };
        match wished.seats {
            Seats::Keys => {
                let devices = wished.template.devices.unwrap_or(Devices::Count(1));
                (1..=quantity).map(|unit| seat(unit, devices)).collect()
            }
            Seats::Devices if quantity == 0 => Vec::new(),
            Seats::Devices => {
                let total = match (wished.template.devices, wished.template.devices_per_unit) {
                    (Some(Devices::Unlimited), _) => return vec![seat(1, Devices::Unlimited)],
                    (Some(Devices::Count(n)), per) => n.saturating_add(per.unwrap_or(0).saturating_mul(quantity)),
                    (None, Some(per)) => per.saturating_mul(quantity),
                    (None, None) => 1,
                };
                self.split(total.max(1), wished.template.at_device_limit)
                    .into_iter()
                    .zip(1..)
                    .map(|(devices, unit)| seat(unit, devices))
                    .collect()
            }
        }
    }

    /// More devices than the service allows on one key: several keys, or one without a limit.
    fn split(&self, total: u32, at_limit: AtDeviceLimit) -> Vec<Devices> {
        let max = self.devices_max.max(1);
        if total <= max {
            return vec![Devices::Count(total)];
        }
        match at_limit {
            AtDeviceLimit::Unlimited => vec![Devices::Unlimited],
            AtDeviceLimit::Split => {
                let keys = total.div_ceil(max);
                (1..=keys).map(|k| Devices::Count(if k < keys { max } else { total - max * (keys - 1) })).collect()
            }
        }
    }

    fn wished(&self, plan: Option<&Plan>, wants: &super::fact::Wants) -> Wished {
        let mut template = plan.map(|p| p.license.clone()).unwrap_or_default();
        if let Some(devices) = wants.devices {
            (template.devices, template.devices_per_unit) = (Some(Devices::Count(devices)), None);
        }
        if wants.duration.is_some() || (plan.is_none() && wants.app_id.is_some()) {
            template.duration = wants.duration;
        }
        Wished {
            plan: plan.map(|p| p.name.clone()),
            app_id: wants.app_id.clone().map(AppId::new).or_else(|| template.app_id.clone()),
            seats: plan.map_or(Seats::Devices, |p| p.seats),
            template,
        }
    }

    /// What the disputes take away; `paid_since` tells whether a period was paid after an instant.
    fn disputed(
        &self,
        disputed: &Disputed,
        plan: Option<&PlanName>,
        paid_since: impl Fn(Timestamp) -> bool,
    ) -> Option<(Want, Why)> {
        let policy = |at: &Timestamp| self.policy(plan, *at);
        match disputed {
            Disputed::No => None,
            Disputed::Open(_, at) => {
                (policy(at).on_dispute == OnDispute::Suspend).then_some((Want::Suspended, Why::Disputed))
            }
            Disputed::Inquiry(_, at) => {
                (policy(at).on_inquiry == OnInquiry::Suspend).then_some((Want::Suspended, Why::Disputed))
            }
            Disputed::Lost(_, at) => (policy(at).on_dispute_lost == OnDisputeLost::Revoke && !paid_since(*at))
                .then_some((Want::Revoked, Why::DisputeLost)),
            Disputed::Won(_, at) => {
                let p = policy(at);
                (p.on_dispute_won == OnDisputeWon::Keep && p.on_dispute == OnDispute::Suspend)
                    .then_some((Want::Suspended, Why::Disputed))
            }
        }
    }
}

impl Entitlement {
    fn report(&mut self, at: Timestamp, what: String) {
        self.reports.push(super::fold::Report { at, what });
    }
}

/// Whether so much went back that the policy takes the license away.
fn takes_away(returned: Returned, policy: &Policy) -> bool {
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

/// Whether an episode is over for good.
#[must_use]
pub const fn settled(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Open)
}
