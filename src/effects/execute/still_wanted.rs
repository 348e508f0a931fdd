//! What takes a license away is judged once more when its turn has come: it may have waited, and what it was decided by may
//! hold no longer.

use super::{ActionExecutor, CallKind};
use crate::clock::pause;
use crate::domain::action::{Action, ActionOutcome};
use crate::domain::guard::is_hurtful;
use crate::domain::machine::Machine;
use crate::domain::service_move::elsewhere;
use crate::domain::time::Span;
use crate::engine::SubmitError;
use crate::engine::input::{Input, Receipt};
use crate::engine::read::view;

/// How long it waits before it asks an engine again that has no room on its disk.
const FULL_WAIT: Span = Span::from_s(1);

impl ActionExecutor<'_> {
    /// Whether an action may still be sent. RecoverRequest only of what takes a license or time of it, and while something holds work
    /// back: an order of the shop's, or time that cannot be trusted. One that may not is not counted as tried.
    pub(super) async fn is_still_wanted(&self, machine: &Machine, action: &Action) -> bool {
        if !is_hurtful(machine, action, self.now()) || !self.handle.holds_back() {
            return true;
        }
        let woken = self.wake_up(machine).await;
        let kept = view::machine(self.handle.reader(), &machine.id);
        let stands = |a: &Action| {
            a.id == action.id && a.outcome == ActionOutcome::Pending && a.act == action.act
        };
        let stands = |m: Machine| m.held.is_none() && m.actions.iter().any(stands);
        if woken.is_ok() && kept.ok().flatten().is_some_and(stands) {
            return true;
        }
        self.unsent(action, woken).await;
        false
    }

    /// Whether an action belongs to another license service than this one. Then it is not sent, and its machine holds it.
    pub(super) async fn is_elsewhere(&self, machine: &Machine, action: &Action) -> bool {
        if elsewhere(machine, action, self.service.name).is_none() {
            return false;
        }
        let woken = self.wake_up(machine).await;
        self.unsent(action, woken).await;
        true
    }

    async fn wake_up(&self, machine: &Machine) -> Result<Receipt, SubmitError> {
        let machine = machine.id.clone();
        self.handle.submit_waiting(Input::WakeUp { machine }).await
    }

    /// Gives the turn of an action back that was let through.
    async fn unsent(&self, action: &Action, woken: Result<Receipt, SubmitError>) {
        self.service.not_sent(CallKind::of(action), self.now());
        if woken.is_err() {
            pause(FULL_WAIT).await;
        }
    }
}
