//! What comes before a create is sent: its attempt is on disk, and nobody else can have sent it.

use super::{Dispatcher, FULL_WAIT, LicenseService};
use crate::clock::pause;
use crate::domain::action::Action;
use crate::domain::machine::Machine;
use crate::domain::service_move::elsewhere;
use crate::effects::execute::CallKind;
use crate::engine::SubmitError;
use crate::engine::input::{Input, Receipt, Version};

impl Dispatcher {
    /// Whether a create may be sent now. `read`: the version of the machine that it was read from.
    ///
    /// # Errors
    /// When the engine refuses it for good: nothing about this machine can be written down.
    pub(super) async fn attempt(
        &self,
        machine: &Machine,
        action: &Action,
        read: Version,
        service: &LicenseService,
    ) -> Result<bool, SubmitError> {
        let id = machine.id.clone();
        // Another copy of this store may have sent it, or it was decided for another license service: looked at anew, its
        // machine has it looked for first, or held.
        let doubtful =
            self.handle.is_doubtful(action) || elsewhere(machine, action, service.name).is_some();
        let input = if doubtful {
            Input::WakeUp { machine: id }
        } else {
            // On disk before it is sent: after a crash exactly the creates that may have acted are known.
            Input::Attempt {
                machine: id,
                action: action.id,
                read,
            }
        };
        let submitted = self.handle.submit_waiting(input).await;
        if submitted == Ok(Receipt::Done) && !doubtful {
            return Ok(true);
        }
        service.not_sent(CallKind::Create, self.handle.clock().now());
        match submitted {
            // Nothing can be written, or an attempt of which nobody could write down what came stands in the way: it is still
            // due, but there is no use in asking at once.
            Err(SubmitError::Busy) | Ok(Receipt::Unknown) => {
                pause(FULL_WAIT).await;
                Ok(false)
            }
            Ok(_) | Err(SubmitError::Stopped) => Ok(false),
            Err(refused @ (SubmitError::TooLarge | SubmitError::Unreadable)) => Err(refused),
        }
    }
}
