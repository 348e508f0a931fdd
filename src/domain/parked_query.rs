//! Queries for parked events whose links are asked for at Stripe, and when the next query is due.

use minicbor::{Decode, Encode};

use super::action::{Outcome, RefusalScope};
use super::fact::{Fact, Name};
use super::retry::{next_try, next_try_refused};
use super::time::{Span, Timestamp};

/// Most links come by themselves, within seconds of what needs them.
pub const FIRST_LOOK: Span = Span::from_s(10);
/// So long after an answer without a link the next query waits; after the last one the query is given up. The longest
/// way of a link at Stripe itself is a delayed payment's invoice, made when its session is complete.
const WAITS: [Span; 4] = [
    Span::from_minutes(1),
    Span::from_minutes(10),
    Span::from_hours(1),
    Span::from_days(1),
];

/// How the query for a name's purchase stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ParkedQuery {
    /// When Stripe is asked next; `None`: it was given up.
    #[n(0)]
    pub due: Option<Timestamp>,
    /// Tries in a row that were not answered.
    #[n(1)]
    pub attempts: u32,
    /// Answers that held no link.
    #[n(2)]
    pub answered: u32,
    /// What Stripe said last, if that was no answer.
    #[n(3)]
    pub error: Option<String>,
}

/// The name by which a parked fact is searched for: its payment, else its charge.
#[must_use]
pub fn subject(fact: &Fact) -> Option<Name> {
    fact.names()
        .into_iter()
        .find(|n| matches!(n, Name::PaymentIntent(_) | Name::Charge(_)))
}

impl ParkedQuery {
    /// The search for what was just parked.
    #[must_use]
    pub fn begun(now: Timestamp) -> Self {
        Self {
            due: Some(now + FIRST_LOOK),
            attempts: 0,
            answered: 0,
            error: None,
        }
    }

    /// Takes in what came of a query. `jitter` is a number from 0 to 999 that spreads the load.
    pub fn learn(&mut self, outcome: &Outcome, now: Timestamp, jitter: u32) {
        match outcome {
            Outcome::Refused { why, scope } => {
                self.attempts += 1;
                self.error = Some(why.clone());
                let is_again = *scope == RefusalScope::Service;
                self.due = is_again.then(|| next_try_refused(now, self.attempts, jitter));
            }
            Outcome::Again { after, why } => {
                self.attempts += 1;
                self.error = Some(why.clone());
                self.due = Some(next_try(now, self.attempts, jitter, *after));
            }
            Outcome::Answered
            | Outcome::Done(_)
            | Outcome::Unknown { .. }
            | Outcome::Absent { .. }
            | Outcome::Gone
            | Outcome::NoEffect { .. }
            | Outcome::ByHand { .. } => {
                let wait = usize::try_from(self.answered)
                    .ok()
                    .and_then(|n| WAITS.get(n));
                self.due = wait.map(|w| now + *w);
                (self.attempts, self.answered, self.error) = (0, self.answered + 1, None);
            }
        }
    }
}
