//! The operator's questions and orders, and one place that answers them: over the control socket while the server runs,
//! in the command's own process when it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use tokio::task::JoinSet;

use super::desk_history::{self, Pages};
use super::desk_policy::{self, Judging};
use super::desk_read as read;
use super::fail::Failure;
use crate::domain::action::ActionOutcome;
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::{EventId, MachineId, SourceName};
use crate::domain::operator::Order;
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::input::{Input, Receipt};
use crate::engine::view;

/// Orders that wait for one sync together, so that thousands take seconds: as many as the committer gathers.
const ORDERS_UNDER_WAY_MAX: usize = 64;

/// What an operator asks or orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Which purchases a text leads to.
    Find {
        /// An address, a key or an id.
        text: String,
    },
    /// One purchase's page.
    Show {
        /// Its id, or what leads to it alone.
        machine: String,
    },
    /// What became of events.
    Events {
        /// Only those; absent: all.
        which: Option<Which>,
        /// The newest so many.
        limit: Option<u32>,
    },
    /// Signed deliveries that were no events.
    Refused {
        /// The newest so many.
        limit: Option<u32>,
    },
    /// Work that waits, is held or was refused.
    Actions {
        /// The newest so many.
        limit: Option<u32>,
    },
    /// The next try now.
    Retry(What),
    /// No further try.
    Abandon {
        /// The action's name.
        id: String,
    },
    /// Not before `retry`.
    Hold {
        /// The action's name.
        id: String,
        /// Why, for whoever sees it in the list.
        reason: String,
    },
    /// A page of the history.
    History(Pages),
    /// What plans and policies judge, and the newest ones' word on what already is.
    Policy(Judging),
    /// A person's decision.
    Decide {
        /// The purchase's id, or what leads to it alone.
        machine: String,
        /// What, who and why.
        decision: Decision,
    },
}

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Those that belong somewhere.
    Applied,
    /// Those that wait.
    Parked,
    /// Those that change nothing.
    Ignored,
}

impl Which {
    /// The word in an event's view.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
        }
    }
}

/// Which actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// One, or all of a purchase.
    Id(String),
    /// All at a service.
    Service(String),
    /// All.
    All,
}

/// An answer. What programs read comes as the JSON that they get, so that no form exists twice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Pages of purchases.
    Found {
        /// The pages.
        machines: Vec<Box<RawValue>>,
    },
    /// A purchase.
    Machine {
        /// Its page.
        view: Box<RawValue>,
        /// What people decided about it.
        decided: Vec<Coming>,
        /// What comes next.
        next: Vec<Coming>,
    },
    /// A list.
    List {
        /// Its rows, oldest first.
        rows: Vec<Box<RawValue>>,
        /// Older rows that were left out.
        more: u64,
    },
    /// A part of a longer list.
    Page {
        /// Its rows.
        rows: Vec<Box<RawValue>>,
        /// Where the next part begins; absent: this was the last one.
        next: Option<String>,
        /// The instant that it shows.
        at: crate::domain::time::Timestamp,
    },
    /// What was changed.
    Changed(Changed),
    /// Nothing came of it.
    Failed(Failure),
}

/// Something that happened or will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coming {
    /// When.
    pub at: crate::domain::time::Timestamp,
    /// What.
    pub what: String,
}

/// What an order changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The purchases.
    pub machines: Vec<String>,
    /// How many actions, where the order was about actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<u32>,
    /// The decision's id, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

/// Answers the operator.
#[derive(Clone)]
pub struct Desk {
    pub(super) handle: Handle,
    pub(super) services: BTreeMap<SourceName, &'static str>,
    /// The services of a running server, whose breakers a retry closes.
    running: Option<Arc<Services>>,
}

impl Desk {
    /// Over an engine; `services` are the license services by source.
    #[must_use]
    pub const fn new(handle: Handle, services: BTreeMap<SourceName, &'static str>) -> Self {
        Self {
            handle,
            services,
            running: None,
        }
    }

