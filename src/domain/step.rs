//! What an entry of a transition table can say.

/// The answer of a table to one (state, trigger) pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<S> {
    /// The state changes.
    To(S),
    /// It does not, and this is why.
    Stay(&'static str),
}

impl<S: Copy> Step<S> {
    /// The state after the step.
    pub fn from(self, state: S) -> S {
        match self {
            Self::To(next) => next,
            Self::Stay(_) => state,
        }
    }
}
