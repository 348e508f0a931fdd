//! A person's word on an event that could not be read: nothing is to come of it.

use super::context::Context;
use super::failure::Failure;
use super::read::listed;
use super::response::{Changed, Response};
use crate::domain::decision::Decision;
use crate::domain::id::{EventId, Scope};
use crate::domain::no_use::Dismissal;
use crate::engine::input::Input;
use crate::engine::route::reparse;

/// The event that a text names, by its id or with the source or account in front; `None`: it is none that could not be read.
pub(super) fn unread(context: &Context, text: &str) -> Result<Option<(Scope, EventId)>, Failure> {
    let mut found: Vec<(Scope, EventId)> = reparse::all(context.handle.reader())?
        .into_iter()
        .map(|one| (one.scope, one.event))
        .filter(|(scope, event)| event.as_str() == text || format!("{scope}/{event}") == text)
        .collect();
    if found.len() > 1 {
        let all: Vec<String> = found.iter().map(|(s, e)| format!("{s}/{e}")).collect();
        return Err(
            Failure::input(format!("`{text}` names several events:{}", listed(&all)))
                .hint("name one of them"),
        );
    }
    Ok(found.pop())
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
