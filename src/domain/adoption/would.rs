//! What would be done about a purchase, in a sentence for the vendor.

use std::fmt;

use super::class::{Class, Judged, Waits};
use super::remark::Remark;
use super::repair::{Repair, Unrepaired};
use crate::domain::words::{Sentence, sentences};

sentences!(Judged, Waits, Repair);

/// An audit changes nothing by itself: what its `--repair` would do, or who must.
fn repaired(
    judged: &Judged,
    repair: Result<Repair, Unrepaired>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let class = judged.class;
    match repair {
        Ok(repair) => {
            write!(f, "nothing by itself; `--repair {class}` {repair}")?;
            if class.takes() {
                f.write_str("; the guard counts it")?;
            }
            Ok(())
        }
        Err(Unrepaired::Adopt) => f.write_str("nothing: it is not known here; `keyward adopt` takes it in first"),
        Err(Unrepaired::Newer) => f.write_str(
            "nothing: the customer has a newer live subscription, and the old one's license is not touched beside it",
        ),
        Err(Unrepaired::Person) if class == Class::TwoKeys => f.write_str(
            "nothing: only you can know which key the customer uses; revoke the other one at the license service",
        ),
        Err(Unrepaired::Person) if judged.remark == Some(Remark::SharedLabel) => write!(
            f,
            "nothing: the label of {} fits other purchases, too; name it in a table and `keyward adopt --csv` it",
            judged.key_meant()
        ),
        Err(Unrepaired::Person) => write!(
            f,
            "nothing: {} with the customer's e-mail address may be meant; name it in a table and `keyward adopt --csv` it",
            judged.key_meant()
        ),
        Err(Unrepaired::Nothing) => f.write_str("nothing: it is as it should be"),
    }
}

impl Sentence for Repair {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reads the key again, and what it lacks is set",
            Self::Retry => "tries what waits for your yes or was refused",
            Self::Hear => "takes in what Stripe tells and was never delivered here",
            Self::Rekey => {
                "reads the old key once more; where that is revoked, makes a new one and mails it"
            }
        })
    }
}

impl Judged {
    /// What the key is called that may be meant.
    fn key_meant(&self) -> String {
        self.meant
            .map_or_else(|| "one".to_owned(), |end| format!("the key {end}"))
    }

    /// What is said of one that may have a key.
    fn suggested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key_meant();
        if self.remark == Some(Remark::SharedLabel) {
            return write!(
                f,
                "take the purchase in without a key; the label of {key} fits other purchases, too: name it in a table"
            );
        }
        write!(
            f,
            "take the purchase in without a key; {key} with the customer's e-mail address may be meant: name it in a table"
        )
    }

    /// What is said of one that is known.
    fn known(&self) -> &'static str {
        match self.remark {
            Some(Remark::OfAccount) => {
                "nothing: it is known here as a connected account's, whose lists are not read"
            }
            Some(Remark::EndGivenUp) => {
                "nothing: its key works though it should not, and a person gave its ending up"
            }
            Some(Remark::NotShown) if self.repair.is_some() => {
                "nothing: it is known, and whether its key works is not: the license service's list does not show the key, and it was not \
                 read by itself; `keyward show` names it"
            }
            // An adoption compares nothing.
            Some(
                Remark::TakenIn
                | Remark::Unpaid
                | Remark::NoCheckout
                | Remark::Suspended
                | Remark::InGrace
                | Remark::SharedLabel
                | Remark::NotRenewed
                | Remark::NotShown,
            )
            | None => match self.repair {
                Some(_) => "nothing: it is known and as it should be",
                None => {
                    "nothing: it is known here; `keyward audit` says whether it is as it should be"
                }
            },
        }
    }
}