    /// The same at a running server: a retry also tries services that are down or refuse.
    #[must_use]
    pub fn with_running(self, services: Arc<Services>) -> Self {
        Self {
            running: Some(services),
            ..self
        }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request) -> Response {
        let answer = match request {
            Request::Find { text } => self.read(move |desk| read::find(desk, &text)).await,
            Request::Show { machine } => self.read(move |desk| read::show(desk, &machine)).await,
            Request::Events { which, limit } => {
                self.read(move |desk| read::events(desk, which, limit))
                    .await
            }
            Request::Refused { limit } => self.read(move |desk| read::refused(desk, limit)).await,
            Request::Actions { limit } => self.read(move |desk| read::actions(desk, limit)).await,
            Request::History(pages) => {
                self.read(move |desk| desk_history::page(desk, &pages))
                    .await
            }
            Request::Policy(judging) => desk_policy::answer(self, judging).await,
            Request::Retry(what) => self.retry(what).await,
            Request::Abandon { id } => self.put_off(id, Order::Abandon).await,
            Request::Hold { id, reason } => self.put_off(id, Order::Hold(reason)).await,
            Request::Decide { machine, decision } => self.decide(machine, decision).await,
        };
        answer.unwrap_or_else(Response::Failed)
    }

    /// Reads on a thread that may wait for the disk.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let desk = self.clone();
        tokio::task::spawn_blocking(move || read(&desk))
            .await
            .unwrap_or_else(|e| Err(Failure::ours(e.to_string())))
    }

    async fn decide(&self, machine: String, decision: Decision) -> Result<Response, Failure> {
        let resend = matches!(decision.verb, Verb::Resend { .. });
        let find = move |desk: &Self| read::resolve(desk, &machine);
        let machine = self
            .read(move |desk| find(desk).and_then(|id| read::may(desk, id, resend)))
            .await?;
        let at = self.handle.clock().now();
        let id = decision_id(at);
        let input = Input::Decision {
            machine: machine.clone(),
            id: EventId::new(&id),
            decision,
            at,
        };
        self.submit(&machine, input).await?;
        Ok(Response::Changed(Changed {
            machines: vec![machine.to_string()],
            actions: None,
            decision: Some(id),
        }))
    }

    /// Gives one action up, or holds it.
    async fn put_off(&self, id: String, order: Order) -> Result<Response, Failure> {
        let (machine, number) = action_name(&id).ok_or_else(|| {
            Failure::input(format!("`{id}` names no action"))
                .hint("`keyward actions` lists them, like stripe/sub_123#4")
        })?;
        let machine = self.with_action(machine, number, order.takes()).await?;
        let input = Input::Actions {
            machine: machine.clone(),
            action: Some(number),
            order,
        };
        self.submit(&machine, input).await?;
        Ok(changed([machine], 1))
    }

    /// Makes sure that an action is there and in one of these conditions.
    async fn with_action(
        &self,
        machine: &str,
        number: u32,
        conditions: &'static [ActionOutcome],
    ) -> Result<MachineId, Failure> {
        let text = machine.to_owned();
        self.read(move |desk| {
            let id = read::resolve(desk, &text)?;
            let kept = view::machine(desk.handle.reader(), &id)?;
            let action = kept
                .iter()
                .flat_map(|m| &m.actions)
                .find(|a| a.id == number);
            match action {
                None => Err(Failure::input(format!("{id} has no action {number}"))
                    .hint("`keyward actions` lists them")),
                Some(a) if conditions.contains(&a.outcome) => Ok(id),
                Some(a) => Err(Failure::input(format!(
                    "{id}#{number} is {} already",
                    a.outcome.as_str()
                ))),
            }
        })
        .await
    }

    async fn retry(&self, what: What) -> Result<Response, Failure> {
        if let Some(services) = &self.running {
            // Before anything is due: else it would find the breaker open, and wait for its next trial.
            services.release(self.handle.clock().now());
        }
        let one = match &what {
            What::Id(id) => action_name(id).map(|(machine, number)| (machine.to_owned(), number)),
            What::Service(_) | What::All => None,
        };
        if let Some((machine, number)) = one {
            let machine = self
                .with_action(&machine, number, Order::Retry.takes())
                .await?;
            let input = Input::Actions {
                machine: machine.clone(),
                action: Some(number),
                order: Order::Retry,
            };
            self.submit(&machine, input).await?;
            return Ok(changed([machine], 1));
        }
        if let What::Service(service) = &what
            && service != read::STRIPE
            && !self.services.values().any(|s| s == service)
        {
            let known: BTreeSet<_> = self.services.values().map(|s| format!("`{s}`")).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(" and ");
            return Err(
                Failure::input(format!("there is no license service `{service}`"))
                    .hint(format!("the config has {known}")),
            );
        }
        let all = self.read(move |desk| read::to_retry(desk, &what)).await?;
        let mut orders = Vec::new();
        for (machine, numbers) in &all {
            let order = |number: &u32| {
                let machine = machine.clone();
                (
                    machine.clone(),
                    Input::Actions {
                        machine,
                        action: Some(*number),
                        order: Order::Retry,
                    },
                )
            };
            orders.extend(numbers.iter().map(order));
        }
        let total = self.submit_all(orders).await?;
        Ok(changed(all.into_keys(), total))
    }

    /// Hands many inputs in, so that those of one batch share a sync. Says how many there were.
    pub(super) async fn submit_all(&self, orders: Vec<(MachineId, Input)>) -> Result<u32, Failure> {
        let mut under_way = JoinSet::new();
        let mut total = 0;
        for (machine, input) in orders {
            if under_way.len() >= ORDERS_UNDER_WAY_MAX {
                under_way
                    .join_next()
                    .await
                    .transpose()
                    .map_err(|e| Failure::ours(e.to_string()))?
                    .transpose()?;
            }
            let desk = self.clone();
            under_way.spawn(async move { desk.submit(&machine, input).await });
            total += 1;
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(|e| Failure::ours(e.to_string()))??;
        }
        Ok(total)
    }

    async fn submit(&self, machine: &MachineId, input: Input) -> Result<(), Failure> {
        match self.handle.submit_waiting(input).await? {
            Receipt::Unknown => Err(read::no_machine(&machine.to_string())),
            Receipt::Applied(_)
            | Receipt::Parked(_)
            | Receipt::Ignored(_)
            | Receipt::Duplicate
            | Receipt::Done => Ok(()),
        }
    }
}

