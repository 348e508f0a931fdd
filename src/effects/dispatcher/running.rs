//! What is under way: each task holds a [`Running`], whose end, however it comes, is told to the dispatcher's loop.

use tokio::sync::mpsc::UnboundedSender;

use super::queues::{Entry, Exclusive};

/// An entry that is under way until this is dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Running {
    entry: Entry,
    exclusive: Option<Exclusive>,
    ended: UnboundedSender<Ended>,
}

/// An entry that is no longer under way.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) entry: Entry,
    pub(super) exclusive: Option<Exclusive>,
}

impl Running {
    /// An entry that begins, with what it alone may have.
    pub(super) const fn new(
        entry: Entry,
        exclusive: Option<Exclusive>,
        ended: UnboundedSender<Ended>,
    ) -> Self {
        Self {
            entry,
            exclusive,
            ended,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (entry, exclusive) = (std::mem::take(&mut self.entry), self.exclusive.take());
        // Where nobody listens any more, the process ends.
        let _ = self.ended.send(Ended { entry, exclusive });
    }
}
