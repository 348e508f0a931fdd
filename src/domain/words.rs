//! Where the domain's sentences pass on their way to people.
//!
//! Nothing branches on a sentence, compares one or keeps one. To prove it, a test puts all of them into other words and
//! looks whether anything but what people read has changed: so every sentence has one way out.

use std::fmt;

/// A value that is told to people in a sentence. Its `Display` is made by [`sentences!`].
pub(super) trait Sentence {
    /// Writes the sentence.
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Gives sentences their `Display`.
macro_rules! sentences {
    ($($name:ty),+ $(,)?) => {
        $(impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::domain::words::pass(self, f)
            }
        })+
    };
}
pub(super) use sentences;

/// The one way out.
pub(super) fn pass(sentence: &impl Sentence, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    #[cfg(debug_assertions)]
    if other::are_wanted() {
        return other::say(sentence, f);
    }
    sentence.say(f)
}

#[cfg(debug_assertions)]
pub use other::in_other_words;

#[cfg(debug_assertions)]
mod other {
    use std::cell::Cell;
    use std::fmt;

    use super::Sentence;

    thread_local! {
        static WANTED: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs something while every sentence on this thread reads differently. Debug builds only: it is there to be tested with.
    pub fn in_other_words<T>(run: impl FnOnce() -> T) -> T {
        struct Before(bool);
        impl Drop for Before {
            fn drop(&mut self) {
                WANTED.set(self.0);
            }
        }
        let _before = Before(WANTED.replace(true));
        run()
    }

    pub(super) fn are_wanted() -> bool {
        WANTED.get()
    }

    /// Every letter twice, so that no word of the sentence is left in it.
    pub(super) fn say(sentence: &impl Sentence, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Plain<'a, S>(&'a S);
        impl<S: Sentence> fmt::Display for Plain<'_, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.say(f)
            }
        }
        let plain = Plain(sentence).to_string();
        let doubled: String = plain.chars().flat_map(|c| [c, c]).collect();
        f.write_str(&doubled)
    }
}

/// So many of something: `1 purchase`, `2 purchases`.
#[must_use]
pub fn counted<N: fmt::Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let words = if count == N::from(1) { one } else { many };
    format!("{count} {words}")
}
