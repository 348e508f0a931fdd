//! A paragraph for the customer: what their license is, why, and what they can do. It speaks of what the license service last
//! confirmed; where that is not what should be, it says what becomes of the difference.

use std::fmt;

use super::present::{Gap, Holds, Present, Rest};
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::lifecycle::Phase;
use crate::domain::machine::LicenseStatus;
use crate::domain::status::PurchaseStatus;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(ForCustomer, StrayForCustomer, NothingForCustomer);

/// What is said where something is refused, held or late.
const SELLER_KNOWS: &str = "We have been told and are looking into it.";
/// What is said where the seller has paused what goes out: nobody was told of this one, for nothing is wrong with it.
const PAUSED: &str =
    "We have paused changes to licenses for the moment; this follows as soon as we go on.";
/// What is said where it is not decided yet whether a license goes on.
const REVIEWED: &str = " We are reviewing whether it stays active.";

/// One license, as its customer should hear of it. It names no internal word, and no key in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForCustomer {
    /// The last characters of the key, where there is one.
    pub key: Option<String>,
    /// Whether it is no license of its own: it only adds time to one that was there.
    pub adds: bool,
    /// Whether it was paid.
    pub is_paid: bool,
    /// What is due.
    pub want: Want,
    /// The row of the table that says so.
    pub why: Why,
    /// What there is.
    pub holds: Holds,
    /// What becomes of the difference.
    pub rest: Option<Rest>,
    /// Where an open invoice can be paid.
    pub pay_at: Option<String>,
    /// The instant that this speaks of.
    pub now: Timestamp,
}

/// A license that works and stands for nothing that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrayForCustomer {
    /// The last characters of the key.
    pub key: String,
    /// Its end; `None`: for life.
    pub until: Option<Timestamp>,
    /// What becomes of it; `None`: it stays.
    pub rest: Option<Rest>,
}

/// A purchase without a license, by what it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingForCustomer(pub PurchaseStatus);

impl ForCustomer {
    /// For a seat.
    #[must_use]
    pub fn of(
        seat: &SeatDue,
        present: &Present<'_>,
        key: Option<String>,
        adds: bool,
        pay_at: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            key,
            adds,
            is_paid: seat.row.is_some_and(|row| row.phase == Phase::Paid),
            want: seat.want,
            why: seat.why,
            holds: present.holds,
            rest: present.rest,
            pay_at,
            now,
        }
    }

    /// Whether the customer is asked to pay.
    const fn owes(&self) -> bool {
        matches!(self.why, Why::Grace | Why::Lapsed)
    }

    fn gap(&self) -> Gap {
        self.holds.gap(self.want, self.now)
    }

    /// Whether it works, or should where what it is is not known.
    fn works(&self) -> bool {
        self.holds.works() || (self.holds == Holds::Unknown && self.want.live_at(self.now))
    }
}

impl Sentence for ForCustomer {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.adds {
            f.write_str(self.added())?;
        } else {
            self.license(f)?;
        }
        f.write_str(self.reason())?;
        // What comes back, where it is stopped as it should be.
        let is_none = matches!(self.holds, Holds::Missing | Holds::MovedOn | Holds::Sought);
        if self.adds || (!self.works() && !is_none) {
            f.write_str(self.comes_back())?;
        }
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

