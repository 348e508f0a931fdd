//! What an action would change, beside what the license service was last seen to have: for whoever is asked for a yes.

use std::fmt;

use super::action::{Act, Action, GrantStatus, NewLicense};
use super::machine::{Grant, Machine};
use super::time::Timestamp;
use super::words::{Sentence, sentences};

sentences!(Change<'_>);

/// What an action would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    act: &'a Act,
    /// The license, as its service was last seen to have it.
    has: Option<&'a Grant>,
}

impl<'a> Change<'a> {
    /// That of an action at the license service; `None`: it only asks.
    #[must_use]
    pub fn of(machine: &'a Machine, action: &'a Action) -> Option<Self> {
        let act = &action.act;
        let changes = !matches!(act, Act::Read { .. } | Act::Query(_));
        let key = act.key();
        changes.then(|| Self {
            act,
            has: machine.grants.iter().find(|g| Some(&g.key) == key),
        })
    }
}

impl Sentence for Change<'_> {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.act {
            Act::Create(new) => made(new, f),
            Act::Recover(_) => {
                f.write_str("the license that others made, if there is one, should end")
            }
            Act::SetExpiry { until, .. } => end(*until, f),
            Act::Reinstate { until, .. } => {
                f.write_str("works again ")?;
                end(*until, f)
            }
            Act::Suspend { .. } => f.write_str("suspended"),
            Act::Revoke { .. } => f.write_str("revoked"),
            Act::SetDevices { devices, .. } => write!(f, "{}", devices),
            Act::ResetDevices { device: None, .. } => f.write_str("its devices are forgotten"),
            Act::ResetDevices {
                device: Some(_), ..
            } => f.write_str("one device is forgotten"),
            // They change nothing.
            Act::Read { .. } | Act::Query(_) => Ok(()),
        }?;
        self.has.map_or(Ok(()), |has| was(has, self.act, f))
    }
}

fn made(new: &NewLicense, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("a license")?;
    if let Some(plan) = &new.plan {
        write!(f, " of the plan {plan}")?;
    }
    f.write_str(" ")?;
    end(new.expires_at, f)
}

/// An end as people read it.
fn end(until: Option<Timestamp>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match until {
        Some(at) => write!(f, "until {at}"),
        None => f.write_str("for life"),
    }
}

/// What there is instead.
fn was(has: &Grant, act: &Act, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if matches!(act, Act::SetDevices { .. }) {
        return write!(f, ", is for {}", has.devices);
    }
    f.write_str(match has.status {
        GrantStatus::Live => ", is ",
        GrantStatus::Suspended => ", is suspended, ",
        GrantStatus::Revoked => return f.write_str(", is revoked"),
    })?;
    end(has.expires_at, f)
}
