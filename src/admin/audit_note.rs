//! A person's word on what the nightly audit found: it may stay so, and waits for nobody until an audit finds something else.

use super::context::Context;
use super::failure::Failure;
use super::read;
use super::response::{Changed, Response};
use crate::domain::adoption::{AuditNote, DifferingPurchase};
use crate::domain::decision::Decision;
use crate::domain::id::SourceName;
use crate::domain::no_use::Dismissal;
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::engine::record::audits::{self, AuditRecord};
use crate::engine::record::server::ServerRecord;

/// What of a source's audit is noted: all that it found, by its code.
pub(super) type Noted = (SourceName, u64);

/// The audit that a text names, as in `audit/stripe`; none where it names a purchase or an event.
pub(super) fn found(context: &Context, text: &str) -> Result<Option<Noted>, Failure> {
    let all = audits::all(context.handle.reader())?;
    if let Some(source) = text.strip_prefix("audit/") {
        if let Some(audit) = all.iter().find(|a| a.source.as_str() == source) {
            return Ok(Some((audit.source.clone(), audit.code)));
        }
        if context
            .handle
            .rules()
            .sources
            .keys()
            .any(|s| s.as_str() == source)
        {
            let nothing = format!("the last audit of `{source}` found no difference");
            return Err(Failure::input(nothing).hint("`keyward attention` lists what waits"));
        }
    }
    match all.iter().find(|audit| names(audit, text)) {
        Some(audit) if read::hits(context, text)?.is_empty() => Err(Failure::input(format!(
            "there is no purchase `{text}` here; the nightly audit found it"
        ))
        .hint(format!(
            "`keyward note audit/{} --reason …` settles what that audit found, until one finds something else",
            audit.source
        ))),
        Some(_) | None => Ok(None),
    }
}

/// Whether one of the purchases that it lists is meant: by its name, the object in it, or the end of its key.
fn names(audit: &AuditRecord, text: &str) -> bool {
    let is = |row: &DifferingPurchase| {
        let machine = row.machine.as_deref().unwrap_or_default();
        let object = machine.rsplit('/').next();
        let last_four = row.key.as_deref().and_then(|key| key.strip_prefix('…'));
        let is_key = last_four.is_some_and(|four| !four.is_empty() && text.ends_with(four));
        machine == text || object == Some(text) || is_key
    };
    audit.first.iter().any(is)
}

/// Keeps the note.
pub(super) async fn note(
    context: &Context,
    (source, code): Noted,
    said: Decision,
    at: Timestamp,
) -> Result<Response, Failure> {
    let by = Dismissal {
        author: said.author,
        reason: said.reason,
    };
    let record = ServerRecord::AuditNoted {
        source: source.clone(),
        note: AuditNote { by, at, code },
    };
    context.handle.submit_waiting(Input::Keep(record)).await?;
    Ok(Response::Changed(Changed {
        audit: Some(source),
        ..Changed::default()
    }))
}
