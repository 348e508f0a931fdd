//! Why a recovery came to no result, and what that tells of the service.

use crate::effects::license::sweep::Endless;
use crate::effects::license::{Refusal, RefusalKind};
use crate::effects::throttle::CallResult;

/// Why a recovery came to no result. Nothing may be concluded from it: try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The service refuses.
    #[error("the license service refused the look-up: {0}")]
    Refused(#[from] Refusal),
    /// The service does not answer, or asks for more patience than a recovery has.
    #[error("the license service could not be looked through: {0}")]
    Unanswered(String),
    /// The list does not end.
    #[error(transparent)]
    Endless(#[from] Endless),
}

impl RecoverError {
    /// What it tells of the service.
    #[must_use]
    pub fn call_result(&self) -> CallResult {
        match self {
            Self::Unanswered(_) => CallResult::Broken,
            Self::Refused(refusal) if refusal.kind == RefusalKind::BadKey => CallResult::Locked,
            Self::Refused(_) | Self::Endless(_) => CallResult::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recovery that comes to nothing tells of the service what any other call would.
    #[test]
    fn a_failed_recovery_tells_whether_the_service_lives() {
        let refused = |kind| {
            RecoverError::Refused(Refusal {
                kind,
                status: 400,
                code: String::new(),
                message: String::new(),
            })
        };
        let dead = RecoverError::Unanswered("connection refused".to_owned());
        assert_eq!(dead.call_result(), CallResult::Broken);
        assert_eq!(
            refused(RefusalKind::BadKey).call_result(),
            CallResult::Locked
        );
        assert_eq!(
            refused(RefusalKind::NotFound).call_result(),
            CallResult::Good
        );
    }
}
