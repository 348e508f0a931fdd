//! Queries at Stripe: what a machine asks, and the search for what a parked name belongs to. What was answered comes in as
//! a delivery of its own, then the work hears what came of it.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::queues::Entry;
use super::{Begun, Dispatcher, FULL_WAIT};
use crate::clock::pause;
use crate::domain::action::{Action, ActionOutcome, Outcome, Question, RefusalScope};
use crate::domain::fact::Fact;
use crate::domain::id::{MachineId, Scope};
use crate::domain::time::Timestamp;
use crate::effects::stripe::{Account, Answer};
use crate::effects::tally;
use crate::effects::throttle::{CallResult, Condition, Gate};
use crate::engine::SubmitError;
use crate::engine::input::{Delivery, Input, Receipt};
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::engine::record::body_codec;
use crate::engine::route::parked_query;
use crate::sources::stripe::query_answer;

impl Dispatcher {
    /// A place at an account that answers. What has it counts as under way until the account has heard what came of it.
    fn ask_account(account: &Account, now: Timestamp) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&account.places).try_acquire_owned().ok()?;
        (account.breaker.ask(now) == Gate::Go).then_some(permit)
    }

    pub(super) fn begin_query(
        self: &Arc<Self>,
        entry: &Entry,
        id: &MachineId,
        number: u32,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let Some(account) = self.services.stripe(id.source()).map(Arc::clone) else {
            // Its key was taken away: looked at anew, the machine asks nothing more.
            let machine = id.clone();
            return Ok(self.drop_entry(entry, Input::WakeUp { machine }));
        };
        let Some(permit) = Self::ask_account(&account, now) else {
            return Ok(Begun::Blocked);
        };
        let not_asked = || account.breaker.record(CallResult::Unsent, now, String::new);
        let machine = view::machine(self.handle.reader(), id).inspect_err(|_| not_asked())?;
        let open = machine.as_ref().and_then(|machine| {
            let stands =
                |a: &&Action| a.id == number && a.outcome == ActionOutcome::Pending && a.due <= now;
            machine.actions.iter().find(stands)
        });
        let Some((question, first)) =
            open.and_then(|a| Some((a.act.question()?.clone(), a.attempts == 0)))
        else {
            not_asked();
            return Ok(Begun::Settled);
        };
        let (this, id) = (Arc::clone(self), id.clone());
        self.spawn(self.running(entry, None), async move {
            this.query(&id, number, &account, &question, first).await;
            drop(permit);
        });
        Ok(Begun::Running)
    }

    /// Hands in what takes an entry away that nobody will ever work off.
    fn drop_entry(self: &Arc<Self>, entry: &Entry, input: Input) -> Begun {
        let this = Arc::clone(self);
        self.spawn(self.running(entry, None), async move {
            match this.handle.submit_waiting(input).await {
                Ok(_) | Err(SubmitError::Stopped) => {}
                // What is not taken now is due still; asking at once is of no use.
                Err(SubmitError::Busy) => pause(FULL_WAIT).await,
                Err(SubmitError::TooLarge | SubmitError::Unreadable) => this.leave().await,
            }
        });
        Begun::Running
    }

    async fn query(
        &self,
        id: &MachineId,
        number: u32,
        account: &Account,
        question: &Question,
        first: bool,
    ) {
        let scope = id.scope();
        let sent = self.handle.clock().now();
        let Some(answer) = self
            .unless_stopped(account.ask(question, scope.account()))
            .await
        else {
            return;
        };
        account.record(&answer, self.handle.clock().now());
        let mut outcome = answer.outcome();
        if let Answer::Done(object) = &answer {
            let unpaid =
                matches!(question, Question::FirstInvoice(_)) && object["status"] != "paid";
            // That it is not paid yet is told once.
            let submitted = if unpaid && !first {
                Ok(())
            } else {
                self.submit_answer(scope, object).await
            };
            outcome = match submitted {
                Ok(()) if unpaid => Outcome::Again {
                    after: None,
                    why: "the invoice is not paid yet".to_owned(),
                },
                Ok(()) => outcome,
                Err(why) => Outcome::Refused {
                    why,
                    scope: RefusalScope::Action,
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

    pub(super) fn begin_parked_query(
        self: &Arc<Self>,
        entry: &Entry,
        scope: Scope,
        name: String,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let searched = |scope, name, outcome| Input::ParkedQueryDone {
            scope,
            name,
            outcome,
        };
        let Some(account) = self.services.stripe(scope.source()).map(Arc::clone) else {
            let outcome = Outcome::Refused {
                why: "the source has no `api_key`".to_owned(),
                scope: RefusalScope::Action,
            };
            return Ok(self.drop_entry(entry, searched(scope, name, outcome)));
        };
        let Some(fact) = parked_query::waiting(self.handle.reader(), &scope, &name)? else {
            // It was claimed meanwhile: the engine drops the search.
            return Ok(self.drop_entry(entry, searched(scope, name, Outcome::Answered)));
        };
        let Some(permit) = Self::ask_account(&account, now) else {
            return Ok(Begun::Blocked);
        };
        let this = Arc::clone(self);
        self.spawn(self.running(entry, None), async move {
            if let Some(outcome) = this.search(&account, &fact, &scope, &name).await {
                this.hand_in(|| searched(scope.clone(), name.clone(), outcome.clone()))
                    .await;
            }
            drop(permit);
        });
        Ok(Begun::Running)
    }

    /// Looks for what a parked fact belongs to, and hands in what links it.
    async fn search(
        &self,
        account: &Account,
        fact: &Fact,
        scope: &Scope,
        name: &str,
    ) -> Option<Outcome> {
        let links = account.links(fact, scope.account());
        let answer = self.unless_stopped(links).await?;
        account.record(&answer, self.handle.clock().now());
        let outcome = answer.outcome();
        for object in answer.done::<()>().into_iter().flatten() {
            // What says nothing links nothing; the next look may find more.
            if let Err(why) = self.submit_answer(scope, &object).await {
                tracing::debug!(name, "a looked-up object is of no use: {why}");
            }
        }
        tally::action("stripe", scope.source(), "search", &outcome);
        tell(name, scope, &outcome, account);
        Some(outcome)
    }

    /// An answer to a question that changes nothing; `None`: the order to stop came first, and it is asked at the next start.
    async fn unless_stopped<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = asked => Some(answer),
            () = self.stop.cancelled() => None,
        }
    }

    /// Submits an object that Stripe's API returned, as a delivery.
    async fn submit_answer(&self, scope: &Scope, object: &Value) -> Result<(), String> {
        let text = object.to_string();
        let now = self.handle.clock().now();
        let read = |raw| query_answer::delivery(text.as_bytes(), scope, now, raw);
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
            scope: RefusalScope::Service,
        } if account.breaker.health().condition == Condition::Refusing => {
            tracing::debug!(source.name = %source, about, "Stripe refuses our questions: {why}");
        }
        Outcome::Refused {
            why,
            scope: RefusalScope::Service,
        } => {
            tracing::error!(source.name = %source, about, "Stripe refuses our questions: {why}; nothing is lost, the look-ups wait. Mend `api_key` of the source, then restart");
        }
        Outcome::Refused {
            why,
            scope: RefusalScope::Action | RefusalScope::Access,
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
        | Outcome::Gone
        | Outcome::NoEffect { .. }
        | Outcome::ByHand { .. } => {}
    }
}
