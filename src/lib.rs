//! Keyward turns payments at Stripe into license keys, and keeps the two in step for as long as the customer pays.
//!
//! This page is the map. `docs/architecture.md` has the same with more words; what each event must lead to stands in
//! `docs/behaviour.md`, and which test holds which rule in `docs/rules.md`.
//!
//! # A dozen words
//!
//! * **Source**: a configured Stripe account. **Fact**: what one event, one person or one query says about one purchase.
//! * **Machine**: all that is kept of one payment or subscription: its facts, grants, actions, notices and journal.
//! * **Plan**: which price sells which license. **Policy**: what happens when a payment fails, is refunded or disputed.
//!   **Revision**: one loaded state of both, with the instant from which it counts.
//! * **Entitlement**: what the customer should hold now, seat by seat. **Seat**: one license that is due.
//!   **Grant**: one license as the license service last confirmed it.
//! * **Action**: one durable piece of outside work. **Notice**: a mail that is due once.
//! * **Decision**: a fact whose source is a person. **Parked**: a fact whose machine is not known yet.
//!
//! # The way of one event
//!
//! ```text
//! HTTP bytes                 http::intake                bounded in length, time and number
//! -> verified bytes          sources::stripe::signature  only they can be parsed
//! -> a fact, and its names   sources::stripe::event      or: ignored, with a reason
//! -> Input::Delivery         engine::Handle              a bounded queue; full: 503, Stripe sends it again
//! -> its machine             engine::route               or: parked under the names that it waits for
//! -> what should be          domain::decide              facts -> objects -> phase and conditions -> entitlement
//! -> actions and notices     domain::reconcile           the difference to what is
//! -> one batch, synced       store                       from here on it is acknowledged
//! => receipt, and the 200    http::intake                the first moment at which anybody hears of it
//! -> due action              effects::dispatcher         its attempt is on disk before the request
//! -> outcome                 effects::license            created, key confirmed
//! -> Input::Outcome          engine::Handle              the same way in: the grant is stored, a notice is due
//! -> mail                    effects::mail               its outcome is an input again; the machine rests
//! ```
#![forbid(unsafe_code)]

// == The rules. Pure: no clock, no disk, no network, no randomness.

// The rules, as plain functions of values: facts in, entitlement, actions and notices out.
pub mod domain;

// == What stands below everything else.

// The only place that reads the time and waits for it.
pub mod clock;

// Text that shows itself nowhere.
pub mod secret;

// The names of all metrics.
pub mod measure;

// == What comes in, and what is kept.

// Stripe's signature, and event JSON of every API version to facts.
pub mod sources;

// Bytes and keys that survive a power cut. It does not know what a license is.
pub mod store;

// The only place where domain and store meet: one input, one batch, one writer.
pub mod engine;

// == What reaches outside.

// License services, mail, and queries at Stripe. Outcomes are inputs again.
pub mod effects;

// The license service inside the binary, on a store of its own.
pub mod embedded;

// == What starts things, and what people see.

// Jobs at set times: due wake-ups, the repair sweep, counting.
pub mod scheduler;

// Webhooks, the success page, what programs ask of the embedded service, health and metrics.
pub mod http;

// What an operator can ask and do, and the socket for it.
mod admin;

// A history in virtual time through the same engine: replay and what-if.
pub mod sim;

// == What puts it together.

// One TOML file to a valid config, or all mistakes at once.
pub mod config;

// Starts the parts and ends them in order.
pub mod server;

// The commands: flags and printing.
pub mod cli;
