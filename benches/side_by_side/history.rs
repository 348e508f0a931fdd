//! A history to replay: subscriptions with ten events each, in the order in which they would have been delivered.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use anyhow::Result;

use crate::steps::{DAY_S, EVENTS, MONTH_S, RECOVERING, STORIES, Step, What, paid, story};
use crate::template::{Template, customer_id, id, timed_id};

const BEGIN_S: i64 = 1_760_000_000;
/// The subscriptions begin within this time.
const ARRIVAL_S: i64 = 90 * DAY_S;

/// Every subscription's events, to be written a line each, as `keyward export` would.
#[derive(Debug)]
pub(crate) struct Events {
    subscription: Template,
    invoice: Template,
    machines: usize,
    begin_s: i64,
    arrival_s: i64,
}

/// An event's place: its instant, its subscription, and which of its events it is.
type Place = (i64, usize, usize);

impl Events {
    /// Of so many subscriptions.
    pub(crate) fn new(machines: usize) -> Self {
        Self {
            subscription: Template::new(include_str!("events/subscription.json")),
            invoice: Template::new(include_str!("events/invoice.json")),
            machines,
            begin_s: BEGIN_S,
            arrival_s: ARRIVAL_S,
        }
    }

    /// Of so many subscriptions, each of which is in its fourth month at an instant.
    pub(crate) fn in_their_fourth_month(machines: usize, now_s: i64) -> Self {
        Self {
            begin_s: now_s - 3 * MONTH_S - 25 * DAY_S,
            arrival_s: 20 * DAY_S,
            ..Self::new(machines)
        }
    }

    /// A further renewal of one that renews, paid at an instant; `None`: this one does not.
    pub(crate) fn renewal(&self, machine: usize, now_s: i64) -> Option<String> {
        (machine % 20 < STORIES[0].0).then(|| {
            let moment = Moment {
                at: now_s,
                began: self.began(machine),
                id_s: now_s,
                customer: self.customer(machine),
                machine: machine as u64,
                n: EVENTS as u64,
                step: paid(0, 4, 1),
            };
            self.invoice.fill(|slot| moment.value(slot))
        })
    }

    fn customer(&self, machine: usize) -> String {
        let buyer = buyer_of(machine);
        customer_id(buyer as u64, self.began(buyer))
    }

    fn began(&self, machine: usize) -> i64 {
        self.begin_s + self.arrival_s * machine as i64 / self.machines as i64
    }

    /// The events of some subscriptions, in the order of delivery. Every fiftieth is delivered again a minute later.
    fn order(&self, machines: Range<usize>) -> Vec<Place> {
        let mut order = Vec::with_capacity(machines.len() * EVENTS);
        for machine in machines {
            for (n, step) in story(machine).iter().enumerate() {
                let at = self.began(machine) + step.after_s;
                order.push((at, machine, n));
                if (machine * EVENTS + n).is_multiple_of(50) {
                    order.push((at + 60, machine, n));
                }
            }
        }
        order.sort_unstable();
        order
    }

    fn line(&self, (at, machine, n): Place) -> String {
        let step = story(machine)[n];
        let moment = Moment {
            at: self.began(machine) + step.after_s,
            began: self.began(machine),
            id_s: self.began(machine),
            customer: self.customer(machine),
            machine: machine as u64,
            n: n as u64,
            step,
        };
        let event = match step.what {
            What::Subscription { .. } => self.subscription.fill(|slot| moment.value(slot)),
            What::Invoice { .. } => self.invoice.fill(|slot| moment.value(slot)),
        };
        let event: String = event.lines().map(str::trim_start).collect();
        format!(r#"{{"received_at":{at},"event":{event}}}"#)
    }

    /// The lines of some subscriptions, in the order of delivery.
    pub(crate) fn lines(&self, machines: Range<usize>) -> String {
        let mut text = String::new();
        for place in self.order(machines) {
            text.push_str(&self.line(place));
            text.push('\n');
        }
        text
    }

    /// Writes all of them. Returns how many lines there are.
    pub(crate) fn write(&self, path: &Path) -> Result<usize> {
        let order = self.order(0..self.machines);
        let mut file = BufWriter::new(File::create(path)?);
        for place in &order {
            writeln!(file, "{}", self.line(*place))?;
        }
        file.flush()?;
        Ok(order.len())
    }
}

/// The bodies of subscriptions' first steps as they are sent while they happen: all dated now, whatever month they tell
/// of, so that a year's mix is sent within a minute. Their ids go up with time, as Stripe's do: by a second for so many
/// subscriptions as are about to come in one.
pub(crate) struct Live {
    subscription: Template,
    invoice: Template,
    now_s: i64,
}

/// Subscriptions whose ids are of one second.
const A_SECOND: usize = 500;

impl Live {
    /// Beginning now.
    pub(crate) fn new(now_s: i64) -> Self {
        Self {
            subscription: Template::new(include_str!("events/subscription.json")),
            invoice: Template::new(include_str!("events/invoice.json")),
            now_s,
        }
    }

