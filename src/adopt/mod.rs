//! A look at a shop that sells already, three ways: what Stripe says was paid, what the license service has, what this store
//! knows. `keyward audit` reports it; `keyward adopt` takes in what this store does not know.
//!
//! `question` says what is asked. `read` goes through Stripe's lists and `progress` keeps what was read; `backdate` makes the
//! events of each object that would have told of it, `charges` what is kept of a charge; `gather` sorts them by purchase.
//! `licenses` reads the license service once, `alone` single licenses for what its list does not tell. `examine` matches the two
//! by id alone and judges each purchase by the rules' own code (`domain::adoption`). `found` is what a look found, `report` what
//! programs read of it, `strays` what of it is only known when every source was looked at.
//! `table` is the vendor's CSV, `pending` from when on events are still to be looked through. Nothing here writes to a store:
//! what is to be moved is handed on as `parcel`s.

mod alone;
mod backdate;
mod charges;
mod examine;
mod found;
mod gather;
mod known;
mod licenses;
mod parcel;
mod pending;
mod progress;
mod question;
mod read;
mod report;
mod run;
mod since;
mod so_far;
mod strays;
pub mod table;

pub use crate::engine::record::waiting::AdoptedLicense;
pub use alone::Unshown;
pub use backdate::List;
pub use examine::{Judgement, Shop, Stranger, examined};
pub use found::{Found, Sold, StrayKey};
pub use gather::Gatherer;
pub use known::KnownShop;
pub use licenses::{CrawlError, LicenseIndex};
pub use parcel::{AdoptedPurchase, delivered, read_again};
pub use pending::PendingEvents;
pub use progress::{Progress, ReadPart};
pub use read::{ANSWER_BYTES_MAX, ReadError};
pub use report::{AdoptionReport, ReportRow, last_four};
// What a `Question` is made of.
pub use crate::effects::services::list_client_at;
pub use crate::effects::stripe::Client as StripeClient;
pub use crate::effects::throttle::Share;
pub use question::{ExamineError, LicenseList, Question};
pub use run::{changed, examine};
pub use so_far::{ReadSoFar, Trouble};
pub use strays::settle_strays;
