//! Entitlement: what the customer should hold now, seat by seat, whatever the license service has.

use std::collections::BTreeSet;

use super::condition::{Disputed, Returned};
use super::fact::Priced;
use super::fold::{Decided, Folded, ItemKey, Life, Outcome, PaymentFold, SubscriptionFold};
use super::id::{AppId, PlanName};
use super::plan::{AtDeviceLimit, Devices, Plan, Seats, Template};
use super::policy::{
    AtGraceEnd, OnCancel, OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry, OnPartialRefund, OnPause, OnRefund, Policy,
};
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

    fn payment(&self, p: &PaymentFold) -> Entitlement {
        let mut out = Entitlement { complete: false, ..Entitlement::default() };
        let at = p.paid_at.unwrap_or(self.now);
        let judged = self.decided.judged_at(at);
        let named = p.wants.plan.as_deref().map(|n| (n, self.revisions.plan_named(n, judged)));
        if let Some((name, None)) = named {
            out.report(at, format!("the purchase's metadata names the plan `{name}`, which no config knew"));
        }
        let mut lines: Vec<(ItemKey, u32, Option<&Plan>)> = Vec::new();
        for (n, line) in p.lines.iter().enumerate() {
            if let Some(plan) = self.revisions.plan_for(&line.price, judged) {
                lines.push((line_key(line.line.as_deref(), &line.price, n), line.quantity, Some(plan)));
            }
        }
        if lines.is_empty() {
            if let Some((_, Some(plan))) = named {
                lines.push((PURCHASE.to_owned(), p.lines.first().map_or(1, |l| l.quantity), Some(plan)));
            } else if p.wants.app_id.is_some() {
                lines.push((PURCHASE.to_owned(), 1, None));
            }
        }
        // A look-up may be under way that says what was bought.
        let told_by = p.paid_learned.filter(|_| !p.lines_told).map_or(at, |learned| learned + LOOKUP_TAKES);
        if lines.is_empty() && p.paid_at.is_some() && self.now < told_by {
            out.wake = Some(told_by);
        } else if lines.is_empty() && p.paid_at.is_some() {
            out.report(
                at,
                "paid, but nothing to hand out: the purchase names neither a plan nor an application".to_owned(),
            );
        }
        for (key, quantity, plan) in lines {
            let wished = self.wished(plan, &p.wants);
            let want = self.payment_want(p, &wished, plan.map(|p| &p.name));
            for mut seat in self.seats(&key, &BTreeSet::from([PURCHASE.to_owned()]), &wished, quantity.max(1)) {
                (seat.want, seat.why) = want;
                seat.since = p.paid_at;
                out.seats.push(seat);
            }
        }
        out
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

    fn payment_want(&self, p: &PaymentFold, wished: &Wished, plan: Option<&PlanName>) -> (Want, Why) {
        let Some(paid_at) = p.paid_at else { return (Want::Nothing, Why::NotPaid) };
        let until = wished
            .template
            .duration
            .map(|d| paid_at + d)
            .max(self.decided.extended.filter(|_| wished.template.duration.is_some()));
        if !self.decided.kept {
            if let Some(at) = p.returned_at
                && takes_away(p.returned, &self.policy(plan, at))
            {
                return (Want::Revoked, Why::Refunded);
            }
            if let Some(stop) = self.disputed(&p.disputed, plan, |_| false) {
                return stop;
            }
        }
        (Want::Live { until }, Why::Due)
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

    fn subscription(&self, s: &SubscriptionFold) -> Entitlement {
        let mut out = Entitlement::default();
        let wants = s.snapshot.as_ref().map(|(_, snap)| snap.wants.clone()).unwrap_or_default();
        let wants = if wants.is_empty() { s.known.asked.clone().unwrap_or_default() } else { wants };
        let mut ends = Vec::new();
        for (key, price, quantity, metered) in items(s) {
            let Some(history) = s.known.history(&key) else { continue };
            let licensed = |(at, p): &&(Timestamp, Priced)| s.known.licenses(p, *at, self.revisions, self.decided);
            let Some((since, last)) = history.prices.iter().rev().find(licensed) else { continue };
            let plan = s.known.plan_of(last, *since, self.revisions, self.decided);
            if metered && plan.is_none_or(Plan::is_rest) {
                continue; // billed by use: nothing was bought in units
            }
            let sells = s.known.licenses(
                &price,
                s.snapshot.as_ref().map_or(*since, |(at, _)| *at),
                self.revisions,
                self.decided,
            );
            let wished = self.wished(plan, &wants);
            let policy_plan = plan.map(|p| &p.name);
            let want = self.item_want(s, &key, policy_plan, sells);
            // What the metadata asks for is one thing, whichever item is taken for it as more becomes known.
            let by_metadata = s.known.only_asked(last, *since, self.revisions, self.decided);
            let mut aliases = history.aliases.clone();
            if by_metadata {
                aliases.insert(key.clone());
            } else if s.known.items.first().is_some_and(|(first, _)| *first == key) {
                aliases.insert(PURCHASE.to_owned());
            }
            let item = if by_metadata { PURCHASE.to_owned() } else { key.clone() };
            ends.extend(s.base_end(&key, self.decided));
            for mut seat in self.seats(&item, &aliases, &wished, quantity) {
                (seat.want, seat.why) = want;
                seat.since = s.began;
                out.seats.push(seat);
            }
        }
        out.complete = s.snapshot.as_ref().is_some_and(|(_, snap)| !snap.items.is_empty());
        let episode = s.open_episode().map(|e| e.ends);
        let kept = s.open_episode().and_then(|e| keep_until(e.ends, self.now)).map(|u| u - KEEP_AHEAD);
        let margins: Vec<_> = ends
            .into_iter()
            .chain(episode)
            .chain(kept)
            .chain(s.processing.iter().copied())
            .chain(s.sent_until)
            .chain(s.speaks_at)
            .collect();
        out.wake = earliest(None, margins, self.now);
        out
    }

    fn item_want(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>, sells: bool) -> (Want, Why) {
        let (want, why) = self.period_want(s, key, plan, sells);
        if want == Want::Nothing || want == Want::Revoked {
            return (want, why);
        }
        if !self.decided.kept {
            if self.refunded(s, key, plan) {
                return (Want::Revoked, Why::Refunded);
            }
            let paid_since = |at| s.covers.get(key).is_some_and(|c| c.spans.iter().any(|span| span.paid_at > at));
            if let Some(stop) = self.disputed(&s.disputed, plan, paid_since) {
                return stop;
            }
        }
        if want == Want::Suspended {
            return (want, why);
        }
        let pause = s.paused.filter(|p| !p.trial_over && s.ended.is_none());
        if pause.is_some_and(|p| self.policy(plan, p.since).on_pause == OnPause::Suspend) {
            return (Want::Suspended, Why::Paused);
        }
        (want, why)
    }

    /// What the paid, granted and promised time says, before refunds, disputes and pauses.
    fn period_want(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>, sells: bool) -> (Want, Why) {
        let Some(base) = s.base_end(key, self.decided) else { return (Want::Nothing, Why::NotPaid) };
        let live = |until| (Want::Live { until: Some(until) }, Why::Due);
        let ends = |until| (Want::Live { until: Some(until) }, Why::Ending);
        // The margin that was promised when it was last paid: an edited file does not reach back.
        let paid_at = s.covers.get(key).and_then(|c| c.spans.last()).map(|span| span.paid_at).or(s.began);
        let margin = self.policy(plan, paid_at.unwrap_or(self.now)).expiry_margin;
        let episode = s.open_episode();
        if let Some(ended) = s.ended.as_ref().filter(|e| !(e.gave_up && episode.is_some())) {
            // Stripe giving up is no cancellation: what was paid all the same lives to its end.
            if ended.never_began || ended.gave_up {
                return ends(base);
            }
            return match self.policy(plan, ended.told).on_cancel {
                OnCancel::PeriodEnd => ends(base),
                OnCancel::Now => ends(base.min(ended.at)),
                OnCancel::Keep => (Want::Live { until: None }, Why::Ending),
            };
        }
        if s.paused.is_some_and(|p| p.trial_over) || !sells {
            return ends(base);
        }
        if let Some(episode) = episode {
            if episode.lapsed.is_none() {
                return live((base + margin).max(episode.ends));
            }
            if base > self.now {
                return live(base + margin); // this item is paid; another one of the subscription is not
            }
            return match (episode.policy.at_grace_end, s.ended.as_ref()) {
                (AtGraceEnd::Suspend, _) => (Want::Suspended, Why::Lapsed),
                (AtGraceEnd::Revoke, _) => (Want::Revoked, Why::Lapsed),
                (AtGraceEnd::Keep, Some(ended)) => ends(episode.ends.max(ended.at)),
                (AtGraceEnd::Keep, None) => (Want::Live { until: keep_until(episode.ends, self.now) }, Why::Due),
            };
        }
        if let Some((planned, policy_at)) = planned_end(s, key).filter(|(end, _)| *end <= base) {
            match self.policy(plan, policy_at).on_cancel {
                OnCancel::PeriodEnd => return ends(base),
                OnCancel::Now => return ends(base.min(planned)),
                OnCancel::Keep => {}
            }
        }
        let ordinary = (base + margin).max(s.sent_until.unwrap_or(base));
        // Looked at when the license would run out, so that an ordinary renewal stays one extend.
        let under_way = s.processing.iter().find(|until| self.now >= ordinary && **until > self.now.max(ordinary));
        live(under_way.copied().unwrap_or(ordinary))
    }

    /// Whether the money of the running period went back: its own invoice's, with no other payment reaching as far.
    fn refunded(&self, s: &SubscriptionFold, key: &str, plan: Option<&PlanName>) -> bool {
        let Some(cover) = s.covers.get(key) else { return false };
        let gone = |invoice: &super::id::InvoiceId| {
            s.returned.get(invoice).filter(|(r, at)| takes_away(*r, &self.policy(plan, *at))).map(|(_, at)| *at)
        };
        cover.spans.iter().any(|span| {
            gone(&span.invoice).is_some_and(|at| at < span.end)
                && !cover.spans.iter().any(|other| {
                    other.invoice != span.invoice && other.end >= span.end && gone(&other.invoice).is_none()
                })
        })
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

/// Where the expiry stands under `keep` after a grace that ended at `ends`.
fn keep_until(ends: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let steps = (now - ends).ms().max(0) / KEEP_AHEAD.ms() + 2;
    Some(ends + Span::from_ms(KEEP_AHEAD.ms() * steps))
}

/// The planned end as it concerns an item, and since when it is planned.
fn planned_end(s: &SubscriptionFold, key: &str) -> Option<(Timestamp, Timestamp)> {
    let (_, snapshot) = s.snapshot.as_ref()?;
    let since = s.planned_since?;
    let of_item = || {
        let item = snapshot.items.iter().find(|i| s.known.key_of_item(i).is_some_and(|k| k == key))?;
        item.period_end
    };
    let end = if snapshot.cancel_at_period_end { snapshot.cancel_at.or_else(of_item) } else { snapshot.cancel_at };
    Some((end?, since))
}

/// The items that the subscription has now: those of the newest snapshot, else those that invoices bill.
fn items(s: &SubscriptionFold) -> Vec<(ItemKey, Priced, u32, bool)> {
    match s.snapshot.as_ref().filter(|(_, snap)| !snap.items.is_empty()) {
        Some((_, snapshot)) => snapshot
            .items
            .iter()
            .filter_map(|i| {
                let quantity = i.quantity.unwrap_or(1);
                s.known.key_of_item(i).map(|key| (key.clone(), i.price.clone(), quantity, i.metered))
            })
            .collect(),
        None => s
            .line_quantities
            .iter()
            .map(|(key, (price, quantity))| (key.clone(), price.clone(), *quantity, false))
            .collect(),
    }
}

/// The name of a purchase's line: its own id, else its price (with its place, where a price stands twice).
fn line_key(line: Option<&str>, price: &Priced, n: usize) -> ItemKey {
    match (line, &price.id) {
        (Some(line), _) => line.to_owned(),
        (None, Some(price)) => price.as_str().to_owned(),
        (None, None) => format!("line {}", n + 1),
    }
}

/// Whether an episode is over for good.
#[must_use]
pub const fn settled(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Open)
}
