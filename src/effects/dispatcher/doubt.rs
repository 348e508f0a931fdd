//! Creates that another copy of this store may have sent: they are looked for before they are.

use std::sync::atomic::Ordering;

use super::{Dispatcher, LicenseService};
use crate::domain::action::Action;
use crate::domain::machine::Machine;
use crate::engine::input::Input;

impl Dispatcher {
    /// Whether a create may have been sent by another copy of this store. Looked at anew, its machine has it looked for
    /// first.
    pub(super) async fn is_doubtful(&self, machine: &Machine, action: &Action, service: &LicenseService) -> bool {
        if !self.handle.is_doubtful(action) {
            return false;
        }
        service.not_sent(action, self.handle.clock().now());
        // What is not taken now is still due, and looked at again.
        let _ = self.handle.submit_waiting(Input::WakeUp { machine: machine.id.clone() }).await;
        self.behind.store(true, Ordering::Relaxed);
        true
    }
}
