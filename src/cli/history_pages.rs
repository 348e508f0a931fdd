//! A history asked for page by page, as `export` and `whatif` need it.

use serde::Deserialize;

use super::ask::Conversation;
use super::page;
use crate::admin::{
    BODIES_MAX, Failure, HistoryEntry, HistoryGroup, HistoryLine, HistoryQuery, Request, Response,
};
use crate::domain::revision::Revision;
use crate::domain::time::Timestamp;
use crate::engine::record;

/// One page: its rows, where the next begins, and the instant that it shows.
pub(super) struct Part<T> {
    pub(super) rows: Vec<T>,
    pub(super) next: Option<String>,
    pub(super) at: Timestamp,
}

/// Asks for one page.
pub(super) fn part<T: for<'d> Deserialize<'d>>(
    asked: &mut Conversation,
    pages: HistoryQuery,
) -> Result<Part<T>, Failure> {
    let Response::Page { rows, next, at } = asked.ask(Request::History(pages))? else {
        return Err(Failure::ours("the server answered something else")
            .hint("is the server of the same version as this command?"));
    };
    Ok(Part {
        rows: page::read(&rows)?,
        next,
        at,
    })
}

/// Every event in the order of receipt, and the instant that this shows. About a hundred bytes each stand in memory.
pub(super) fn index(asked: &mut Conversation) -> Result<(Vec<HistoryEntry>, Timestamp), Failure> {
    let (mut entries, mut after, mut until) = (Vec::new(), None, None);
    loop {
        let mut page: Part<HistoryEntry> = part(
            asked,
            HistoryQuery::Events {
                loose: false,
                after,
                until,
            },
        )?;
        until = Some(page.at);
        entries.append(&mut page.rows);
        after = page.next;
        if after.is_none() {
            entries.sort_unstable();
            return Ok((entries, page.at));
        }
    }
}

/// Every decision and query that came without an event, in the order of receipt.
pub(super) fn without_events(
    asked: &mut Conversation,
    until: Timestamp,
) -> Result<Vec<HistoryLine>, Failure> {
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let mut page: Part<HistoryLine> = part(asked, HistoryQuery::Said { after, until })?;
        lines.append(&mut page.rows);
        after = page.next;
        if after.is_none() {
            lines.sort();
            return Ok(lines);
        }
    }
}

/// The ids of all purchases that began until then.
pub(super) fn machines(asked: &mut Conversation, until: Timestamp) -> Result<Vec<String>, Failure> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let mut page: Part<String> = part(asked, HistoryQuery::Machines { after, until })?;
        ids.append(&mut page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}

/// The lines of events, a page at a time, each handed over in the order of the index.
pub(super) fn bodies(
    asked: &mut Conversation,
    entries: &[HistoryEntry],
    mut take: impl FnMut(HistoryLine) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for some in entries.chunks(BODIES_MAX) {
        let events = some
            .iter()
            .map(|e| (e.scope.clone(), e.id.clone()))
            .collect();
        let page: Part<HistoryLine> = part(asked, HistoryQuery::Bodies { events })?;
        page.rows.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// The history of one purchase.
pub(super) fn only(asked: &mut Conversation, machine: &str) -> Result<HistoryGroup, Failure> {
    let page: Part<HistoryGroup> = part(asked, HistoryQuery::Only(machine.to_owned()))?;
    page.rows
        .into_iter()
        .next()
        .ok_or_else(|| Failure::input(format!("there is no purchase `{machine}`")))
}

/// The revisions that are in force.
pub(super) fn revisions(asked: &mut Conversation) -> Result<Vec<Revision>, Failure> {
    let page: Part<String> = part(asked, HistoryQuery::Revisions)?;
    let unreadable = |why: String| {
        Failure::ours(format!("a revision cannot be read: {why}"))
            .hint("is the server of the same version as this command?")
    };
    let read = |text: &String| {
        let bytes = hex::decode(text).map_err(|e| unreadable(e.to_string()))?;
        record::decode(&bytes).map_err(unreadable)
    };
    page.rows.iter().map(read).collect()
}

/// Runs something in a conversation, and ends it whatever came of it.
pub(super) fn converse<T>(
    config: &std::path::Path,
    run: impl FnOnce(&mut Conversation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut asked = Conversation::begin(config)?;
    let result = run(&mut asked);
    asked.end()?;
    result
}
