//! What only a person can judge. A finding is told once: it is kept and compared by what it is, never by its sentence, so
//! that a better wording tells nothing twice.

use std::fmt;

use minicbor::{Decode, Encode};

use super::extension::NotExtended;
use super::hold::Flaw;
use super::id::{InvoiceId, LicenseKey, MachineId, PlanName, PriceId, SourceName};
use super::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Finding);

/// Something that the operator should know of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Finding {
    /// An early fraud warning came.
    #[n(0)]
    FraudWarning,
    /// A metadata key has a value that cannot be read.
    #[n(1)]
    UnreadableMetadata(#[n(0)] String),
    /// An event called an invoice paid that says of itself that it is not.
    #[n(2)]
    NotPaidAfterAll {
        /// The invoice.
        #[n(0)]
        invoice: InvoiceId,
        /// The event's type.
        #[n(1)]
        event: String,
    },
    /// An invoice could not be finalized.
    #[n(3)]
    FinalizationFailed(#[n(0)] InvoiceId),
    /// An invoice was paid after the subscription had ended.
    #[n(4)]
    PaidAfterEnd(#[n(0)] InvoiceId),
    /// Money went back, and nobody tells of which invoice.
    #[n(5)]
    RefundUnlinked,
    /// Paid, but nothing to hand out: neither a plan nor an application is named.
    #[n(6)]
    NothingToHandOut,
    /// The metadata names a plan that no config knew.
    #[n(7)]
    UnknownPlan(#[n(0)] String),
    /// A planned item has the quantity 0.
    #[n(8)]
    QuantityZero(#[n(0)] Option<PriceId>),
    /// A paid invoice's lines name no price at all.
    #[n(9)]
    NoPriceNamed {
        /// The invoice.
        #[n(0)]
        invoice: InvoiceId,
        /// The latest end of what its lines bill.
        #[n(1)]
        until: Timestamp,
    },
    /// The subscription has more items than its snapshots show.
    #[n(10)]
    ItemsCut,
    /// An invoice has more lines than its events show.
    #[n(11)]
    LinesCut(#[n(0)] InvoiceId),
    /// A license was revoked at the license service by somebody else.
    #[n(12)]
    RevokedElsewhere(#[n(0)] u32),
    /// A license has more at the license service than it should, from another hand.
    #[n(13)]
    GivenElsewhere {
        /// The license's number.
        #[n(0)]
        number: u32,
        /// Its end is later.
        #[n(1)]
        time: bool,
        /// It has more devices.
        #[n(2)]
        devices: bool,
    },
    /// Other licenses carry a label of this purchase.
    #[n(14)]
    OtherLicenses(#[n(0)] Vec<LicenseKey>),
    /// The purchase was served twice before its invoice was linked to it.
    #[n(15)]
    ServedTwice(#[n(0)] MachineId),
    /// Its license went to the same customer's new subscription.
    #[n(16)]
    MovedTo {
        /// The new subscription's machine.
        #[n(0)]
        machine: MachineId,
        /// Until when it still worked, if it did: that is not carried over.
        #[n(1)]
        paid_until: Option<Timestamp>,
    },
    /// The machine is held.
    #[n(17)]
    Held(#[n(0)] Flaw),
    /// A Checkout session sold more than its object shows.
    #[n(18)]
    LineItemsCut,
    /// A new subscription's key waited for a paid invoice that nobody told of: its source may hear of none.
    #[n(19)]
    NoInvoiceHeard(#[n(0)] SourceName),
    /// The guard holds everything that would end a license, from this one on.
    #[n(20)]
    GuardTripped,
    /// The license that the purchase names was not extended: it got one of its own.
    #[n(21)]
    NotExtended(#[n(0)] NotExtended),
    /// Another purchase gave the license for life, and the subscription still bills.
    #[n(22)]
    StillBills(#[n(0)] MachineId),
    /// It makes no license: its time counts for another purchase's.
    #[n(23)]
    Extends(#[n(0)] MachineId),
    /// Another purchase adds to its license.
    #[n(24)]
    ExtendedBy(#[n(0)] MachineId),
    /// Stripe calls the subscription past due, and what it owes for was never told.
    #[n(25)]
    LateForUnknown,
    /// The plan that a purchase's metadata names counts units, and nobody told how many were bought.
    #[n(26)]
    UnitsUnknown,
    /// A subscription's paid invoice sold something once besides, and a plan names its price.
    #[n(27)]
    SoldBeside {
        /// The invoice.
        #[n(0)]
        invoice: InvoiceId,
        /// Its plan.
        #[n(1)]
        plan: PlanName,
    },
}

/// A finding, and when it was so.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// When it was so.
    #[n(0)]
    pub at: Timestamp,
    /// The finding itself.
    #[n(1)]
    pub finding: Finding,
}

impl Report {
    /// A finding of an instant.
    #[must_use]
    pub const fn new(at: Timestamp, finding: Finding) -> Self {
        Self { at, finding }
    }
}

/// Findings in the order in which they were made, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Report>);

impl Findings {
    /// Adds one that is new.
    pub fn add(&mut self, at: Timestamp, finding: Finding) {
        if !self.0.iter().any(|r| r.finding == finding) {
            self.0.push(Report { at, finding });
        }
    }

    /// Whether one of a kind was made.
    #[must_use]
    pub fn any(&self, is: impl Fn(&Finding) -> bool) -> bool {
        self.0.iter().any(|r| is(&r.finding))
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Report> {
        self.0
    }
}

impl Sentence for Finding {
    #[expect(
        clippy::too_many_lines,
        reason = "a flat table: a line or two for each finding"
    )]
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FraudWarning => f.write_str("an early fraud warning: consider a refund before it becomes a dispute"),
            Self::UnreadableMetadata(key) => {
                write!(f, "the purchase's metadata `{key}` has a value that cannot be read")
            }
            Self::NotPaidAfterAll { invoice, event } => {
                write!(f, "{event} calls the invoice {invoice} paid, but the invoice itself says that it is not")
            }
            Self::FinalizationFailed(invoice) => write!(
                f,
                "the invoice {invoice} could not be finalized: nothing is collected until that is mended at Stripe"
            ),
            Self::PaidAfterEnd(invoice) => {
                write!(f, "the invoice {invoice} was paid after the subscription had ended")
            }
            Self::RefundUnlinked => f.write_str(
                "a refund belongs to this subscription, but which of its invoices it gives back is not known",
            ),
            Self::NothingToHandOut => f.write_str(
                "paid, but nothing to hand out: no plan names what was bought, and its metadata names no application; `keyward why` \
                 says which price it is: name it in a `[[plan]]` and `keyward reload`, or note the purchase",
            ),
            Self::UnknownPlan(name) => {
                write!(f, "the purchase's metadata names the plan `{name}`, which no config knew")
            }
            Self::QuantityZero(Some(price)) => {
                write!(f, "the price {price} has the quantity 0: its plan gives no license for it")
            }
            Self::QuantityZero(None) => f.write_str("a licensed item has the quantity 0: its plan gives no license"),
            Self::NoPriceNamed { invoice, until } => write!(
                f,
                "the paid invoice {invoice} names no price, so it pays for nothing by itself; \
                 `keyward extend MACHINE --until {until}` counts it"
            ),
            Self::ItemsCut => f.write_str(
                "the subscription has more items than its events show: those that are not shown stay as they were",
            ),
            Self::LinesCut(invoice) => write!(
                f,
                "the invoice {invoice} has more lines than its events show: it counts for the licensed items that are not \
                 shown, to the end of their running period"
            ),
            Self::RevokedElsewhere(number) => write!(
                f,
                "license {number} was revoked at the license service by somebody else: it is left so until you say"
            ),
            Self::GivenElsewhere { number, time, devices } => write!(
                f,
                "license {number} has {} beyond what should be: another hand gave that at the license service, and it is \
                 left so until you say",
                given(*time, *devices)
            ),
            Self::OtherLicenses(keys) => {
                let keys: Vec<String> = keys.iter().map(|k| format!("{k:?}")).collect();
                write!(f, "other licenses carry a label of this purchase and are left alone: {}", keys.join(", "))
            }
            Self::ServedTwice(machine) => {
                write!(f, "it was served twice before its invoice was linked to it: once more as {machine}")
            }
            Self::MovedTo { machine, paid_until } => {
                write!(f, "its license went to {machine}, the same customer's new subscription")?;
                match paid_until {
                    Some(until) => write!(f, "; what it still had, until {until}, is not carried over"),
                    None => Ok(()),
                }
            }
            Self::GuardTripped => f.write_str(
                "the guard holds everything that would end a license, from this one on: `keyward held` lists it, and \
                 `keyward held approve` or `keyward held drop` settles it",
            ),
            Self::LateForUnknown => f.write_str(
                "Stripe calls the subscription past due, and what it owes for was never told here, for it began before this store: \
                 ending its license waits for you. `keyward adopt` or `keyward backfill` reads what is missing",
            ),
            Self::UnitsUnknown => f.write_str(
                "the plan that the purchase's metadata names counts units, and how many were bought was not told: those that its \
                 events show are served, or one. With an `api_key` Stripe is asked",
            ),
            Self::SoldBeside { invoice, plan } => write!(
                f,
                "the subscription's invoice {invoice} also sold something of the plan `{plan}` once, which is no item of the \
                 subscription: no license is made for it; `keyward issue --plan {plan}` makes one"
            ),
            Self::LineItemsCut => f.write_str(
                "the Checkout session sold more lines than its events show: those that are not shown are not served",
            ),
            Self::NoInvoiceHeard(source) => write!(
                f,
                "its key waited ten minutes for a paid invoice that nobody told of. If the endpoint of the source `{source}` \
                 hears of no invoices, enable `invoice.paid` there, or say `invoices = false` in its [[source]]: then a new \
                 subscription's status speaks at once"
            ),
            Self::NotExtended(why) => write!(
                f,
                "the license that the purchase was to extend was not: {why}. It gets a license of its own; \
                 `keyward extend` moves the other one's end"
            ),
            Self::StillBills(machine) => write!(
                f,
                "its license is for life by {machine}, and the subscription still bills: cancel it at Stripe"
            ),
            Self::Extends(machine) => write!(
                f,
                "it extends a license of {machine}, and makes none in its place"
            ),
            Self::ExtendedBy(machine) => write!(f, "{machine} extends its license"),
            Self::Held(why) => write!(f, "the machine is held: {why}"),
        }
    }
}

const fn given(time: bool, devices: bool) -> &'static str {
    match (time, devices) {
        (true, true) => "time and devices",
        (true, false) => "time",
        (false, _) => "devices",
    }
}
