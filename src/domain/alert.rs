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
        /// How many wait in all.
        total: usize,
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
        let gone = open.gone.unwrap_or(now);
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
    let ripe = |a: &Attention| a.concern.is_urgent() || now - a.since >= every;
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
    if new.is_empty() || last.is_some_and(|at| now - at < every) {
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
            total: items.len(),
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
mod tests {
    use super::*;
    use crate::domain::attention::{ActionAttention, HeldBack, ServiceTrouble, Shortage};

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);
    const EVERY: Span = Span::from_minutes(15);

    fn minutes(n: i64) -> Timestamp {
        NOW + Span::from_minutes(n)
    }

    fn refused(number: u32, since: Timestamp) -> Attention {
        let concern = Concern::RefusedAction(ActionAttention {
            machine: "stripe/cs_1".parse().unwrap(),
            number,
            act: "extend_license",
            creates: false,
            lost: None,
            lacks_access: false,
            why: None,
        });
        Attention { since, concern }
    }

    fn gone(trouble: ServiceTrouble, since: Timestamp) -> Attention {
        let concern = Concern::ServiceGone {
            service: "authforge",
            trouble,
            why: "401".to_owned(),
        };
        Attention { since, concern }
    }

    /// Plays what waits at some minutes; what is reported, as `cause: new of total` or `cause: over`.
    fn play(coverage: Coverage, at: &[(i64, Vec<Attention>)]) -> Vec<String> {
        let (mut log, mut said) = (AlertLog::default(), Vec::new());
        for (minute, waiting) in at {
            let now = minutes(*minute);
            let (digests, next) = due_digests(&log, waiting, coverage, EVERY, now);
            said.extend(digests.iter().map(|d| match &d.news {
                News::Waits { new, total, .. } => format!(
                    "{minute} {}: {} of {total}",
                    d.topic.cause.as_str(),
                    new.len()
                ),
                News::Recovered { .. } => format!("{minute} {}: over", d.topic.cause.as_str()),
            }));
            // It survives a restart.
            log = stored(&next);
        }
        said
    }

    fn stored(log: &AlertLog) -> AlertLog {
        let mut bytes = Vec::new();
        minicbor::encode(log, &mut bytes).unwrap();
        minicbor::decode(&bytes).unwrap()
    }

    #[test]
    fn an_urgent_topic_is_reported_at_once_and_once_and_then_its_end() {
        let refuses = || vec![gone(ServiceTrouble::Refusing, NOW)];
        let said = play(
            Coverage::Whole,
            &[
                (0, refuses()),
                (1, refuses()),
                (90, refuses()),
                (91, vec![]),
                (93, refuses()),
                (94, vec![]),
                (98, vec![]),
                (99, vec![]),
                (200, vec![]),
            ],
        );
        assert_eq!(said, ["0 service: 1 of 1", "99 service: over"]);
    }

    #[test]
    fn what_may_pass_by_itself_is_reported_when_it_has_lasted() {
        let down = || vec![gone(ServiceTrouble::Down, NOW)];
        let said = play(Coverage::Whole, &[(0, down()), (14, down()), (15, down())]);
        assert_eq!(said, ["15 service: 1 of 1"]);
        let said = play(Coverage::Whole, &[(0, down()), (14, vec![]), (40, vec![])]);
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_full_disk_is_reported_at_once_and_an_order_when_it_has_stood() {
        let full = |shortage| {
            let why = "14.00 MiB free, 16.00 MiB needed".to_owned();
            let concern = Concern::StoreFull { shortage, why };
            vec![Attention {
                since: NOW,
                concern,
            }]
        };
        let at_once = |waiting| play(Coverage::Whole, &[(0, waiting)]);
        assert_eq!(at_once(full(Shortage::Disk)), ["0 full: 1 of 1"]);
        assert_eq!(at_once(full(Shortage::Memory)), [""; 0], "it may pass");
        let paused = |holds| {
            let concern = Concern::HeldBack {
                what: HeldBack::Service("authforge".to_owned()),
                by: "ada (moving)".to_owned(),
                holds,
            };
            vec![Attention {
                since: NOW,
                concern,
            }]
        };
        let said = play(
            Coverage::Whole,
            &[
                (0, paused(None)),
                (14, paused(Some(1))),
                (15, paused(Some(2))),
                (60, paused(Some(3))),
                (61, vec![]),
                (66, vec![]),
            ],
        );
        assert_eq!(said, ["15 held_back: 1 of 1", "66 held_back: over"]);
    }

    #[test]
    fn more_of_a_topic_is_one_message_each_time() {
        let some = |ns: &[u32]| ns.iter().map(|n| refused(*n, NOW - EVERY)).collect();
        let said = play(
            Coverage::Whole,
            &[
                (0, some(&[1, 2])),
                (5, some(&[1, 2, 3])),
                (16, some(&[1, 2, 3, 4])),
                (40, some(&[4])),
                (41, some(&[4, 5])),
                (60, some(&[5])),
            ],
        );
        assert_eq!(
            said,
            [
                "0 refused_action: 2 of 2",
                "16 refused_action: 2 of 4",
                "41 refused_action: 1 of 2"
            ]
        );
    }

    /// A digest of what may wait does not hold back what may not, and each has its own pause.
    #[test]
    fn what_is_urgent_does_not_wait_for_the_next_digest_of_its_topic() {
        let create = |number: u32, since| {
            let mut urgent = refused(number, since);
            if let Concern::RefusedAction(action) = &mut urgent.concern {
                action.creates = true;
            }
            urgent
        };
        let waits = || refused(1, NOW - EVERY);
        let said = play(
            Coverage::Whole,
            &[
                (0, vec![waits()]),
                (1, vec![waits(), create(2, minutes(1))]),
                (
                    2,
                    vec![waits(), create(2, minutes(1)), create(3, minutes(2))],
                ),
                (
                    16,
                    vec![waits(), create(2, minutes(1)), create(3, minutes(2))],
                ),
            ],
        );
        assert_eq!(
            said,
            [
                "0 refused_action: 1 of 1",
                "1 refused_action: 1 of 2",
                "16 refused_action: 1 of 3"
            ]
        );
    }

    /// A service that did not answer and now refuses us is another trouble: nobody mends it by waiting.
    #[test]
    fn a_service_that_was_down_and_now_refuses_us_is_news() {
        let down = || vec![gone(ServiceTrouble::Down, NOW)];
        let refuses = || vec![gone(ServiceTrouble::Refusing, NOW)];
        let said = play(
            Coverage::Whole,
            &[(15, down()), (16, refuses()), (17, refuses()), (18, down())],
        );
        assert_eq!(said, ["15 service: 1 of 1", "16 service: 1 of 1"]);
    }

    #[test]
    fn nothing_of_purchases_is_over_before_all_were_looked_at() {
        let waiting = || vec![refused(1, NOW - EVERY)];
        let said = play(
            Coverage::Partial,
            &[(0, waiting()), (30, vec![]), (60, vec![])],
        );
        assert_eq!(said, ["0 refused_action: 1 of 1"]);
    }
}
