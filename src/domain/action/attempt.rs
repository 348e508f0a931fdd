//! The attempts of an action, for whoever must explain why something took so long. What went well at once keeps none: its
//! outcome says it all, and most do.

use minicbor::{Decode, Encode};

use super::{Action, Outcome};
use crate::domain::policy::choices;
use crate::domain::time::Timestamp;

/// So many are kept of one action: the first, and the newest of the others.
const KEPT_MAX: usize = 8;
/// So many characters of what was said.
const SAID_LEN_MAX: usize = 160;

choices! {
    /// How an attempt was answered.
    Answer {
        /// It was carried out.
        0 Done = "done",
        /// Nothing happened; it is tried again.
        1 Again = "not done",
        /// Nobody knows whether it was carried out.
        2 Unknown = "unknown",
        /// It was refused.
        3 Refused = "refused",
        /// It was looked for and not found.
        4 Absent = "not found",
        /// Its license is gone.
        5 Gone = "gone",
    }
}

/// One attempt with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// When it was sent.
    #[n(0)]
    pub sent: Timestamp,
    /// When its answer was heard.
    #[n(1)]
    pub answered: Timestamp,
    /// How it ended.
    #[n(2)]
    pub answer: Answer,
    /// What was said; `None`: nothing, or the same as of the attempt before.
    #[n(3)]
    pub said: Option<String>,
}

impl Action {
    /// Notes an attempt, where one failed before or this one did.
    pub(in crate::domain) fn note_attempt(
        &mut self,
        outcome: &Outcome,
        sent: Timestamp,
        answered: Timestamp,
    ) {
        let (answer, said) = match outcome {
            Outcome::Done(_) | Outcome::Answered => (Answer::Done, None),
            Outcome::Again { why, .. } => (Answer::Again, Some(why)),
            Outcome::Unknown { why } => (Answer::Unknown, Some(why)),
            Outcome::Refused { why, .. } | Outcome::NoEffect { why } => {
                (Answer::Refused, Some(why))
            }
            Outcome::ByHand { why, .. } => (Answer::Refused, why.as_ref()),
            Outcome::Absent { .. } => (Answer::Absent, None),
            Outcome::Gone => (Answer::Gone, None),
        };
        let news = !matches!(answer, Answer::Done | Answer::Absent);
        if self.tried.is_none() && !news {
            return;
        }
        let tried = self.tried.get_or_insert_default();
        let before = tried.iter().rev().find_map(|a| a.said.clone());
        let said = said.map(|s| s.chars().take(SAID_LEN_MAX).collect::<String>());
        let said = said.filter(|s| before.as_ref() != Some(s));
        if tried.len() >= KEPT_MAX {
            let dropped = tried.remove(1);
            // What was said then may be what the ones after it leave out.
            if let Some(next) = tried.get_mut(1)
                && next.said.is_none()
            {
                next.said = dropped.said;
            }
        }
        tried.push(Attempt {
            sent,
            answered,
            answer,
            said,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Act;
    use crate::domain::id::LicenseKey;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_s(s)
    }

    fn action() -> Action {
        let key = LicenseKey::new("KEY-1");
        Action::new(1, Act::Read { key }, 1, at(0))
    }

    fn again(why: &str) -> Outcome {
        let why = why.to_owned();
        Outcome::Again { after: None, why }
    }

    #[test]
    fn what_went_well_at_once_keeps_nothing() {
        let mut action = action();
        action.note_attempt(&Outcome::Answered, at(1), at(2));
        assert_eq!(action.tried, None);
    }

    #[test]
    fn the_first_and_the_newest_are_kept_and_nothing_is_said_twice() {
        let mut action = action();
        for n in 0..20 {
            action.note_attempt(&again(if n < 15 { "503" } else { "429" }), at(n), at(n + 1));
        }
        action.note_attempt(&Outcome::Answered, at(30), at(31));
        let tried = action.tried.unwrap();
        let sent: Vec<i64> = tried.iter().map(|a| a.sent.s()).collect();
        assert_eq!(sent, [0, 14, 15, 16, 17, 18, 19, 30]);
        let said: Vec<Option<&str>> = tried.iter().map(|a| a.said.as_deref()).collect();
        let (first, then) = (Some("503"), Some("429"));
        assert_eq!(said, [first, None, then, None, None, None, None, None]);
        assert_eq!(tried[7].answer, Answer::Done);
    }
}