    fn reason(&self) -> &'static str {
        match self.why {
            Why::Due | Why::Decided | Why::Extended => "",
            Why::Grace if self.works() => {
                " The last payment did not go through; it keeps working meanwhile."
            }
            Why::Grace => " The last payment did not go through.",
            Why::Lapsed => " The last payment did not go through in time.",
            Why::Disputed => " The payment is disputed at your bank.",
            Why::DisputeLost => " The payment was disputed and went back.",
            Why::Refunded => " The payment was refunded.",
            Why::Paused => " The subscription is paused.",
            Why::Ending => match self.want {
                Want::Live { until: None } => {
                    " The subscription was cancelled; the license stays yours."
                }
                Want::Live { .. } if self.want.live_at(self.now) => {
                    " The subscription was cancelled, so it ends with the time that was paid."
                }
                Want::Live { .. } | Want::Nothing | Want::Suspended | Want::Revoked => {
                    " The subscription was cancelled."
                }
            },
            Why::NotPaid => " No payment has arrived yet.",
        }
    }

    const fn comes_back(&self) -> &'static str {
        match self.why {
            Why::Lapsed => " It works again as soon as it is paid.",
            Why::Disputed => {
                " It works again when the dispute is settled in our favour or withdrawn."
            }
            Why::Paused => " It works again when the pause ends.",
            Why::Due
            | Why::Grace
            | Why::DisputeLost
            | Why::Refunded
            | Why::Ending
            | Why::Decided
            | Why::NotPaid
            | Why::Extended => "",
        }
    }

    fn license(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.holds, self.gap()) {
            (Holds::MovedOn, _) => f.write_str("Your license went on with your newer purchase."),
            (Holds::Sought, _) => f.write_str("We are still looking up your license key."),
            (Holds::Missing, Gap::Less) => self.missing(f),
            (Holds::Missing, _) if matches!(self.want, Want::Suspended | Want::Nothing) => {
                f.write_str("Your license has not been issued.")
            }
            (Holds::There { status, until }, Gap::Less) => self.less(f, status, until),
            (Holds::There { until, .. }, Gap::More) => self.more(f, until),
            (Holds::Unknown | Holds::Missing | Holds::There { .. }, _) => self.as_it_should(f),
        }
    }

    /// It is as it should be, or what it is is not known.
    fn as_it_should(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(self.key.as_deref(), f)?;
        let ended = match self.holds {
            Holds::There {
                status: LicenseStatus::Expired,
                until,
            } => until,
            Holds::Unknown
            | Holds::Missing
            | Holds::Sought
            | Holds::MovedOn
            | Holds::There { .. } => None,
        };
        match self.want {
            Want::Live { until } if self.want.live_at(self.now) => {
                write!(f, " works{}.", end(until))
            }
            Want::Live { until } => match ended.or(until) {
                Some(at) => write!(f, " ended on {}.", day(at)),
                None => f.write_str(" has ended."),
            },
            Want::Nothing if self.key.is_none() => f.write_str(" has not been issued."),
            Want::Suspended | Want::Nothing => f.write_str(" does not work at present."),
            Want::Revoked => f.write_str(" has ended."),
        }
    }

    /// It should work, and there is none.
    fn missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_paid {
            "Your license is paid, but the key is not there yet"
        } else {
            "Your license key is not there yet"
        })?;
        match self.rest {
            Some(Rest::SellerKnows) => write!(f, ". {SELLER_KNOWS}"),
            Some(Rest::Paused) => write!(f, ". {PAUSED}"),
            Some(Rest::OnItsWay | Rest::GivenUp) | None => f.write_str(": it is being made."),
        }
    }

    /// It does not work, or less long than it should.
    fn less(
        &self,
        f: &mut fmt::Formatter<'_>,
        status: LicenseStatus,
        is_until: Option<Timestamp>,
    ) -> fmt::Result {
        let should = match self.want {
            Want::Live { until } => until,
            Want::Nothing | Want::Suspended | Want::Revoked => None,
        };
        name(self.key.as_deref(), f)?;
        let what_now = match self.rest {
            Some(Rest::SellerKnows) => Some(SELLER_KNOWS),
            Some(Rest::Paused) => Some(PAUSED),
            Some(Rest::OnItsWay | Rest::GivenUp) | None => None,
        };
        match (status, is_until) {
            (LicenseStatus::Live, until) => write!(f, " works{}.", end(until))?,
            (LicenseStatus::Expired, Some(at)) => {
                write!(f, " ended on {}, and does not work at present.", day(at))?;
            }
            (LicenseStatus::Suspended | LicenseStatus::Revoked | LicenseStatus::Expired, _) => {
                f.write_str(" does not work at present, though it should.")?;
                return match what_now {
                    Some(what_now) => write!(f, " {what_now}"),
                    None => f.write_str(" It is being made to work again."),
                };
            }
        }
        let more = end(should);
        match (what_now, self.rest) {
            (Some(what_now), _) => write!(f, " It should work{more}. {what_now}"),
            (None, Some(_)) => write!(f, " It should work{more}: the longer time is on its way."),
            // Nothing is asked for yet: what was paid for is there.
            (None, None) => Ok(()),
        }
    }

    /// It works, and should not, or not so long.
    fn more(&self, f: &mut fmt::Formatter<'_>, is_until: Option<Timestamp>) -> fmt::Result {
        name(self.key.as_deref(), f)?;
        let is_until = end(is_until);
        if let Want::Live { until: Some(until) } = self.want
            && until > self.now
        {
            write!(f, " works{is_until}.")?;
            return match self.rest {
                None | Some(Rest::GivenUp) => Ok(()),
                Some(Rest::OnItsWay) => write!(f, " Its end is being set to {}.", day(until)),
                Some(Rest::SellerKnows | Rest::Paused) => {
                    f.write_str(" We are reviewing when it ends.")
                }
            };
        }
        if self.rest == Some(Rest::GivenUp) {
            return write!(f, " works{is_until}, and stays as it is.");
        }
        write!(f, " still works{is_until}.")?;
        if let Want::Live { until: Some(until) } = self.want {
            write!(f, " Its time was over on {}.", day(until))?;
        }
        let stops = matches!(self.want, Want::Suspended | Want::Nothing);
        f.write_str(match (self.rest, stops) {
            (None | Some(Rest::GivenUp), _) => "",
            (Some(Rest::OnItsWay), true) => " It is being stopped.",
            (Some(Rest::OnItsWay), false) => " It is being ended.",
            // What is not decided yet is announced to nobody.
            (Some(Rest::SellerKnows | Rest::Paused), _) => REVIEWED,
        })
    }
}

