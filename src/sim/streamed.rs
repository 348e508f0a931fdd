//! Replay's answer, written while the history is played.

use std::cell::RefCell;

use serde::ser::{Error as _, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::answer::EventOutcome;
use super::replay::Replay;

/// The same as an [`ReplayReport`](super::answer::ReplayReport), of a history that is played while it is written: it is never held as a whole.
#[derive(Clone, Copy)]
pub struct StreamedReport<'r>(pub &'r Replay);

impl Serialize for StreamedReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(replay) = *self;
        let machines = MachinesTold {
            replay,
            events: RefCell::default(),
        };
        let mut answer = serializer.serialize_struct("Answer", 5)?;
        answer.serialize_field("until", &replay.until())?;
        answer.serialize_field("machines", &machines)?;
        let events = machines.events.into_inner();
        let parked = |event: &EventOutcome| matches!(event, EventOutcome::Parked(_));
        let ignored = |event: &EventOutcome| matches!(event, EventOutcome::Ignored(_));
        let applied = |event: &EventOutcome| matches!(event, EventOutcome::Applied(_));
        answer.serialize_field("parked", &Listed(&events, parked))?;
        answer.serialize_field("ignored", &Listed(&events, ignored))?;
        answer.serialize_field("applied", &Listed(&events, applied))?;
        answer.end()
    }
}

/// Machines that are written as they are played.
struct MachinesTold<'r> {
    replay: &'r Replay,
    /// What became of the events, when all are played.
    events: RefCell<Vec<EventOutcome>>,
}

impl Serialize for MachinesTold<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut failed = None;
        let events = self.replay.play(&mut |machine| {
            failed = list.serialize_element(&machine).err();
            failed.is_none()
        });
        *self.events.borrow_mut() = events.map_err(S::Error::custom)?;
        failed.map_or_else(|| list.end(), Err)
    }
}

/// Events of one kind.
struct Listed<'e, F>(&'e [EventOutcome], F);

impl<F: Fn(&EventOutcome) -> bool> Serialize for Listed<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(events, of_this_kind) = self;
        serializer.collect_seq(events.iter().filter(|event| of_this_kind(event)))
    }
}
