//! What `adopt` and `audit` need of a store: its purchases as they are, the labels that were read, and the door for what is
//! taken in.

use super::context::Context;
use super::failure::Failure;
use super::history::{from, packed};
use super::request::AdoptionQuery;
use super::response::{Changed, Response};
use crate::domain::machine::Machine;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::key::Table;
use crate::engine::record::{self as stored, labels};
use crate::engine::write::working::Committed;

/// A page of purchases ends when it is longer than this, in bytes.
const PAGE_LEN: usize = 2 << 20;

/// Answers.
pub(super) async fn answer(context: &Context, query: AdoptionQuery) -> Result<Response, Failure> {
    match query {
        AdoptionQuery::Machines { after } => {
            context.read(move |context| machines(context, &after)).await
        }
        AdoptionQuery::Labels => context.read(kept_labels).await,
        AdoptionQuery::Remember { labels } => {
            context.handle.submit_waiting(Input::Labels(labels)).await?;
            Ok(done())
        }
    }
}

fn done() -> Response {
    Response::Changed(Changed {
        machines: Vec::new(),
        actions: None,
        mails: None,
        decision: None,
    })
}

fn machines(context: &Context, after: &Option<String>) -> Result<Response, Failure> {
    let (mut rows, mut next, mut len) = (Vec::new(), None, 0);
    let reader = context.handle.reader();
    view::walk(reader, from(Table::Machine, after)?, |key, first| {
        let machine: Machine = stored::whole(&Committed(reader), key, first)?;
        let text = packed(&machine);
        len += text.len();
        rows.push(text);
        if len >= PAGE_LEN {
            next = Some(hex::encode(key));
        }
        Ok(next.is_none())
    })?;
    let rows = rows.iter().map(super::context::raw);
    Ok(Response::Page {
        rows: rows.collect::<Result<_, _>>()?,
        next,
        at: context.handle.clock().now(),
    })
}

fn kept_labels(context: &Context) -> Result<Response, Failure> {
    let pairs = labels::read(context.handle.reader())?;
    Ok(Response::Page {
        rows: pairs
            .iter()
            .map(super::context::raw)
            .collect::<Result<_, _>>()?,
        next: None,
        at: context.handle.clock().now(),
    })
}
