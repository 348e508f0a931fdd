//! The second pass: what Stripe told of the purchases that were taken in, since the first page of them was read, goes through
//! the same door as a webhook. That it is due is kept until it is over: a run that is killed in between leaves it to the next.

use std::collections::BTreeSet;
use std::path::Path;

use super::ReadArgs;
use super::shop::{known, of_source, runtime};
use super::trouble::failure;
use crate::admin::{AdoptionQuery, Failure, Request};
use crate::adopt::{AdoptedPurchase, Found, KnownShop, PendingEvents, changed};
use crate::cli::ask::{Conversation, load};
use crate::cli::history_pages::converse;
use crate::cli::report;
use crate::config::{Config, Env};
use crate::domain::adoption::Asking;
use crate::domain::id::SourceName;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::domain::words::counted;

/// Events that travel at one time.
const EVENTS_AT_ONCE: usize = 50;

/// The second pass of one source.
pub(super) struct SecondPass {
    config: Config,
    source: SourceName,
    pending: PendingEvents,
    /// An earlier run took purchases in, and was killed before the pass was over.
    left_over: bool,
}

impl SecondPass {
    /// What is due for a source.
    ///
    /// # Errors
    /// The config's.
    pub(super) fn of(path: &Path, source: SourceName) -> Result<Self, Failure> {
        let (config, _) = load(path, &Env::process().lenient())?;
        let pending = PendingEvents::of(&config.data_dir, &source);
        Ok(Self {
            left_over: pending.since().is_some(),
            config,
            source,
            pending,
        })
    }

    /// Whether an earlier run left it to this one.
    pub(super) const fn is_left_over(&self) -> bool {
        self.left_over
    }

    /// Whose it is.
    pub(super) const fn source(&self) -> &SourceName {
        &self.source
    }

    /// Notes that it is due, before anything is taken in. Returns from when on events are looked through.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn note(&self, began: Timestamp) -> Result<Timestamp, Failure> {
        self.pending.keep(began).map_err(unkept)
    }

    /// Does it, for what this run took in and what those took in that were killed before.
    ///
    /// # Errors
    /// What went wrong; it stays due then.
    pub(super) fn run(
        &self,
        path: &Path,
        args: &ReadArgs,
        found: &Found,
        moves: &[AdoptedPurchase],
        since: Timestamp,
    ) -> Result<(), Failure> {
        let moved = moves.iter().map(|m| m.machine.object().to_string());
        let mut moved: BTreeSet<String> = moved.collect();
        if self.left_over {
            moved.extend(converse(path, |asked| {
                Ok(known(asked)?.adopted(&self.source))
            })?);
        }
        let Some(source) = self.config.source(&self.source) else {
            return Ok(());
        };
        let (none, revisions) = (KnownShop::default(), Revisions::default());
        let shop = (&none, &revisions);
        let asking = Asking::Adoption;
        let events = of_source(&self.config, source, shop, args, asking, |question| {
            let events = runtime()?.block_on(changed(question, found, &moved, since));
            events.map_err(|error| failure(error, true))
        })?;
        report::say(&format!(
            "{} came meanwhile",
            counted(events.len(), "event", "events")
        ));
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        converse(path, |asked| self.deliver(asked, &events))?;
        self.pending.done().map_err(unkept)
    }

    fn deliver(&self, asked: &mut Conversation, events: &[String]) -> Result<(), Failure> {
        for events in events.chunks(EVENTS_AT_ONCE) {
            let (source, events) = (self.source.clone(), events.to_vec());
            asked.ask(Request::Adoption(AdoptionQuery::Deliver { source, events }))?;
        }
        Ok(())
    }
}

fn unkept(error: std::io::Error) -> Failure {
    Failure::ours(format!(
        "it cannot be kept in the data directory that the second pass is due: {error}"
    ))
}
