//! Mails: a notice that is due, its letter sent, and what came of it handed in.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{Dispatcher, Entry, Lane};
use crate::domain::id::MachineId;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::Timestamp;
use crate::effects::post;
use crate::effects::throttle::Gate;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::RecordError;

impl Dispatcher {
    /// How many mails could begin now.
    pub(super) fn free_to_mail(&self, now: Timestamp) -> usize {
        let mut servers = self
            .services
            .mail_services()
            .into_iter()
            .map(|(_, mail)| mail);
        let is_open = servers.any(|mail| mail.mailer.is_on() && !mail.breaker.is_shut(now));
        if is_open {
            self.mails.available_permits()
        } else {
            0
        }
    }

    pub(super) fn begin_mail(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        id: &MachineId,
        number: u32,
        now: Timestamp,
    ) -> Result<Entry, RecordError> {
        let Some(mail) = self.services.mail(id.source()).cloned() else {
            return Ok(Entry::Settled);
        };
        if mail.breaker.is_shut(now) {
            return Ok(Entry::Waits);
        }
        let Ok(permit) = Arc::clone(&self.mails).try_acquire_owned() else {
            return Ok(Entry::Waits);
        };
        let Some(turn) = self.under_way.begin(Lane::Mail(id.clone())) else {
            return Ok(Entry::Waits);
        };
        let Some(machine) = view::machine(self.handle.reader(), id)? else {
            return Ok(Entry::Settled);
        };
        let open = machine
            .notices
            .iter()
            .find(|n| n.id == number && n.status == NoticeStatus::Pending)
            .cloned();
        let Some(notice) = open else {
            return Ok(Entry::Settled);
        };
        if mail.breaker.ask(now) != Gate::Go {
            return Ok(Entry::Waits);
        }
        let (this, id) = (Arc::clone(self), id.clone());
        tasks.spawn(async move {
            this.unless_over(async {
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
                        tracing::error!(machine.id = %id, %error, "a mail could not be written")
                    }
                }
            })
            .await;
            drop((permit, turn));
            this.freed.notify_one();
        });
        Ok(Entry::Settled)
    }
}
