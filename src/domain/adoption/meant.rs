//! A key that may be meant for a purchase, though nothing says so for certain.

use std::fmt::{self, Write};

use minicbor::{Decode, Encode};

use crate::domain::action::{Act, Action, ActionOutcome};
use crate::domain::hold::Hold;
use crate::domain::id::LicenseKey;
use crate::domain::machine::Machine;
use crate::domain::words::{Sentence, sentences};

sentences!(KeyEnd, Meant);

/// The last four characters of a key: they tell it from others, and are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeyEnd(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 4],
);

impl KeyEnd {
    /// That of a key; `None`: it is of another form than keys are.
    #[must_use]
    pub fn of(key: &LicenseKey) -> Option<Self> {
        let key = key.reveal();
        let end = key.as_bytes().last_chunk::<4>();
        end.filter(|end| end.is_ascii()).map(|end| Self(*end))
    }
}

impl Sentence for KeyEnd {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('…')?;
        self.0.iter().try_for_each(|b| f.write_char(char::from(*b)))
    }
}

/// Why a person should look before a key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant(KeyEnd);

impl Sentence for Meant {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key {} may be meant for it: name it in a table and `keyward adopt --csv` it, or approve this action by its ID",
            self.0
        )
    }
}

/// Whether an action that adoption holds would make a key for a purchase that may have one.
#[must_use]
pub fn may_have_key(machine: &Machine, action: &Action) -> Option<Meant> {
    let makes = matches!(action.act, Act::Create { .. }) && machine.grants.is_empty();
    let is_held = action.outcome == ActionOutcome::Held && action.held == Some(Hold::Adoption);
    machine.meant.filter(|_| makes && is_held).map(Meant)
}
