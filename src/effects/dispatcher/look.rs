//! Look-ups at Stripe: what a machine asks, and the search for what a parked name belongs to. What was answered comes in as
//! a delivery of its own, then the work hears what came of it.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::{Dispatcher, Entry, Lane, Turn};
use crate::domain::action::{ActionOutcome, Outcome, Question};
use crate::domain::id::{MachineId, Scope};
use crate::domain::time::Timestamp;
use crate::effects::stripe::{Account, Answer};
use crate::effects::tally;
use crate::effects::throttle::Condition;
use crate::engine::input::{Delivery, Input, Receipt};
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::body_codec;
use crate::engine::record::key::{Due, Item};
use crate::engine::route::query;
use crate::sources::stripe::lookup;

/// A look-up that may begin.
struct Start {
    account: Arc<Account>,
    held: (tokio::sync::OwnedSemaphorePermit, Turn),
}

impl Dispatcher {
    /// How many look-ups could begin now.
    pub(super) fn free_to_ask(&self, now: Timestamp) -> usize {
        let open = self.services.stripe_accounts().filter(|a| !a.is_shut(now));
        open.map(|a| a.places.available_permits()).sum()
    }

    /// Takes a place and the entry, if its source has an account that answers.
    fn start(&self, scope: &Scope, due: Due, now: Timestamp) -> Option<Start> {
        let account = Arc::clone(self.services.stripe(scope.source())?);
        if account.is_shut(now) {
            return None;
        }
        let permit = Arc::clone(&account.places).try_acquire_owned().ok()?;
        let turn = self.under_way.begin(Lane::Due(due))?;
        Some(Start {
            account,
            held: (permit, turn),
        })
    }

    pub(super) fn begin_look_up(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        id: &MachineId,
        number: u32,
        now: Timestamp,
    ) -> Result<Entry, RecordError> {
        let due = Due::Of(id.clone(), Item::LookUp(number));
        if self.services.stripe(id.source()).is_none() {
            // Its key was taken away: looked at anew, the machine asks nothing more.
            self.drop_entry(
                tasks,
                due,
                Input::WakeUp {
                    machine: id.clone(),
                },
            );
            return Ok(Entry::Settled);
        }
        let Some(Start { account, held }) = self.start(id.scope(), due, now) else {
            return Ok(Entry::Waits);
        };
        let Some(machine) = view::machine(self.handle.reader(), id)? else {
            return Ok(Entry::Settled);
        };
        let open = machine
            .actions
            .iter()
            .find(|a| a.id == number && a.outcome == ActionOutcome::Pending && a.due <= now);
        let Some((question, first)) =
            open.and_then(|a| Some((a.act.question()?.clone(), a.attempts == 0)))
        else {
            return Ok(Entry::Settled);
        };
        if !account.may_begin(now) {
            return Ok(Entry::Waits);
        }
        let (this, id) = (Arc::clone(self), id.clone());
        tasks.spawn(async move {
            this.unless_over(this.look_up(&id, number, &account, &question, first))
                .await;
            drop(held);
            this.freed.notify_one();
        });
        Ok(Entry::Settled)
    }

    /// Hands in what takes an entry away that nobody will ever work off.
    fn drop_entry(self: &Arc<Self>, tasks: &TaskTracker, due: Due, input: Input) {
        let Some(turn) = self.under_way.begin(Lane::Due(due)) else {
            return;
        };
        let this = Arc::clone(self);
        tasks.spawn(async move {
            // What is not taken now is still due later.
            let _ = this.handle.submit_waiting(input).await;
            drop(turn);
        });
    }

    async fn look_up(
        &self,
        id: &MachineId,
        number: u32,
        account: &Account,
        question: &Question,
        first: bool,
    ) {
        let scope = id.scope();
        let sent = self.handle.clock().now();
        let answer = account.ask(question, scope.account()).await;
        account.heard(&answer, self.handle.clock().now());
        let mut outcome = answer.outcome();
        if let Answer::Done(object) = &answer {
            let unpaid =
                matches!(question, Question::FirstInvoice(_)) && object["status"] != "paid";
            // That it is not paid yet is told once.
            let told = if unpaid && !first {
                Ok(())
            } else {
                self.said(scope, object).await
            };
            outcome = match told {
                Ok(()) if unpaid => Outcome::Again {
                    after: None,
                    why: "the invoice is not paid yet".to_owned(),
                },
                Ok(()) => outcome,
                Err(why) => Outcome::Refused {
                    why,
                    service_wide: false,
                },
            };
        }
        tally::action("stripe", scope.source(), "look_up", &outcome);
        tell(&id.to_string(), scope, &outcome, account);
        self.hand_in(|| Input::Outcome {
            machine: id.clone(),
            action: number,
            outcome: outcome.clone(),
            sent,
        })
        .await;
    }

