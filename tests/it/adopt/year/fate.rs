//! What a customer does in the year after the shop was taken in, and when a license of his must work and when not. The
//! expectations are read off BEHAVIOUR's rules, not off the code.

use serde_json::json;

use super::events::{Bill, MONTH_S, Standing, Told};
use crate::adopt::shop::{Customer, DAY_S, Labelled, Life};

const HOUR_S: i64 = 3_600;
/// Months that are played.
const MONTHS: i64 = 12;

/// What becomes of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Renews,
    /// A renewal fails, and is paid five days later.
    Recovers,
    /// A renewal is never paid: Stripe gives up after 14 days.
    GivesUp,
    /// Cancelled in mid period, for its end.
    Cancels,
    /// The running period's money goes back, and the subscription ends with it.
    Refunded,
    DisputeWon,
    DisputeLost,
    Upgrades,
}

impl Fate {
    pub(super) fn of(n: usize) -> Self {
        match n * 7 % 20 {
            0 | 1 => Self::Recovers,
            2 => Self::GivesUp,
            3 => Self::Cancels,
            4 => Self::Refunded,
            5 => Self::DisputeWon,
            6 => Self::DisputeLost,
            7 => Self::Upgrades,
            _ => Self::Renews,
        }
    }
}

/// A customer's year.
#[derive(Debug, Default)]
pub(super) struct Year {
    pub(super) told: Told,
    /// Instants at which a license of his must work, or must not.
    pub(super) works: Vec<(i64, bool)>,
}

impl Year {
    /// The year of one who was there when the shop was taken in.
    pub(super) fn of(customer: &Customer, now_s: i64) -> Self {
        let mut year = Self::default();
        match customer.life {
            Life::Once | Life::Guided => year.once(customer, now_s),
            Life::Over => year.works = vec![(now_s + DAY_S, false), (now_s + 360 * DAY_S, false)],
            Life::Fails => year.gives_up_soon(customer, now_s),
            Life::Retries => year.retried(customer, now_s),
            Life::Runs | Life::Renews | Life::Refunded | Life::Foreign => {
                let first = customer.paid_until_s(now_s);
                if customer.life == Life::Runs && customer.labelled != Labelled::TooShort {
                    year.works.push((first - HOUR_S.min(first - now_s), true));
                }
                year.renewals(customer, first, Fate::of(customer.n));
            }
        }
        year
    }

    /// The year of one who buys in it.
    pub(super) fn begins(customer: &Customer, at_s: i64) -> Self {
        let mut year = Self::default();
        year.told.purchase(customer, at_s);
        let is = standing(customer, at_s);
        year.told.subscription(customer, "created", at_s, &is, None);
        let bill = bill(customer, 0, at_s, customer.price());
        let bill = Bill {
            reason: "subscription_create",
            ..bill
        };
        year.told.invoice(customer, "paid", at_s + 2, &bill, 0);
        year.works.push((at_s + DAY_S, true));
        year.renewals(customer, at_s + MONTH_S, Fate::of(customer.n));
        year
    }

    fn once(&mut self, c: &Customer, now_s: i64) {
        self.works.push((now_s + 60, true));
        if c.n.is_multiple_of(9) {
            let at = now_s + 100 * DAY_S;
            self.told.refund(&format!("pi_{}", c.n), 4_900, at);
            self.works
                .extend([(at - HOUR_S, true), (at + DAY_S, false)]);
        }
        self.works
            .push((now_s + 360 * DAY_S, !c.n.is_multiple_of(9)));
    }

    /// The renewal that had failed already is given up: what was held for a person's yes stays so, and nothing is left at
    /// the year's end.
    fn gives_up_soon(&mut self, c: &Customer, now_s: i64) {
        let at = now_s + 10 * DAY_S;
        let is = Standing {
            ended_s: Some(at),
            reason: Some("payment_failed"),
            status: "canceled",
            ..standing(c, c.paid_until_s(now_s))
        };
        self.told.subscription(c, "deleted", at, &is, None);
        self.works.push((now_s + 60 * DAY_S, false));
    }

    /// The try that was announced is paid, and the life goes on.
    fn retried(&mut self, c: &Customer, now_s: i64) {
        let (start, at) = (c.paid_until_s(now_s), now_s + 2 * DAY_S);
        let bill = Bill {
            id: format!("in_{}_0", c.n),
            ..bill(c, 0, start, c.price())
        };
        self.told.invoice(c, "paid", at, &bill, 1);
        let is = standing(c, start);
        let was = json!({"status": "past_due"});
        self.told.subscription(c, "updated", at, &is, Some(was));
        self.works.push((at + DAY_S, true));
        self.renewals(c, start + MONTH_S, Fate::of(c.n));
    }

    fn renewals(&mut self, c: &Customer, first_s: i64, fate: Fate) {
        let month = 2 + c.n as i64 % 7;
        let mut price = c.price();
        for k in 0..MONTHS {
            let start = first_s + k * MONTH_S;
            let (bill, it) = (bill(c, k, start, price), k == month);
            if it && matches!(fate, Fate::Recovers | Fate::GivesUp) {
                self.fails(c, &bill, start);
                if fate == Fate::GivesUp {
                    self.given_up(c, start);
                    return;
                }
                let paid = start + 5 * DAY_S;
                self.told.invoice(c, "paid", paid, &bill, 2);
                let was = json!({"status": "past_due"});
                self.told
                    .subscription(c, "updated", paid, &standing(c, start), Some(was));
                self.works
                    .extend([(paid - HOUR_S, true), (paid + 2 * DAY_S, true)]);
            } else {
                self.renewed(c, &bill, start);
            }
            if it && !self.of_month(c, fate, &bill, start) {
                return;
            }
            if it && fate == Fate::Upgrades {
                price = "price_pro";
            }
            self.works.push((start + 24 * DAY_S, true));
        }
    }