impl Judged {
    /// What is said of one whose key ends too early.
    fn too_early(&self) -> &'static str {
        match self.remark {
            Some(Remark::Suspended) => {
                "link the key; it is paid and suspended at the license service, and lifting that waits for your yes"
            }
            Some(Remark::InGrace) => {
                "link the key; a payment failed, and it ends before the grace does: extending it until then waits for your yes"
            }
            Some(Remark::NotRenewed) => {
                "link the key; it ended with what was paid for, and the next payment is still to come: the margin waits for your yes"
            }
            Some(
                Remark::TakenIn
                | Remark::Unpaid
                | Remark::NoCheckout
                | Remark::OfAccount
                | Remark::EndGivenUp
                | Remark::SharedLabel
                | Remark::NotShown,
            )
            | None => {
                "link the key; it ends before what was paid for, and its extension waits for your yes"
            }
        }
    }
}

impl Sentence for Judged {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, bought) = self.keys;
        let differs = |r: &Result<Repair, Unrepaired>| {
            self.class.is_difference() && *r != Err(Unrepaired::Adopt)
        };
        if let Some(repair) = self.repair.filter(differs) {
            return repaired(self, repair, f);
        }
        match self.class {
            Class::Linked if self.unread => {
                f.write_str("take in what it paid before it was heard of here; its key is linked")?
            }
            Class::Linked => f.write_str("link the key; nothing else")?,
            Class::LinkedEndsTooEarly => f.write_str(self.too_early())?,
            Class::PaidWithoutKey | Class::Suggested if self.remark == Some(Remark::TakenIn) => f.write_str(
                "nothing more: it is taken in, and has no key yet; `keyward held` and `keyward show` say what its key waits for",
            )?,
            Class::PaidWithoutKey if found > 0 => write!(
                f,
                "link {found} of {bought} keys; making the missing ones waits for your yes"
            )?,
            Class::PaidWithoutKey => {
                f.write_str("take the purchase in; making its key waits for your yes")?
            }
            Class::KeyWithoutPayment if self.remark == Some(Remark::Unpaid) => f.write_str(
                "nothing: Stripe lists the purchase, and it is not paid; the key stays as it is",
            )?,
            Class::KeyWithoutPayment if self.remark == Some(Remark::NoCheckout) => f.write_str(
                "nothing: Stripe lists no completed checkout of this id: it was not paid, or it is not there; the key stays as it is",
            )?,
            Class::KeyWithoutPayment if bought == 0 => {
                f.write_str("nothing: Stripe lists no such purchase; the key stays as it is")?
            }
            Class::KeyWithoutPayment => {
                f.write_str("link the key; nothing is paid for it now, and ending it waits for your yes")?
            }
            Class::TwoKeys => write!(
                f,
                "link {} of {found} keys, a working one first; the others stay as they are",
                bought.min(found)
            )?,
            Class::AliveAfterRefund => f.write_str(
                "link the key; the money went back, and ending the key waits for your yes",
            )?,
            Class::Suggested => self.suggested(f)?,
            Class::Foreign if found > 0 && self.repair.is_none() => f.write_str(
                "nothing: no plan names its price; its key is noted for when one does",
            )?,
            Class::Foreign => f.write_str("nothing: no plan names its price")?,
            Class::Known => f.write_str(self.known())?,
            Class::RevokedElsewhere if self.repair.is_some() => f.write_str(
                "nothing by itself: it is paid, and its key was revoked at the license service; give the customer a working key there or the \
                 money back, or let `keyward adopt` take it in: then `--repair revoked_elsewhere` makes a new key",
            )?,
            Class::RevokedElsewhere => f.write_str(
                "link the key; it is paid, and the key stays revoked until you say otherwise: then `keyward audit --repair revoked_elsewhere` \
                 makes a new one",
            )?,
            // An audit finds them alone, and says what repairs them.
            Class::ShortenedElsewhere
            | Class::DevicesDiffer
            | Class::MissedEvents => f.write_str("nothing: only an audit finds this")?,
        }
        self.waits.map_or(Ok(()), |waits| write!(f, "; {waits}"))
    }
}

impl Sentence for Waits {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renewal(at) => write!(f, "not now: it renews at {at}; the next run does it"),
            Self::Retry(at) => write!(
                f,
                "not now: its payment is tried again at {at}; the next run does it"
            ),
        }
    }
}
