//! What a purchase stands for: one claim per licensed item or line, and one for what metadata asks for.

use std::collections::BTreeSet;

use super::{Ctx, Entitlement};
use crate::domain::fact::{Bought, Priced, Wants};
use crate::domain::finding::{Finding, Report};
use crate::domain::id::{AppId, ItemKey};
use crate::domain::lifecycle::{PurchaseLife, SubscriptionLife};
use crate::domain::object::{ItemHistory, ItemThen};
use crate::domain::plan::{Plan, Seats, Template};
use crate::domain::time::{Span, Timestamp};

/// So long after a payment Stripe may still be asked what it sold; within this that has happened or failed. Until then
/// nobody is told that it names nothing to hand out.
pub const LOOKUP_TAKES: Span = Span::from_minutes(10);

/// The name of what the metadata asks for, where no line or item of its own stands for it.
const PURCHASE: &str = "purchase";

/// Something that the purchase stands for.
#[derive(Clone, Debug)]
pub(super) struct Claim<'t> {
    /// The item or line.
    pub(super) item: ItemKey,
    /// Other names of it.
    pub(super) aliases: BTreeSet<ItemKey>,
    /// How many units.
    pub(super) quantity: u32,
    /// Its plan; `None`: by metadata alone.
    pub(super) plan: Option<&'t Plan>,
    /// The application; `None`: the one under `[licenses]`.
    pub(super) app_id: Option<AppId>,
    /// What a quantity buys.
    pub(super) seats: Seats,
    /// What a license looks like, with the purchase's own wishes applied.
    pub(super) template: Template,
    /// Whether it is what metadata asks for on a subscription, carried by any of its items.
    pub(super) asked: bool,
    /// Whether its item sells a license by its present price.
    pub(super) sells: bool,
    /// Start and end of its item's running period.
    pub(super) period: Option<(Timestamp, Timestamp)>,
}

impl<'t> Claim<'t> {
    fn new(
        item: ItemKey,
        aliases: BTreeSet<ItemKey>,
        quantity: u32,
        plan: Option<&'t Plan>,
        wants: &Wants,
    ) -> Self {
        let mut template = plan.map(|p| p.license.clone()).unwrap_or_default();
        if let Some(devices) = wants.devices {
            (template.devices, template.devices_per_unit) =
                (Some(crate::domain::plan::Devices::Count(devices)), None);
        }
        if wants.duration.is_some() || (plan.is_none() && wants.app_id.is_some()) {
            template.duration = wants.duration;
        }
        Self {
            item,
            aliases,
            quantity,
            plan,
            app_id: wants
                .app_id
                .clone()
                .map(AppId::new)
                .or_else(|| template.app_id.clone()),
            seats: plan.map_or(Seats::Devices, |p| p.seats),
            template,
            asked: false,
            sells: true,
            period: None,
        }
    }

    /// Whether the number of units that were bought says what it gives.
    const fn counts_units(&self) -> bool {
        matches!(self.seats, Seats::Keys) || self.template.devices_per_unit.is_some()
    }
}

impl<'t> Ctx<'t> {
    pub(super) fn subscription(&self, life: &SubscriptionLife) -> Entitlement {
        let mut out = Entitlement {
            complete: life.items_told,
            ..Entitlement::default()
        };
        for claim in self.subscription_claims(life) {
            let settled = self.settle_subscription(life, &claim);
            self.add(&mut out, &claim, &settled);
        }
        let turns = life
            .open_renewals
            .iter()
            .map(|o| o.until)
            .chain(life.speaks_at);
        out.wake = super::earliest(out.wake, turns, self.now);
        out
    }

