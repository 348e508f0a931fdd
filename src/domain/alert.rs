//! What the operator is alerted to, and when: one message for each topic when it begins, one when more of it came, one when it
//! is over. A plain function from what was reported, what waits and an instant, so that nothing is reported twice.

use minicbor::{Decode, Encode};

use super::attention::{Attention, AttentionCause, Concern};
use super::time::{Span, Timestamp};

/// A topic is over when it was gone for so long, or for the span between two messages where that is shorter: what comes and
/// goes is one topic.
const OVER_AFTER: Span = Span::from_minutes(5);
/// Items that are remembered of one topic. Of more than these the oldest may be reported again.
const ITEMS_MAX: usize = 2_000;

/// What a message is about: a cause; of what concerns the server itself also which service or source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Topic {
    #[n(0)]
    pub cause: AttentionCause,
    /// Empty where all purchases are one topic.
    #[n(1)]
    pub about: String,
}

impl Topic {
    fn of(concern: &Concern) -> Self {
        let about = if concern.is_of_purchases() {
            String::new()
        } else {
            concern.about()
        };
        Self {
            cause: concern.cause(),
            about,
        }
    }
}

/// A topic that was reported and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenTopic {
    #[n(0)]
    topic: Topic,
    /// Since when it is open.
    #[n(1)]
    since: Timestamp,
    /// When it was last reported.
    #[n(2)]
    reported: Timestamp,
    /// What was reported, by its code.
    #[n(3)]
    items: Vec<u64>,
    /// Since when nothing of it waits.
    #[n(4)]
    gone: Option<Timestamp>,
    /// When something of it that is reported at once was last reported.
    #[n(5)]
    urgent: Option<Timestamp>,
}

/// What was reported over one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct AlertLog {
    #[n(0)]
    open: Vec<OpenTopic>,
}

impl AlertLog {
    /// The same where one topic is as another log has it.
    #[must_use]
    pub fn with(&self, topic: &Topic, other: &Self) -> Self {
        let others = self.open.iter().filter(|open| open.topic != *topic);
        let new = other.open.iter().find(|open| open.topic == *topic);
        Self {
            open: others.chain(new).cloned().collect(),
        }
    }
}

/// What a message reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// It begins, or more of it came: what is new, the oldest first.
    Waits {
        new: Vec<&'a Attention>,
        /// All of it that waits.
        all: Vec<&'a Attention>,
        /// Whether it is the first message of the topic.
        begins: bool,
    },
    /// It is over.
    Recovered {
        /// Since when.
        at: Timestamp,
    },
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest<'a> {
    pub topic: Topic,
    /// Since when.
    pub since: Timestamp,
    pub news: News<'a>,
}

/// What is known of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of it.
    Whole,
    /// Not yet of every purchase: none of their topics is over.
    Partial,
}

/// The messages that are due, and what was reported once they are out.
#[must_use]
pub fn due_digests<'a>(
    log: &AlertLog,
    waiting: &'a [Attention],
    coverage: Coverage,
    every: Span,
    now: Timestamp,
) -> (Vec<Digest<'a>>, AlertLog) {
    let mut topics: Vec<(Topic, Vec<&Attention>)> = Vec::new();
    for attention in waiting {
        let topic = Topic::of(&attention.concern);
        match topics.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, items)) => items.push(attention),
            None => topics.push((topic, vec![attention])),
        }
    }
    let mut next = AlertLog::default();
    let mut out = Vec::new();
    for (topic, items) in &topics {
        let known = log.open.iter().find(|open| open.topic == *topic);
        next.open
            .extend(waits(topic, items, known, every, now, &mut out));
    }
    let absent = |open: &&OpenTopic| !topics.iter().any(|(topic, _)| *topic == open.topic);
    for open in log.open.iter().filter(absent) {
        let unknown = coverage == Coverage::Partial && open.topic.about.is_empty();
        // A clock that was ahead may have dated it.
        let gone = open.gone.unwrap_or(now).min(now);
        let over_after = Span::from_ms(every.ms().min(OVER_AFTER.ms()));
        if !unknown && now - gone >= over_after {
            out.push(Digest {
                topic: open.topic.clone(),
                since: open.since,
                news: News::Recovered { at: gone },
            });
            continue;
        }
        let gone = Some(gone).filter(|_| !unknown);
        next.open.push(OpenTopic {
            gone,
            ..open.clone()
        });
    }
    (out, next)
}

/// A topic of which something waits: what of it is to be reported now, and what is kept of it.
fn waits<'a>(
    topic: &Topic,
    items: &[&'a Attention],
    known: Option<&OpenTopic>,
    every: Span,
    now: Timestamp,
    out: &mut Vec<Digest<'a>>,
) -> Option<OpenTopic> {
    let was_reported = |a: &Attention| known.is_some_and(|open| open.items.contains(&a.code()));
    // Where it is dated far ahead, the clock was: nobody knows since when it waits.
    let age_ms = |a: &Attention| (now - a.since).ms().abs();
    let ripe = |a: &Attention| a.concern.is_urgent() || age_ms(a) >= every.ms();
    let mut new: Vec<&Attention> = items.to_vec();
    new.retain(|a| !was_reported(a) && ripe(a));
    let still = known.map(|open| OpenTopic {
        gone: None,
        ..open.clone()
    });
    let is_urgent = new.iter().any(|a| a.concern.is_urgent());
    // What is reported at once does not wait because something of its topic was that may wait.
    let last = known.and_then(|open| {
        if is_urgent {
            open.urgent
        } else {
            Some(open.reported)
        }
    });
    // A clock that was ahead reported it, and silences nothing now that it is right.
    let is_early = |at: Timestamp| at <= now && now - at < every;
    if new.is_empty() || last.is_some_and(is_early) {
        return still;
    }
    new.sort_by_key(|a| a.since);
    let since = known
        .map(|open| open.since)
        .or(new.first().map(|a| a.since));
    let since = since.unwrap_or(now);
    // What no longer waits need not be remembered.
    let mut codes: Vec<u64> = items
        .iter()
        .filter(|a| was_reported(a))
        .map(|a| a.code())
        .collect();
    codes.extend(new.iter().map(|a| a.code()));
    let excess = codes.len().saturating_sub(ITEMS_MAX);
    codes.drain(..excess);
    out.push(Digest {
        topic: topic.clone(),
        since,
        news: News::Waits {
            new,
            all: items.to_vec(),
            begins: known.is_none(),
        },
    });
    Some(OpenTopic {
        topic: topic.clone(),
        since,
        reported: now,
        items: codes,
        gone: None,
        urgent: is_urgent
            .then_some(now)
            .or_else(|| known.and_then(|open| open.urgent)),
    })
}

#[cfg(test)]
mod tests;
