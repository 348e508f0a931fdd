//! Creates that are taken up by the commit that decides them: their attempts are on disk when they come here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Dispatcher, Lane, Place, Turn};
use crate::domain::action::Action;
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::effects::throttle::Gate;
use crate::engine::taker::{Taken, Taker};

/// The dispatcher at the engine's side, until this is dropped.
pub(super) struct Taking(Arc<Dispatcher>);

impl Taking {
    pub(super) fn begin(
        dispatcher: &Arc<Dispatcher>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (tasks, stop) = (tasks.clone(), stop.clone());
        let side = Side {
            dispatcher: Arc::clone(dispatcher),
            tasks,
            stop,
            runtime: Runtime::current(),
        };
        dispatcher.handle.set_taker(Some(Arc::new(side)));
        Self(Arc::clone(dispatcher))
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.0.handle.set_taker(None);
    }
}

struct Side {
    dispatcher: Arc<Dispatcher>,
    tasks: TaskTracker,
    stop: CancellationToken,
    runtime: Runtime,
}

impl Taker for Side {
    fn take(
        &self,
        machine: &Arc<Machine>,
        action: &Action,
        now: Timestamp,
    ) -> Option<Box<dyn Taken>> {
        let dispatcher = &self.dispatcher;
        let others_wait = dispatcher.behind.load(Ordering::Relaxed)
            || dispatcher.waiting.load(Ordering::Relaxed) > 0;
        if others_wait || self.stop.is_cancelled() {
            return None;
        }
        let place = dispatcher.place(&machine.id, action.id, now).ok()?;
        let license = dispatcher
            .under_way
            .begin(Lane::License(machine.id.clone(), action.license))?;
        if place.service.gate(action, now) != Gate::Go {
            return None;
        }
        Some(Box::new(Create {
            dispatcher: Arc::clone(dispatcher),
            machine: Arc::clone(machine),
            action: action.clone(),
            held: Some((place, license)),
            runtime: self.runtime.clone(),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
            _token: self.tasks.token(),
        }))
    }
}

/// A create whose attempt is being written.
struct Create {
    dispatcher: Arc<Dispatcher>,
    machine: Arc<Machine>,
    action: Action,
    /// `None` once it has begun.
    held: Option<(Place, Turn)>,
    runtime: Runtime,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// While this lives the dispatcher does not end.
    _token: TaskTrackerToken,
}

impl Taken for Create {
    fn is(&self, machine: &MachineId, action: u32) -> bool {
        self.action.id == action && self.machine.id == *machine
    }

    fn begin(mut self: Box<Self>) {
        // An attempt that is not sent any more is looked after at the next start.
        let Some((place, license)) = self.held.take_if(|_| !self.stop.is_cancelled()) else {
            return;
        };
        let (machine, action) = (Arc::clone(&self.machine), self.action.clone());
        let work = Arc::clone(&self.dispatcher).see_to(machine, None, action, place, license);
        self.tasks.spawn_on(Box::pin(work), &self.runtime);
    }
}

impl Drop for Create {
    fn drop(&mut self) {
        if let Some((place, _)) = &self.held {
            place
                .service
                .not_sent(&self.action, self.dispatcher.handle.clock().now());
        }
    }
}