impl Sentence for StrayForCustomer {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(Some(&self.key), f)?;
        let until = end(self.until);
        match self.rest {
            None | Some(Rest::GivenUp) => write!(f, " works{until}."),
            Some(Rest::OnItsWay) => write!(
                f,
                " still works{until}, though it is no part of this purchase any more. It is being ended."
            ),
            Some(Rest::SellerKnows | Rest::Paused) => write!(
                f,
                " still works{until}, though it is no part of this purchase any more.{REVIEWED}"
            ),
        }
    }
}

impl Sentence for NothingForCustomer {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            PurchaseStatus::OnItsWay
            | PurchaseStatus::Preparing
            | PurchaseStatus::Delayed
            | PurchaseStatus::Partial => {
                "Your purchase is still being processed: we do not know yet what it includes."
            }
            PurchaseStatus::AwaitingPayment => {
                "No payment has arrived yet, so no license key has been issued."
            }
            PurchaseStatus::Failed => "The payment failed, so no license key has been issued.",
            PurchaseStatus::Expired => {
                "The purchase was not paid in time, so no license key has been issued."
            }
            PurchaseStatus::Trial => "Your trial runs; it doesn't include a license key.",
            PurchaseStatus::Refunded | PurchaseStatus::DisputeLost => {
                "The payment went back, and this purchase has no license key."
            }
            PurchaseStatus::Ended | PurchaseStatus::Revoked => {
                "This purchase has ended, and has no license key."
            }
            PurchaseStatus::Live
            | PurchaseStatus::Grace
            | PurchaseStatus::Ending
            | PurchaseStatus::Lapsed
            | PurchaseStatus::Paused
            | PurchaseStatus::Disputed
            | PurchaseStatus::Nothing => "This purchase doesn't include a license key.",
        })
    }
}

fn name(key: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match key {
        Some(key) => write!(f, "Your license key ending in {key}"),
        None => f.write_str("Your license"),
    }
}

fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(
        || ", without an end".to_owned(),
        |at| format!(" until {}", day(at)),
    )
}

fn day(at: Timestamp) -> String {
    format!("{:.10}", at.to_string())
}

#[cfg(test)]
mod tests;
