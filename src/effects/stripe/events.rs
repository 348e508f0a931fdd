//! Stripe's event list, a window of time at a time. It is filtered by time alone: a cursor would have to fit the filter, and
//! windows that end behind each other need none.

use serde_json::Value;

use super::answer::Answer;
use super::{Account, Share, query};
use crate::domain::id::AccountId;
use crate::domain::time::{Span, Timestamp};

/// Events of one page.
const PAGE: &str = "100";
/// Pages of a window of one second, which cannot be cut any further.
const PAGES_OF_A_SECOND_MAX: usize = 50;

/// What there was in a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct EventWindow {
    /// The events, the oldest first.
    pub events: Vec<Value>,
    /// When the oldest of them was made, where there are older ones in the window that are not shown.
    pub cut_at: Option<Timestamp>,
    /// Requests that it took.
    pub reads: u32,
}

impl Account {
    /// The events that were made from one whole second to another, that one not included; the newest of them, where they
    /// are more than a page.
    pub(in crate::effects) async fn events(
        &self,
        from: Timestamp,
        until: Timestamp,
        account: Option<&AccountId>,
    ) -> Answer<EventWindow> {
        let (gte, lt) = (from.s().to_string(), until.s().to_string());
        let window = [
            ("limit", PAGE),
            ("created[gte]", gte.as_str()),
            ("created[lt]", lt.as_str()),
        ];
        let (mut newest_first, mut reads): (Vec<Value>, u32) = (Vec::new(), 0);
        let pages_max = if until - from <= Span::from_s(1) {
            PAGES_OF_A_SECOND_MAX
        } else {
            1
        };
        let mut more = true;
        while more && (reads as usize) < pages_max {
            let last = newest_first.last().and_then(|e| e["id"].as_str());
            let last = last.map(str::to_owned);
            let mut query = window.to_vec();
            query.extend(last.as_deref().map(|id| ("starting_after", id)));
            let page = match self
                .get_as(Share::Sweep, &["events"], &query, account)
                .await
                .done()
            {
                Ok(page) => page,
                Err(other) => return other,
            };
            reads += 1;
            let Some(data) = page["data"].as_array() else {
                return query::no_list();
            };
            newest_first.extend(data.iter().cloned());
            more = page["has_more"] == true && !data.is_empty();
        }
        let oldest = newest_first.last().and_then(|e| e["created"].as_i64());
        newest_first.reverse();
        Answer::Done(EventWindow {
            events: newest_first,
            cut_at: oldest.filter(|_| more).map(Timestamp::from_s),
            reads,
        })
    }

    /// The account's webhook endpoints; Stripe allows fewer than a page holds.
    pub async fn webhook_endpoints(&self) -> Answer<Vec<Value>> {
        let query = [("limit", PAGE)];
        let page = self.get_as(Share::Sweep, &["webhook_endpoints"], &query, None);
        match page.await.done() {
            Ok(page) => page["data"]
                .as_array()
                .cloned()
                .map_or_else(query::no_list, Answer::Done),
            Err(other) => other,
        }
    }
}