    /// One claim for each item that a plan licenses, and one for what the metadata asks for.
    pub(super) fn subscription_claims(&self, life: &SubscriptionLife) -> Vec<Claim<'t>> {
        let mut claims = Vec::new();
        for (n, (item, history)) in life.items.iter().enumerate() {
            claims.extend(self.item_claim(life, item, history, n == 0));
        }
        claims.extend(self.asked_claim(life));
        claims
    }

    fn item_claim(
        &self,
        life: &SubscriptionLife,
        item: &ItemThen,
        history: &ItemHistory,
        first: bool,
    ) -> Option<Claim<'t>> {
        let licensed = history.licensed()?;
        let plan = self
            .terms
            .plan_named(licensed.plan.as_ref()?.as_str(), licensed.since);
        let wants = if life.asked.is_none() {
            &life.wants
        } else {
            &Wants::default()
        };
        let mut aliases = history.aliases.clone();
        if first && life.asked.is_none() {
            aliases.insert(ItemKey::from(PURCHASE));
        }
        let claim = Claim::new(item.key.clone(), aliases, item.quantity, plan, wants);
        let sells = history
            .prices
            .last()
            .is_some_and(|p| history.is_licensed_by(p));
        Some(Claim {
            sells,
            period: item.period,
            ..claim
        })
    }

    /// Rule 10: what metadata asks for belongs to the subscription. Its quantities ask for nothing, a 0 neither.
    fn asked_claim(&self, life: &SubscriptionLife) -> Option<Claim<'t>> {
        let wants = life.asked.as_ref()?;
        let at = life.began.unwrap_or(self.now);
        let plan = wants
            .plan
            .as_deref()
            .and_then(|name| self.terms.plan_named(name, at));
        if plan.is_none() && wants.app_id.is_none() {
            return None;
        }
        let planned = |key: &ItemKey| {
            life.items
                .iter()
                .any(|(i, h)| i.key == *key && h.licensed().is_some())
        };
        let carriers = life.carriers.iter().filter(|key| !planned(key));
        let histories = life
            .items
            .iter()
            .filter(|(i, h)| !i.metered && h.licensed().is_none());
        let aliases = carriers
            .cloned()
            .chain(histories.clone().flat_map(|(_, h)| h.aliases.clone()))
            .collect();
        let claim = Claim::new(ItemKey::from(PURCHASE), aliases, 1, plan, wants);
        let items = life.items.iter().filter(|(i, _)| !i.metered);
        let period = items
            .filter_map(|(i, _)| i.period)
            .max_by_key(|(_, end)| *end);
        Some(Claim {
            asked: true,
            period,
            ..claim
        })
    }

    pub(super) fn purchase(&self, life: &PurchaseLife) -> Entitlement {
        let mut out = Entitlement::default();
        let claims = self.purchase_claims(life);
        let counts = claims.iter().any(Claim::counts_units);
        out.units_unknown = counts && life.is_named() && !life.lines_told;
        self.purchase_reports(life, claims.is_empty(), &mut out);
        // What a purchase holds never shrinks: a license beyond that is one that was made under another name of it.
        out.complete = life.paid_at.is_some() && !claims.is_empty();
        for claim in claims {
            let settled = self.settle_purchase(life, &claim);
            self.add(&mut out, &claim, &settled);
        }
        out
    }

    fn purchase_reports(&self, life: &PurchaseLife, nothing: bool, out: &mut Entitlement) {
        let at = life.paid_at.unwrap_or(self.now);
        if let Some(name) = life
            .wants
            .plan
            .as_deref()
            .filter(|n| self.terms.plan_named(n, at).is_none())
        {
            out.reports
                .push(Report::new(at, Finding::UnknownPlan(name.to_owned())));
        }
        if !(nothing || out.units_unknown) || life.paid_at.is_none() {
            return;
        }
        // A query may be under way that says what was bought.
        let told_by = life
            .paid_learned
            .filter(|_| !life.lines_told)
            .map_or(at, |learned| learned + LOOKUP_TAKES);
        let finding = if nothing {
            Finding::NothingToHandOut
        } else {
            Finding::UnitsUnknown
        };
        if self.now < told_by {
            out.wake = Some(told_by);
        } else {
            out.reports.push(Report::new(at, finding));
        }
    }

    /// How many units of the plan that the metadata names were bought: the lines that it names say it, else the first one.
    fn units(&self, life: &PurchaseLife, plan: &Plan) -> u32 {
        let at = life.paid_at.unwrap_or(self.now);
        let named = |line: &Bought| {
            let its = self.terms.plan_for(&line.price, at);
            its.is_some_and(|p| p.name == plan.name)
        };
        let own = life.lines.iter().filter(|l| named(l)).map(|l| l.quantity);
        match own.fold(0, u32::saturating_add) {
            0 => life.lines.first().map_or(1, |l| l.quantity.max(1)),
            // rule 13: what else was sold beside it (a set-up fee, say) is no unit of it.
            units => units,
        }
    }

    /// What was sold: the plan that the metadata names, else each line that a plan names, else what the metadata asks for.
    pub(super) fn purchase_claims(&self, life: &PurchaseLife) -> Vec<Claim<'t>> {
        let at = life.paid_at.unwrap_or(self.now);
        let named = life
            .wants
            .plan
            .as_deref()
            .and_then(|name| self.terms.plan_named(name, at));
        let purchase = |quantity: u32, plan, aliases| {
            vec![Claim::new(
                ItemKey::from(PURCHASE),
                aliases,
                quantity,
                plan,
                &life.wants,
            )]
        };
        if let Some(plan) = named {
            // It may have been served already by the name of a line, before the metadata was heard of.
            let names = life
                .lines
                .iter()
                .enumerate()
                .chain(life.invoiced.iter().enumerate());
            let names = names
                .map(|(n, l)| line_key(l.line.as_deref(), &l.price, n))
                .collect();
            return purchase(self.units(life, plan), named, names);
        }
        let mut claims: Vec<Claim<'t>> = Vec::new();
        for (n, line) in life.lines.iter().enumerate() {
            if let Some(plan) = self.terms.plan_for(&line.price, at) {
                let key = line_key(line.line.as_deref(), &line.price, n);
                claims.push(Claim::new(
                    key,
                    aliases(life, line),
                    line.quantity.max(1),
                    Some(plan),
                    &life.wants,
                ));
            }
        }
        if claims.is_empty() && life.wants.app_id.is_some() {
            return purchase(1, None, BTreeSet::new());
        }
        claims
    }
}

/// Other names under which a line may have been served already: the purchase as a whole, and the invoice's line of its price.
fn aliases(life: &PurchaseLife, line: &Bought) -> BTreeSet<ItemKey> {
    let same = life
        .invoiced
        .iter()
        .enumerate()
        .filter(|(_, l)| same_price(&l.price, &line.price));
    let names = same.map(|(n, l)| line_key(l.line.as_deref(), &l.price, n));
    names.chain([ItemKey::from(PURCHASE)]).collect()
}

fn same_price(a: &Priced, b: &Priced) -> bool {
    match (&a.id, &b.id) {
        (Some(a), Some(b)) => a == b,
        _ => a.product.is_some() && a.product == b.product,
    }
}

/// The name of a purchase's line: its own id, else its price (with its place, where a price stands twice).
fn line_key(line: Option<&str>, price: &Priced, n: usize) -> ItemKey {
    match (line, &price.id) {
        (Some(line), _) => ItemKey::from(line),
        (None, Some(price)) => ItemKey::from(price.as_str()),
        (None, None) => ItemKey::new(format!("line {}", n + 1)),
    }
}
