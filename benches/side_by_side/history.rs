//! A history to replay: subscriptions with ten events each, in the order in which they would have been delivered.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use crate::template::{Template, id};

/// Events of each subscription.
pub(crate) const EVENTS: usize = 10;

const BEGIN_S: i64 = 1_760_000_000;
const DAY_S: i64 = 86_400;
const MONTH_S: i64 = 30 * DAY_S;
/// The subscriptions begin within this time.
const ARRIVAL_S: i64 = 90 * DAY_S;

/// What happens to each subscription: a first month, a renewal, and one that fails and is paid three days later.
const STORY: [Step; EVENTS] = [
    Step {
        after_s: 0,
        month: 0,
        what: What::Subscription {
            kind: "created",
            status: "active",
            previous: "",
        },
    },
    Step {
        after_s: 2,
        month: 0,
        what: What::Invoice {
            paid: true,
            attempts: 1,
        },
    },
    Step {
        after_s: 60,
        month: 0,
        what: changed("active", r#"{"default_payment_method": null}"#),
    },
    Step {
        after_s: MONTH_S,
        month: 1,
        what: changed("active", r#"{"latest_invoice": null}"#),
    },
    Step {
        after_s: MONTH_S + 3_600,
        month: 1,
        what: What::Invoice {
            paid: true,
            attempts: 1,
        },
    },
    Step {
        after_s: 2 * MONTH_S,
        month: 2,
        what: changed("active", r#"{"latest_invoice": null}"#),
    },
    Step {
        after_s: 2 * MONTH_S + 3_600,
        month: 2,
        what: What::Invoice {
            paid: false,
            attempts: 1,
        },
    },
    Step {
        after_s: 2 * MONTH_S + 3_601,
        month: 2,
        what: changed("past_due", r#"{"status": "active"}"#),
    },
    Step {
        after_s: 2 * MONTH_S + 3 * DAY_S,
        month: 2,
        what: What::Invoice {
            paid: true,
            attempts: 2,
        },
    },
    Step {
        after_s: 2 * MONTH_S + 3 * DAY_S + 2,
        month: 2,
        what: changed("active", r#"{"status": "past_due"}"#),
    },
];

#[derive(Clone, Copy, Debug)]
struct Step {
    after_s: i64,
    month: i64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Subscription {
        kind: &'static str,
        status: &'static str,
        previous: &'static str,
    },
    Invoice {
        paid: bool,
        attempts: u32,
    },
}

const fn changed(status: &'static str, previous: &'static str) -> What {
    What::Subscription {
        kind: "updated",
        status,
        previous,
    }
}

/// Writes so many subscriptions' events, a line each, as `keyward export` would.
pub(crate) fn write(path: &Path, machines: usize) -> Result<()> {
    let subscription = Template::new(include_str!("events/subscription.json"));
    let invoice = Template::new(include_str!("events/invoice.json"));
    let began = |machine: usize| BEGIN_S + ARRIVAL_S * machine as i64 / machines as i64;
    let mut order: Vec<(i64, usize, usize)> = (0..machines)
        .flat_map(|machine| {
            STORY
                .iter()
                .enumerate()
                .map(move |(n, step)| (began(machine) + step.after_s, machine, n))
        })
        .collect();
    order.sort_unstable();
    let mut file = BufWriter::new(File::create(path)?);
    for (at, machine, n) in order {
        let moment = Moment {
            at,
            began: began(machine),
            machine: machine as u64,
            n: n as u64,
            step: STORY[n],
        };
        let event = match moment.step.what {
            What::Subscription { .. } => subscription.fill(|slot| moment.value(slot)),
            What::Invoice { .. } => invoice.fill(|slot| moment.value(slot)),
        };
        let event: String = event.lines().map(str::trim_start).collect();
        writeln!(file, r#"{{"received_at":{at},"event":{event}}}"#)?;
    }
    file.flush()?;
    Ok(())
}

/// The bodies of subscriptions' first steps as they are sent while they happen: all dated now, whatever month they tell
/// of, so that a year's mix is sent within a minute.
pub(crate) struct Live {
    subscription: Template,
    invoice: Template,
    now_s: i64,
}

impl Live {
    /// Beginning now.
    pub(crate) fn new(now_s: i64) -> Self {
        Self {
            subscription: Template::new(include_str!("events/subscription.json")),
            invoice: Template::new(include_str!("events/invoice.json")),
            now_s,
        }
    }

    /// What is sent of a machine's step.
    pub(crate) fn body(&self, machine: usize, n: usize) -> String {
        let moment = Moment {
            at: self.now_s,
            began: self.now_s,
            machine: machine as u64,
            n: n as u64,
            step: STORY[n],
        };
        match moment.step.what {
            What::Subscription { .. } => self.subscription.fill(|slot| moment.value(slot)),
            What::Invoice { .. } => self.invoice.fill(|slot| moment.value(slot)),
        }
    }
}

/// One subscription's step at its instant.
#[derive(Debug)]
struct Moment {
    at: i64,
    began: i64,
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
            "event" => id(slot, self.machine * EVENTS as u64 + self.n, 23),
            "invoice" | "line" => id(slot, self.machine * 4 + month, 23),
            "customer" | "item" => id(slot, self.machine, 14),
            "mailbox" => id(slot, self.machine, 9).to_lowercase(),
            _ => id(slot, self.machine, 23),
        }
    }
}
