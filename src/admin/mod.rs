//! What an operator can ask and do. The command line is its first client; whatever comes later speaks the same requests.
//!
//! A [`Request`] gets its [`Response`], or a [`Failure`] with the way out, from the [`Service`]: over the `socket` while
//! the server runs, in the command's own process when it does not. `read` has one purchase's page, `lists` what waits and
//! what was refused, `history` all that was received, `policy` what the newest plans and policies would change,
//! `standing` what holds for the whole shop, `settlement` a person's word on what is held, `held_work` what of an order
//! is held all the same, `overrides` what a customer has of their own, `upkeep` backups and checks of the whole store,
//! `why` what decided, `reload` has the server read its config again, `adoption` what the examination of a shop needs of
//! the store, `payload` the parts of requests and responses, `service_move` what moves to another license service.

mod adoption;
mod attention;
mod audit_note;
mod backfill;
mod context;
mod decided;
mod dismiss;
mod erase;
mod failure;
mod held_by_order;
mod held_work;
mod history;
mod issue;
mod lists;
mod overrides;
mod payload;
mod policy;
mod read;
mod reload;
mod request;
mod reread;
mod response;
mod retry;
mod service;
mod service_move;
mod settlement;
pub(crate) mod socket;
mod standing;
mod upkeep;
mod why;

pub use context::by_payment;
pub use erase::ErasePlan;
pub use failure::Failure;
pub use held_work::{HeldWork, joined};
pub use history::{BODIES_MAX, packed, unpacked};
pub use payload::{
    Compared, EraseOrder, EraseQuery, Holding, MoveQuery, OverrideOrder, Reloaded, Settlement,
};
pub use reload::no_server;
#[cfg(test)]
pub use request::BackfillPosition;
pub use request::{
    ActionFilter, AdoptionQuery, BackfillQuery, Differing, EventFilter, HistoryQuery, PolicyQuery,
    Request, RereadQuery,
};
pub use response::{
    AffectedPurchase, BackfillPart, Changed, HistoryEntry, HistoryGroup, HistoryLine, OutOfReach,
    PolicyCounts, Purchases, Response, TimelineItem, Unanswered,
};
pub use service::Service;
pub use service_move::{ElsewhereRow, MoveRow};
pub use upkeep::{Verified, WrongEntry};
pub use why::{WhyLicense, WhyPage, WhyPolicy};