    pub(super) fn begin_search(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        scope: &Scope,
        name: &str,
        now: Timestamp,
    ) -> Result<Entry, RecordError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        let due = Due::Search(scope.clone(), name.clone());
        if self.services.stripe(scope.source()).is_none() {
            let outcome = Outcome::Refused {
                why: "the source has no `api_key`".to_owned(),
                service_wide: false,
            };
            self.drop_entry(
                tasks,
                due,
                Input::Searched {
                    scope,
                    name,
                    outcome,
                },
            );
            return Ok(Entry::Settled);
        }
        let Some(Start { account, held }) = self.start(&scope, due, now) else {
            return Ok(Entry::Waits);
        };
        let fact = query::waiting(self.handle.reader(), &scope, &name)?;
        if fact.is_some() && !account.may_begin(now) {
            return Ok(Entry::Waits);
        }
        let this = Arc::clone(self);
        tasks.spawn(async move {
            this.unless_over(async {
                let outcome = match &fact {
                    Some(fact) => {
                        let answer = account.links(fact, scope.account()).await;
                        account.heard(&answer, this.handle.clock().now());
                        let outcome = answer.outcome();
                        for object in answer.done::<()>().into_iter().flatten() {
                            // What says nothing links nothing; the next look may find more.
                            if let Err(why) = this.said(&scope, &object).await {
                                tracing::debug!(name, "a looked-up object is of no use: {why}");
                            }
                        }
                        outcome
                    }
                    // It was claimed meanwhile: the engine drops the search.
                    None => Outcome::Answered,
                };
                tally::action("stripe", scope.source(), "search", &outcome);
                tell(&name, &scope, &outcome, &account);
                let (scope, name, outcome) = (&scope, &name, &outcome);
                let input = || Input::Searched {
                    scope: scope.clone(),
                    name: name.clone(),
                    outcome: outcome.clone(),
                };
                this.hand_in(input).await;
            })
            .await;
            drop(held);
            this.freed.notify_one();
        });
        Ok(Entry::Settled)
    }

    /// Hands in what Stripe said.
    async fn said(&self, scope: &Scope, object: &Value) -> Result<(), String> {
        let text = object.to_string();
        let now = self.handle.clock().now();
        let read = |raw| lookup::delivery(text.as_bytes(), scope, now, raw);
        let delivery: Delivery = read(body_codec::pack(text.as_bytes()))?;
        match self
            .hand_in(|| Input::Delivery(Box::new(delivery.clone())))
            .await
        {
            Some(Receipt::Ignored(why)) => Err(why),
            Some(_) => Ok(()),
            None => Err("the engine did not take it".to_owned()),
        }
    }
}

/// Tells the operator of refusals, once each, where they are handled; that of the key is told by whoever watches the services.
fn tell(about: &str, scope: &Scope, outcome: &Outcome, account: &Account) {
    let source = scope.source();
    match outcome {
        Outcome::Refused {
            why,
            service_wide: true,
        } if account.breaker.health().condition == Condition::Refusing => {
            tracing::debug!(source.name = %source, about, "Stripe refuses our questions: {why}");
        }
        Outcome::Refused {
            why,
            service_wide: true,
        } => {
            tracing::error!(source.name = %source, about, "Stripe refuses our questions: {why}; nothing is lost, the look-ups wait. Mend `api_key` of the source, then restart");
        }
        Outcome::Refused {
            why,
            service_wide: false,
        } => {
            tracing::error!(source.name = %source, about, "a look-up at Stripe came to nothing: {why}. Where something is missing there, the `api_key` may be of the other mode");
        }
        Outcome::Again { why, .. } => {
            tracing::debug!(source.name = %source, about, "Stripe did not answer: {why}")
        }
        Outcome::Answered
        | Outcome::Done(_)
        | Outcome::Unknown { .. }
        | Outcome::Absent { .. }
        | Outcome::Gone => {}
    }
}
