//! A paragraph for the customer: what their license is, why, and what they can do.

use std::fmt;

use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(ForCustomer);

/// One license, as its customer should hear of it. It names no internal word, and no key in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForCustomer {
    /// The last characters of the key, where there is one.
    pub key: Option<String>,
    /// Whether it is no license of its own: it only adds time to one that was there.
    pub adds: bool,
    /// What is due.
    pub want: Want,
    /// Why.
    pub why: Why,
    /// Where an open invoice can be paid.
    pub pay_at: Option<String>,
    /// The instant that this speaks of.
    pub now: Timestamp,
}

impl ForCustomer {
    /// For a seat.
    #[must_use]
    pub fn of(
        seat: &SeatDue,
        key: Option<String>,
        adds: bool,
        pay_at: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            key,
            adds,
            want: seat.want,
            why: seat.why,
            pay_at,
            now,
        }
    }

    /// Whether the customer is asked to pay.
    const fn owes(&self) -> bool {
        matches!(self.why, Why::Grace | Why::Lapsed)
    }
}

impl Sentence for ForCustomer {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.adds {
            f.write_str(self.added())?;
        } else {
            self.license(f)?;
        }
        f.write_str(match self.why {
            Why::Due | Why::Decided | Why::Extended => "",
            Why::Grace => " The last payment did not go through; it keeps working meanwhile.",
            Why::Lapsed => " The last payment did not go through in time. It works again as soon as it is paid.",
            Why::Disputed => " The payment is disputed at your bank; it works again when the dispute is settled in our favour or withdrawn.",
            Why::DisputeLost => " The payment was disputed and went back.",
            Why::Refunded => " The payment was refunded.",
            Why::Paused => " The subscription is paused; it works again when the pause ends.",
            Why::Ending => " The subscription was cancelled, so it ends with the time that was paid.",
            Why::NotPaid => " No payment has arrived yet.",
        })?;
        match &self.pay_at {
            Some(url) if self.owes() => write!(f, " You can pay here: {url}"),
            Some(_) | None => Ok(()),
        }
    }
}

impl ForCustomer {
    /// A purchase that only adds: what it takes with it is what it added.
    const fn added(&self) -> &'static str {
        match self.want {
            Want::Live { .. } => "This purchase added time to a license that you had.",
            Want::Suspended => {
                "The time that this purchase added to your license does not count at present."
            }
            Want::Revoked | Want::Nothing => {
                "The time that this purchase added to your license no longer counts."
            }
        }
    }

    fn license(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "Your license key ending in {key} ")?,
            None => f.write_str("Your license ")?,
        }
        let day = |at: Timestamp| format!("{:.10}", at.to_string());
        match self.want {
            Want::Live { until: None } => f.write_str("works, without an end."),
            Want::Live { until: Some(until) } if until > self.now => {
                write!(f, "works until {}.", day(until))
            }
            Want::Live { until: Some(until) } => write!(f, "ended on {}.", day(until)),
            Want::Suspended => f.write_str("does not work at present."),
            Want::Revoked => f.write_str("has ended."),
            Want::Nothing => f.write_str("has not been issued."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_that_only_added_time_is_not_called_a_license_that_ended() {
        let said = |adds, want, why| {
            let said = ForCustomer {
                key: None,
                adds,
                want,
                why,
                pay_at: None,
                now: Timestamp::from_s(0),
            };
            said.to_string()
        };
        assert_eq!(
            said(true, Want::Revoked, Why::Refunded),
            "The time that this purchase added to your license no longer counts. The payment was refunded."
        );
        assert_eq!(
            said(false, Want::Revoked, Why::Refunded),
            "Your license has ended. The payment was refunded."
        );
        assert_eq!(
            said(true, Want::Live { until: None }, Why::Due),
            "This purchase added time to a license that you had."
        );
    }
}
