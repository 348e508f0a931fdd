//! What comes before a create is sent: its attempt is on disk, and nobody else can have sent it.

use std::sync::atomic::Ordering;

use super::{Dispatcher, LicenseService};
use crate::domain::action::Action;
use crate::domain::machine::Machine;
use crate::engine::input::{Input, Receipt, Version};

impl Dispatcher {
    /// Whether a create may be sent now. `read`: the version of the machine that it was read from.
    pub(super) async fn attempt(
        &self,
        machine: &Machine,
        action: &Action,
        read: Version,
        service: &LicenseService,
    ) -> bool {
        let id = machine.id.clone();
        let doubtful = self.handle.is_doubtful(action);
        let input = if doubtful {
            // Another copy of this store may have sent it: looked at anew, its machine has it looked for first.
            Input::WakeUp { machine: id }
        } else {
            // On disk before it is sent: after a crash exactly the creates that may have acted are known.
            Input::Attempt {
                machine: id,
                action: action.id,
                read,
            }
        };
        if self.handle.submit_waiting(input).await == Ok(Receipt::Done) && !doubtful {
            return true;
        }
        // It is no longer wanted, or nothing can be written: then it is still due.
        self.behind.store(true, Ordering::Relaxed);
        service.not_sent(action, self.handle.clock().now());
        false
    }
}
