//! Deliveries that never come: what Stripe's event list shows and the webhook endpoint did not bring.
//!
//! A single one says nothing. Stripe delivers late now and then, tries again for three days what failed once, and its list is
//! read an hour after the last time: what is fetched there may be under way. So a type counts as missed when two of its events
//! lie apart by [`APART_MIN`] or more and none of it arrived by itself since the first: an outage at Stripe of some minutes
//! does not look like that, and an endpoint that was deleted does at its second sale, however rarely the shop sells.

use minicbor::{Decode, Encode};

use super::adoption::Gap;
use super::time::{Span, Timestamp};

/// A type's first and newest missed event lie apart by so much before it is reported: more than one round of the list.
const APART_MIN: Span = Span::from_hours(1);
/// What is older than Stripe keeps its events is no news of the endpoint.
const KEPT: Span = Span::from_days(30);

/// How an event came to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its `created`.
    pub created: Timestamp,
    /// Its type.
    pub kind: String,
    /// How it came.
    pub way: Way,
}

/// See [`Arrival`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Stripe delivered it, sooner than the list would have shown it to us.
    Prompt,
    /// It was fetched from the list.
    Fetched,
}

/// How the events of one account came, as far as that tells something of its endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Deliveries {
    /// The types of which one was delivered promptly once. Of another the endpoint may never have been told to hear: that is
    /// `keyward check --online`'s matter.
    #[n(0)]
    heard: Vec<String>,
    /// What was fetched and came no other way since.
    #[n(1)]
    missed: Vec<MissedType>,
}

/// The events of a type that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MissedType {
    /// The type.
    #[n(0)]
    pub kind: String,
    /// The `created` of the first one.
    #[n(1)]
    pub first: Timestamp,
    /// And of the newest.
    #[n(2)]
    pub last: Timestamp,
    /// How many.
    #[n(3)]
    pub count: u32,
}

impl Deliveries {
    /// Adds what a round over the list showed. In `gaps` nobody listened: what was made then may come by Stripe's next try.
    pub fn add(&mut self, mut arrivals: Vec<Arrival>, gaps: &[Gap], now: Timestamp) {
        arrivals.sort_by_key(|arrival| arrival.created);
        self.missed.retain(|missed| now - missed.last < KEPT);
        for Arrival { created, kind, way } in arrivals {
            match way {
                Way::Prompt => self.arrived(kind, created),
                Way::Fetched if gaps.iter().any(|g| g.from <= created && created <= g.to) => {}
                Way::Fetched => self.fetched(kind, created),
            }
        }
    }

    fn arrived(&mut self, kind: String, created: Timestamp) {
        // One missed type that arrives by itself ends it for all: they go to one endpoint, and others that do not arrive are
        // missed anew. One that never was missed says nothing: the endpoint may have been told to hear only of it.
        let is_over = |missed: &MissedType| missed.kind == kind && missed.last < created;
        if self.missed.iter().any(is_over) {
            self.missed.clear();
        }
        if !self.heard.contains(&kind) {
            self.heard.push(kind);
        }
    }

    fn fetched(&mut self, kind: String, created: Timestamp) {
        // Where nothing was ever delivered, nothing is known of what the endpoint hears, and everything counts.
        if !self.heard.is_empty() && !self.heard.contains(&kind) {
            return;
        }
        match self.missed.iter_mut().find(|missed| missed.kind == kind) {
            Some(missed) => {
                missed.first = missed.first.min(created);
                missed.last = missed.last.max(created);
                missed.count = missed.count.saturating_add(1);
            }
            None => self.missed.push(MissedType {
                kind,
                first: created,
                last: created,
                count: 1,
            }),
        }
    }

    /// What is missed, each type, where that is more than an event that comes late.
    #[must_use]
    pub fn missed(&self) -> Option<&[MissedType]> {
        let says_something = |missed: &MissedType| missed.last - missed.first >= APART_MIN;
        let any = self.missed.iter().any(says_something);
        any.then_some(&self.missed[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn minutes(n: i64) -> Timestamp {
        NOW + Span::from_minutes(n)
    }

    fn prompt(kind: &str, minute: i64) -> Arrival {
        Arrival {
            created: minutes(minute),
            kind: kind.to_owned(),
            way: Way::Prompt,
        }
    }

    fn fetched(kind: &str, minute: i64) -> Arrival {
        Arrival {
            way: Way::Fetched,
            ..prompt(kind, minute)
        }
    }

    /// What is missed after each round, as `kind count`.
    fn play(rounds: &[&[Arrival]], gaps: &[Gap]) -> Vec<String> {
        let mut deliveries = Deliveries::default();
        let after = |round: &&[Arrival]| {
            let now = round.last().map_or(NOW, |a| a.created);
            deliveries.add(round.to_vec(), gaps, now);
            let missed = deliveries.missed().unwrap_or_default().iter();
            let words: Vec<_> = missed.map(|m| format!("{} {}", m.kind, m.count)).collect();
            words.join(", ")
        };
        rounds.iter().map(after).collect()
    }

    #[test]
    fn what_is_fetched_again_and_again_is_missed() {
        let known = [prompt("sale", 0), prompt("paid", 0)];
        let first = [fetched("sale", 5), fetched("paid", 5), fetched("sale", 50)];
        let second = [fetched("sale", 65)];
        let rounds: [&[Arrival]; 4] = [&known, &first, &[], &second];
        let said = ["", "", "", "sale 3, paid 1"];
        assert_eq!(play(&rounds, &[]), said, "and a round without any is none");
        // A shop that sells once a day.
        let rounds: [&[Arrival]; 3] = [&known, &[fetched("sale", 60)], &[fetched("sale", 1500)]];
        assert_eq!(play(&rounds, &[]), ["", "", "sale 2"]);
    }

    #[test]
    fn it_is_over_when_one_of_them_arrives_by_itself() {
        let missed = [fetched("sale", 5), fetched("paid", 6), fetched("sale", 99)];
        let begins = [&[prompt("other", 0)][..], &[prompt("sale", 0)]].concat();
        for (next, said) in [
            (prompt("sale", 120), ""),
            (prompt("sale", 98), "sale 2"),
            (prompt("other", 120), "sale 2"),
        ] {
            let rounds: [&[Arrival]; 3] = [&begins, &missed, std::slice::from_ref(&next)];
            assert_eq!(play(&rounds, &[])[2], said, "{next:?}");
        }
    }

    #[test]
    fn one_that_is_late_and_what_nobody_was_there_for_is_not() {
        let known = [prompt("sale", 0)];
        let late: [&[Arrival]; 4] = [
            &known,
            &[fetched("sale", 5), fetched("sale", 9), prompt("sale", 11)],
            &[fetched("sale", 70), prompt("sale", 71)],
            &[fetched("refund", 80), fetched("refund", 200)],
        ];
        assert_eq!(play(&late, &[]), [""; 4]);
        let gap = Gap::between(minutes(4), minutes(600));
        let away: [&[Arrival]; 2] = [&known, &[fetched("sale", 5), fetched("sale", 599)]];
        assert_eq!(play(&away, &[gap]), [""; 2]);
        let old: [&[Arrival]; 2] = [&[fetched("sale", 5)], &[fetched("sale", 60 * 24 * 40)]];
        assert_eq!(play(&old, &[]), ["", ""]);
        let never: [&[Arrival]; 1] =
            [&[fetched("sale", 5), fetched("paid", 5), fetched("sale", 70)]];
        assert_eq!(play(&never, &[]), ["sale 2, paid 1"], "it never worked");
    }
}
