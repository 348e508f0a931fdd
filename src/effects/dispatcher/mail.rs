//! Mails: a notice that is due, its letter sent, and what came of it handed in.

use std::sync::Arc;

use super::queues::{Entry, Exclusive, Queues};
use super::{Begun, Dispatcher};
use crate::domain::id::MachineId;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::Timestamp;
use crate::effects::post;
use crate::effects::throttle::{CallResult, Gate};
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::RecordError;

impl Dispatcher {
    pub(super) fn begin_mail(
        self: &Arc<Self>,
        queues: &mut Queues,
        entry: &Entry,
        id: &MachineId,
        number: u32,
        now: Timestamp,
    ) -> Result<Begun, RecordError> {
        let Some(mail) = self.services.mail(id.source()).cloned() else {
            return Ok(Begun::Settled);
        };
        let Ok(permit) = Arc::clone(&self.mails).try_acquire_owned() else {
            return Ok(Begun::Blocked);
        };
        // Asked before the machine is read: a server that takes nothing costs nothing.
        if mail.breaker.ask(now) != Gate::Go {
            return Ok(Begun::Blocked);
        }
        let not_sent = || mail.breaker.record(CallResult::Unsent, now, String::new);
        let machine = view::machine(self.handle.reader(), id).inspect_err(|_| not_sent())?;
        let notice = machine.as_ref().and_then(|machine| {
            let mut notices = machine.notices.iter();
            notices.find(|n| n.id == number && n.status == NoticeStatus::Pending)
        });
        let Some((notice, machine)) = notice.cloned().zip(machine) else {
            not_sent();
            return Ok(Begun::Settled);
        };
        let mails = Exclusive::Mail(id.clone());
        if !queues.claim(&mails, entry) {
            not_sent();
            return Ok(Begun::Waits);
        }
        let (this, id) = (Arc::clone(self), id.clone());
        let sends = Box::pin(async move {
            match post::send(&this.handle, &this.services, &mail, &machine, &notice).await {
                Ok(mailed) => {
                    let input = || Input::Mailed {
                        machine: id.clone(),
                        notice: number,
                        mailed: mailed.clone(),
                    };
                    this.hand_in(input).await;
                }
                Err(error) => {
                    tracing::error!(machine.id = %id, %error, "a mail could not be written");
                    drop(permit);
                    return this.leave().await;
                }
            }
            drop(permit);
        });
        self.spawn(self.running(entry, Some(mails)), sends);
        Ok(Begun::Running)
    }
}
