//! What would be done about a purchase, in a sentence for the vendor.

use std::fmt;

use super::class::{Class, Judged, Waits};
use crate::domain::words::{Sentence, sentences};

sentences!(Judged, Waits);

impl Sentence for Judged {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, bought) = self.keys;
        match self.class {
            Class::Linked => f.write_str("link the key; nothing else")?,
            Class::LinkedEndsTooEarly => f.write_str(
                "link the key; it ends before what was paid for, and its extension waits for your yes",
            )?,
            Class::PaidWithoutKey if found > 0 => write!(
                f,
                "link {found} of {bought} keys; making the missing ones waits for your yes"
            )?,
            Class::PaidWithoutKey => {
                f.write_str("take the purchase in; making its key waits for your yes")?
            }
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
            Class::Suggested => f.write_str(
                "take the purchase in without a key; one with the customer's e-mail address may be meant: name it in a table",
            )?,
            Class::Foreign => f.write_str("nothing: no plan names its price")?,
            Class::Known => f.write_str("nothing: it is known and as it should be")?,
            Class::RevokedElsewhere => f.write_str(
                "nothing: somebody else revoked or deleted the key; `keyward rekey` makes a new one",
            )?,
            Class::ShortenedElsewhere => f.write_str(
                "nothing: somebody else moved the key's end to an earlier instant; `keyward retry` sets it again",
            )?,
            Class::DevicesDiffer => {
                f.write_str("nothing: the key allows another number of devices than was bought")?
            }
            Class::MissedEvents => f.write_str(
                "nothing: Stripe tells what was never delivered here; `keyward backfill` fetches it",
            )?,
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
