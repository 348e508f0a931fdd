//! When a page that waits for a key asks again.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;
use crate::http::web::Refresh;

/// When a waiting page looks again, try by try; after the last it looks no more.
const RELOAD_AFTER_S: [u32; 24] = [
    5, 5, 5, 5, 5, 5, 10, 10, 10, 15, 15, 20, 30, 30, 30, 60, 60, 60, 120, 120, 300, 300, 600, 600,
];

/// What the page's own refresh carries. Whoever forges it changes only what he is shown himself.
pub(super) struct RefreshState {
    /// How often the page has looked.
    tries: usize,
    /// When the visitor asked first.
    pub(super) since: Timestamp,
}

impl RefreshState {
    pub(super) fn of(query: &BTreeMap<String, String>, now: Timestamp) -> Self {
        let tries = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(0);
        let since = query
            .get("since")
            .and_then(|s| s.parse().ok())
            .map(Timestamp::from_s);
        Self {
            tries,
            since: since.filter(|since| *since <= now).unwrap_or(now),
        }
    }

    /// When and where the page looks again, if it does.
    pub(super) fn again(&self, session: &str, is_unknown: bool) -> Option<Refresh> {
        let after_s = *RELOAD_AFTER_S.get(self.tries)?;
        let mut url = format!("?session_id={session}&n={}", self.tries + 1);
        if is_unknown {
            url.push_str(&format!("&since={}", self.since.s()));
        }
        Some(Refresh { after_s, url })
    }
}