    /// The second that a machine's ids begin with.
    const fn id_s(&self, machine: usize) -> i64 {
        self.now_s + (machine / A_SECOND) as i64
    }

    /// What is sent of a machine's step.
    pub(crate) fn body(&self, machine: usize, n: usize) -> String {
        let moment = Moment {
            at: self.now_s,
            began: self.now_s,
            id_s: self.id_s(machine),
            customer: customer_id(buyer_of(machine) as u64, self.id_s(buyer_of(machine))),
            machine: machine as u64,
            n: n as u64,
            step: RECOVERING[n],
        };
        match moment.step.what {
            What::Subscription { .. } => self.subscription.fill(|slot| moment.value(slot)),
            What::Invoice { .. } => self.invoice.fill(|slot| moment.value(slot)),
        }
    }
}

/// Whose subscription a machine is, by his first: one customer in ten has two.
const fn buyer_of(machine: usize) -> usize {
    if machine % 10 == 1 {
        machine - 1
    } else {
        machine
    }
}

/// One subscription's step at its instant.
#[derive(Debug)]
struct Moment {
    at: i64,
    began: i64,
    /// The second that ids begin with.
    id_s: i64,
    customer: String,
    machine: u64,
    n: u64,
    step: Step,
}

impl Moment {
    fn value(&self, slot: &str) -> String {
        let own = match self.step.what {
            What::Subscription {
                kind,
                status,
                previous,
            } => self.of_subscription(slot, kind, status, previous),
            What::Invoice { paid, attempts } => self.of_invoice(slot, paid, attempts),
        };
        own.unwrap_or_else(|| self.common(slot))
    }

    fn of_subscription(
        &self,
        slot: &str,
        kind: &str,
        status: &str,
        previous: &str,
    ) -> Option<String> {
        Some(match slot {
            "status" => status.to_owned(),
            "type" => format!("customer.subscription.{kind}"),
            "previous" if previous.is_empty() => String::new(),
            "previous" => format!(",\n\"previous_attributes\": {previous}"),
            "ended" if kind == "deleted" => self.at.to_string(),
            "ended" => "null".to_owned(),
            _ => return None,
        })
    }

    fn of_invoice(&self, slot: &str, paid: bool, attempts: u32) -> Option<String> {
        Some(match slot {
            "status" => if paid { "paid" } else { "open" }.to_owned(),
            "type" => if paid {
                "invoice.paid"
            } else {
                "invoice.payment_failed"
            }
            .to_owned(),
            "amount_paid" => if paid { "1000" } else { "0" }.to_owned(),
            "amount_remaining" => if paid { "0" } else { "1000" }.to_owned(),
            "attempts" => attempts.to_string(),
            "reason" => if self.step.month == 0 {
                "subscription_create"
            } else {
                "subscription_cycle"
            }
            .to_owned(),
            "paid_at" if paid => self.at.to_string(),
            "next_attempt" if !paid => (self.at + 3 * DAY_S).to_string(),
            "paid_at" | "next_attempt" => "null".to_owned(),
            _ => return None,
        })
    }

    fn common(&self, slot: &str) -> String {
        let period_start = self.began + self.step.month * MONTH_S;
        let month = u64::try_from(self.step.month).unwrap_or(0);
        match slot {
            "at" => self.at.to_string(),
            "began" => self.began.to_string(),
            "period_start" => period_start.to_string(),
            "period_end" => (period_start + MONTH_S).to_string(),
            "event" => timed_id(slot, self.machine * EVENTS as u64 + self.n, self.id_s),
            "invoice" | "line" => timed_id(slot, self.machine * 4 + month, self.id_s),
            "customer" => self.customer.clone(),
            "item" => id(slot, self.machine, 14),
            "mailbox" => id(slot, self.machine, 9).to_lowercase(),
            _ => timed_id(slot, self.machine, self.id_s),
        }
    }
}