/// A new decision's id.
pub(super) fn decision_id(at: crate::domain::time::Timestamp) -> String {
    static MADE: AtomicU32 = AtomicU32::new(1);
    format!("dec_{}_{}", at.ms(), MADE.fetch_add(1, Ordering::Relaxed))
}

fn changed(machines: impl IntoIterator<Item = MachineId>, actions: u32) -> Response {
    let machines = machines.into_iter().map(|m| m.to_string()).collect();
    Response::Changed(Changed {
        machines,
        actions: Some(actions),
        decision: None,
    })
}

/// The parts of an action's name, `stripe/sub_123#4`.
#[must_use]
pub fn action_name(text: &str) -> Option<(&str, u32)> {
    let (machine, number) = text.trim().rsplit_once('#')?;
    Some((machine, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_travel_as_lines() {
        let decision: Decision = serde_json::from_str(
            r#"{"kind":"grant","until":"2026-03-01T00:00:00Z","reason":"r\nr"}"#,
        )
        .unwrap();
        for request in [
            Request::Find { text: "a".into() },
            Request::Retry(What::All),
            Request::Decide {
                machine: "stripe/sub_1".into(),
                decision,
            },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            let back: Request = serde_json::from_str(&line).unwrap();
            assert_eq!(format!("{back:?}"), format!("{request:?}"));
        }
        let raw = RawValue::from_string("{\"a\":1}".into()).unwrap();
        let line = serde_json::to_string(&Response::List {
            rows: vec![raw],
            more: 2,
        })
        .unwrap();
        assert!(
            matches!(serde_json::from_str(&line).unwrap(), Response::List { rows, more: 2 } if rows[0].get() == "{\"a\":1}")
        );
    }

    #[test]
    fn an_action_is_named_by_purchase_and_number() {
        assert_eq!(action_name("stripe/sub_1#4"), Some(("stripe/sub_1", 4)));
        assert_eq!(action_name("stripe/sub_1"), None);
        assert_eq!(action_name("stripe/sub_1#x"), None);
    }
}
