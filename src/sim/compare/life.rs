//! What became of one license: what its holder saw happen to it, and on how many days it worked.

use super::{Happens, Window, rounded};
use crate::domain::action::GrantStatus;
use crate::domain::time::Timestamp;
use crate::sim::services::Step;

/// What a license was to its holder within a window.
pub(super) struct Life {
    pub(super) happened: Vec<(Timestamp, Happens)>,
    pub(super) days: f64,
}

/// A day in milliseconds.
const DAY_MS: f64 = 86_400_000.0;

impl Life {
    pub(super) fn of(steps: &[Step], window: Window) -> Self {
        let mut happened = Vec::new();
        let mut live_ms = 0;
        for (n, step) in steps.iter().enumerate() {
            let before = n.checked_sub(1).map(|n| steps[n]);
            happened.extend(change(before.as_ref(), step).map(|what| (step.at, what)));
            let next = steps
                .get(n + 1)
                .map_or(window.until, |next| next.at.min(window.until));
            if step.status != GrantStatus::Live {
                continue;
            }
            let end = step.expires_at.map_or(next, |expires| expires.min(next));
            live_ms += (end.ms() - step.at.max(window.since).ms()).max(0);
            // A stop at the very instant of the expiry is the stop.
            let stopped = steps
                .get(n + 1)
                .is_some_and(|s| Some(s.at) == step.expires_at);
            if let Some(expires) = step
                .expires_at
                .filter(|e| *e <= next && *e > step.at && !stopped)
            {
                happened.push((expires, Happens::Expired));
            }
        }
        happened.retain(|(at, _)| *at >= window.since && *at <= window.until);
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a million years are exact"
        )]
        let days = rounded(live_ms as f64 / DAY_MS);
        Self { happened, days }
    }
}

/// What a step means to the license's holder.
fn change(before: Option<&Step>, now: &Step) -> Option<Happens> {
    let Some(before) = before else {
        return Some(Happens::Created);
    };
    let lives = now.status == GrantStatus::Live && now.expires_at.is_none_or(|e| e > now.at);
    let lived = before.status == GrantStatus::Live && before.expires_at.is_none_or(|e| e >= now.at);
    match now.status {
        GrantStatus::Revoked if before.status != GrantStatus::Revoked => Some(Happens::Revoked),
        GrantStatus::Suspended if lived => Some(Happens::Suspended),
        GrantStatus::Live if lives && !lived => Some(Happens::Restored),
        GrantStatus::Live if lived && !lives => Some(Happens::Expired),
        GrantStatus::Live | GrantStatus::Suspended | GrantStatus::Revoked => None,
    }
}
