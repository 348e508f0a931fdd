//! All of a purchase for its customer, license by license.

use super::present::{At, Present, Tense, strays};
use super::{
    Explanation, ForCustomer, NothingForCustomer, StrayForCustomer, as_known, begins_later,
};
use crate::domain::entitlement::SeatDue;
use crate::domain::machine::{Grant, Machine};
use crate::domain::notice::{Notice, NoticeKind, NoticeStatus};
use crate::domain::summary::status;

/// What is said to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// Of each seat, in the order of what is due.
    pub seats: Vec<String>,
    /// All of it: a sentence at least.
    pub whole: String,
}

/// What is said where nothing was known of the purchase.
const NOT_YET: &str = "This purchase had not been made yet.";

/// What is said of each license, of those that work and stand for none of them, or of there being none.
#[must_use]
pub fn paragraph(
    machine: &Machine,
    explained: &Explanation,
    present: &[Present<'_>],
    asked: At,
) -> Paragraph {
    let due = &explained.due;
    let seats = due.seats.iter().zip(present);
    let seats: Vec<String> = seats.map(|(s, p)| of_seat(machine, s, p, asked)).collect();
    let mut all = seats.clone();
    if asked.tense == Tense::Present {
        let strays = strays(machine, due, asked.at);
        all.extend(strays.iter().filter_map(|stray| {
            let grant = stray.grant?;
            let stray = StrayForCustomer {
                key: key(grant),
                until: grant.expires_at,
                rest: stray.rest,
            };
            Some(stray.to_string())
        }));
    }
    let has_license = !all.is_empty();
    if !has_license && begins_later(machine, asked.at, asked.known_at).is_some() {
        all.push(NOT_YET.to_owned());
    } else if !has_license {
        let known = as_known(machine, asked.at, asked.known_at);
        let status = status(&known, &explained.folded, due, asked.at);
        all.push(NothingForCustomer(status).to_string());
    }
    if has_license && asked.tense == Tense::Present {
        all.extend(of_mail(machine).map(str::to_owned));
    }
    Paragraph {
        seats,
        whole: all.join("\n"),
    }
}

/// Why the newest mail with a key that reached nobody did not, and what the customer can do.
fn of_mail(machine: &Machine) -> Option<&'static str> {
    let lost = |n: &&Notice| n.kind == NoticeKind::LicenseIssued && n.reached_nobody(machine);
    let newest = machine.notices.iter().rev().find(lost)?;
    Some(if newest.status == NoticeStatus::NoAddress {
        "We have no e-mail address to send the license key to: please tell us one."
    } else {
        "The e-mail with the license key could not be delivered: please give us another address."
    })
}

fn of_seat(machine: &Machine, seat: &SeatDue, present: &Present<'_>, asked: At) -> String {
    let grant = present.grant.filter(|g| asked.knows(g.since));
    // rule 55: a seat that extends another purchase's license has none here.
    let adds = machine.extends().any(|e| e.is_of(seat));
    let pay_at = pay_at(machine, asked);
    ForCustomer::of(seat, present, grant.map(key), adds, pay_at, asked.at).to_string()
}

/// The last characters of a key.
fn key(grant: &Grant) -> String {
    format!("{:?}", grant.key)
}

/// Where the newest invoice that was told of can be paid.
fn pay_at(machine: &Machine, asked: At) -> Option<String> {
    let known = machine
        .facts
        .iter()
        .filter(|f| f.at <= asked.at && f.received <= asked.known_at);
    let newest = known
        .filter_map(|f| Some((f.at, f.invoice()?.hosted_url.clone()?)))
        .max();
    newest.map(|(_, url)| url)
}
