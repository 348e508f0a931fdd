//! A person's word on an event: nothing is to come of one that could not be read, and one that waits for its purchase may
//! wait on without anybody's looking.

use super::context::Context;
use super::failure::Failure;
use super::read::{self, listed};
use super::response::{Changed, Response};
use crate::domain::decision::Decision;
use crate::domain::id::{EventId, Scope};
use crate::domain::no_use::Dismissal;
use crate::engine::input::Input;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::{self, EventHead, key};
use crate::engine::route::reparse;
use crate::engine::write::working::Committed;

/// The event that a text names, by its id or with the source or account in front, if a person's word settles it: it could not
/// be read, or waits for its purchase.
pub(super) fn unsettled(
    context: &Context,
    text: &str,
) -> Result<Option<(Scope, EventId)>, Failure> {
    let unread = reparse::all(context.handle.reader())?
        .into_iter()
        .map(|one| (one.scope, one.event));
    let mut found: Vec<(Scope, EventId)> = unread
        .filter(|(scope, event)| event.as_str() == text || format!("{scope}/{event}") == text)
        .collect();
    found.extend(parked(context, text)?);
    if found.len() > 1 {
        let all: Vec<String> = found.iter().map(|(s, e)| format!("{s}/{e}")).collect();
        return Err(
            Failure::input(format!("`{text}` names several events:{}", listed(&all)))
                .hint("name one of them"),
        );
    }
    Ok(found.pop())
}

/// The events of this name that wait for their purchase.
fn parked(context: &Context, text: &str) -> Result<Vec<(Scope, EventId)>, Failure> {
    let (scopes, id) = match text.rsplit_once('/') {
        Some((scope, id)) => (vec![Scope::of(scope)], id),
        None => (read::scopes(context)?, text),
    };
    let id = EventId::from(id);
    let mut found = Vec::new();
    for scope in scopes {
        let kept = record::get(
            &Committed(context.handle.reader()),
            &key::event(&scope, &id),
        )?;
        if kept.is_some_and(|e: EventHead| matches!(e.disposition, Disposition::Parked(_))) {
            found.push((scope, id.clone()));
        }
    }
    Ok(found)
}

/// Settles it.
pub(super) async fn dismiss(
    context: &Context,
    (scope, event): (Scope, EventId),
    said: Decision,
) -> Result<Response, Failure> {
    let name = format!("{scope}/{event}");
    let by = Dismissal {
        author: said.author,
        reason: said.reason,
    };
    let input = Input::Dismiss { scope, event, by };
    context.handle.submit_waiting(input).await?;
    Ok(Response::Changed(Changed {
        events: vec![name],
        ..Changed::default()
    }))
}
