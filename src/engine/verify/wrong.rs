//! What can be wrong with what is stored, and the writes that put it right.

use std::fmt;

use crate::domain::id::MachineId;

/// A key, and what it should hold; `None`: nothing.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A record cannot be read.
    Unreadable {
        /// Its key.
        key: Vec<u8>,
        /// Why it cannot be read.
        why: String,
    },
    /// The facts of a machine lead to something else than its record says.
    Differs(MachineId),
    /// An entry of an index is not there.
    Missing {
        /// The record that it should lead to.
        key: Vec<u8>,
        /// The entry's key.
        entry: Vec<u8>,
        /// What it should hold.
        value: Vec<u8>,
    },
    /// An entry of an index leads to nothing.
    Stray {
        /// The entry's key.
        entry: Vec<u8>,
    },
    /// An event is kept as part of a machine that does not know it.
    Lost {
        /// The event's key.
        key: Vec<u8>,
        /// The machine.
        machine: MachineId,
    },
    /// An event is kept as waiting, and what it says is not.
    NotWaiting {
        /// The event's key.
        key: Vec<u8>,
    },
    /// No table of this program begins so.
    Unknown {
        /// The key.
        key: Vec<u8>,
    },
}

impl Wrong {
    /// The word for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::Differs(_) => "differs",
            Self::Missing { .. } => "missing",
            Self::Stray { .. } => "stray",
            Self::Lost { .. } => "lost",
            Self::NotWaiting { .. } => "not_waiting",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The key by which it was found.
    pub(super) fn found_at(&self) -> &[u8] {
        match self {
            Self::Unreadable { key, .. }
            | Self::Missing { key, .. }
            | Self::Lost { key, .. }
            | Self::NotWaiting { key }
            | Self::Unknown { key } => key,
            Self::Stray { entry } => entry,
            Self::Differs(_) => &[],
        }
    }

    /// The writes that put it right; none: another way is needed, or a person.
    pub(super) fn mended(&self) -> Vec<Write> {
        match self {
            Self::Missing { entry, value, .. } => vec![(entry.clone(), Some(value.clone()))],
            Self::Stray { entry } => vec![(entry.clone(), None)],
            Self::Unreadable { .. }
            | Self::Differs(_)
            | Self::Lost { .. }
            | Self::NotWaiting { .. }
            | Self::Unknown { .. } => Vec::new(),
        }
    }
}

/// A key as people can read it: its instants and numbers are left out.
pub(super) fn shown(key: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(key)
        .chars()
        .map(|c| if c == '\0' { ' ' } else { c })
        .filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER)
        .collect();
    text.trim().to_owned()
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { key, why } => {
                write!(f, "the record {} cannot be read: {why}", shown(key))
            }
            Self::Differs(machine) => {
                write!(
                    f,
                    "{machine}: its facts lead to something else than its record"
                )
            }
            Self::Missing { key, entry, .. } => {
                write!(f, "{}: its entry {} is missing", shown(key), shown(entry))
            }
            Self::Stray { entry } => write!(f, "the entry {} leads to nothing", shown(entry)),
            Self::Lost { key, machine } => {
                write!(f, "the event {} is not part of {machine}", shown(key))
            }
            Self::NotWaiting { key } => {
                write!(f, "the event {} waits, and its fact does not", shown(key))
            }
            Self::Unknown { key } => write!(f, "no table has the key {}", hex::encode(key)),
        }
    }
}