    /// What happens in the month of a fate. Whether the life goes on.
    fn of_month(&mut self, c: &Customer, fate: Fate, bill: &Bill, start: i64) -> bool {
        let is = standing(c, start);
        let (day5, payment) = (start + 5 * DAY_S, format!("pi_{}", bill.id));
        let end = |at: i64| Standing {
            status: "canceled",
            ended_s: Some(at),
            reason: Some("cancellation_requested"),
            ..is
        };
        match fate {
            Fate::Renews | Fate::Recovers | Fate::GivesUp => true,
            Fate::Cancels => {
                let (at, over) = (start + 10 * DAY_S, start + MONTH_S);
                let cancels = Standing {
                    cancels: true,
                    ..is
                };
                let was = json!({"cancel_at_period_end": false});
                self.told
                    .subscription(c, "updated", at, &cancels, Some(was));
                self.told.subscription(c, "deleted", over, &end(over), None);
                self.works
                    .extend([(over - HOUR_S, true), (over + 4 * DAY_S, false)]);
                false
            }
            Fate::Refunded => {
                self.told.refund(&payment, 2_900, day5);
                self.told
                    .subscription(c, "deleted", day5 + 5, &end(day5 + 5), None);
                self.works
                    .extend([(day5 - HOUR_S, true), (day5 + DAY_S, false)]);
                false
            }
            Fate::DisputeWon | Fate::DisputeLost => {
                let (won, at) = (fate == Fate::DisputeWon, start + 20 * DAY_S);
                self.told
                    .dispute(&payment, "created", "needs_response", day5);
                let status = if won { "won" } else { "lost" };
                self.told.dispute(&payment, "closed", status, at);
                if !won {
                    self.told
                        .subscription(c, "deleted", at + 60, &end(at + 60), None);
                }
                let after = (at + DAY_S, won);
                self.works
                    .extend([(day5 - HOUR_S, true), (day5 + DAY_S, false), after]);
                won
            }
            Fate::Upgrades => {
                let at = start + 10 * DAY_S;
                let pro = Standing {
                    price: "price_pro",
                    ..is
                };
                let was = json!({"items": {"data": [{"id": format!("si_{}", c.n), "price": {"id": "price_tool"}}]}});
                self.told.subscription(c, "updated", at, &pro, Some(was));
                let more = Bill {
                    id: format!("in_{}_up", c.n),
                    reason: "subscription_update",
                    created_s: at,
                    period_s: (at, start + MONTH_S),
                    price: "price_pro",
                };
                self.told.invoice(c, "paid", at + 3, &more, 0);
                self.works.push((at + DAY_S, true));
                true
            }
        }
    }

    fn renewed(&mut self, c: &Customer, bill: &Bill, start: i64) {
        let was = json!({"items": {"data": [{"id": format!("si_{}", c.n), "current_period_end": start}]}});
        let is = Standing {
            price: bill.price,
            ..standing(c, start)
        };
        self.told.subscription(c, "updated", start, &is, Some(was));
        self.told.invoice(c, "finalized", start + HOUR_S, bill, 0);
        self.told.invoice(c, "paid", start + HOUR_S + 5, bill, 0);
        self.works.push((start + 6 * HOUR_S, true));
    }

    fn fails(&mut self, c: &Customer, bill: &Bill, start: i64) {
        let late = Standing {
            status: "past_due",
            ..standing(c, start)
        };
        let turned = json!({"items": {"data": [{"id": format!("si_{}", c.n), "current_period_end": start}]}});
        self.told
            .subscription(c, "updated", start, &standing(c, start), Some(turned));
        let (first, second) = (start + HOUR_S + 5, start + 3 * DAY_S);
        self.told.invoice(c, "finalized", start + HOUR_S, bill, 0);
        self.told.invoice(c, "payment_failed", first, bill, 1);
        let was = json!({"status": "active"});
        self.told
            .subscription(c, "updated", first, &late, Some(was));
        self.told.invoice(c, "payment_failed", second, bill, 2);
        self.works.push((second + HOUR_S, true));
    }

    /// The promised grace of 16 days runs on though Stripe gave up after 14.
    fn given_up(&mut self, c: &Customer, start: i64) {
        let (at, over) = (start + 14 * DAY_S, start + HOUR_S + 16 * DAY_S);
        let is = Standing {
            status: "canceled",
            ended_s: Some(at),
            reason: Some("payment_failed"),
            ..standing(c, start)
        };
        self.told.subscription(c, "deleted", at, &is, None);
        self.works.extend([
            (at + DAY_S, true),
            (over + HOUR_S, false),
            (over + 20 * DAY_S, false),
        ]);
    }
}

fn standing(c: &Customer, turned_s: i64) -> Standing {
    Standing {
        status: "active",
        price: c.price(),
        turned_s,
        cancels: false,
        ended_s: None,
        reason: None,
    }
}

fn bill(c: &Customer, k: i64, start: i64, price: &'static str) -> Bill {
    Bill {
        id: format!("in_{}_y{k}", c.n),
        reason: "subscription_cycle",
        created_s: start,
        period_s: (start, start + MONTH_S),
        price,
    }
}
