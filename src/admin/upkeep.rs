//! What an operator orders for the store as a whole: a backup, and a look at whether everything fits together.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::context::{Context, raw};
use super::failure::Failure;
use super::response::Response;
use crate::engine::backup::Backups;
use crate::engine::verify::{self, Given, Seen, Wrong, remedy};

/// Findings that are listed, and mended, in one run.
const LISTED_MAX: usize = 1_000;

/// A running server's backups, and its order to stop.
#[derive(Clone)]
pub(super) struct Upkeep {
    pub(super) backups: Arc<Backups>,
    pub(super) stop: CancellationToken,
}

/// Makes a backup.
pub(super) async fn backup(
    context: &Context,
    upkeep: Option<Upkeep>,
    target: PathBuf,
) -> Result<Response, Failure> {
    let Some(Upkeep { backups, stop }) = upkeep else {
        return Err(Failure::ours("only a server makes backups this way"));
    };
    if !target.is_absolute() {
        return Err(Failure::input("the backup's path must be absolute"));
    }
    let now = context.handle.clock().now();
    let made =
        tokio::task::spawn_blocking(move || backups.take(&target, now, &|_| !stop.is_cancelled()));
    let proven = made
        .await
        .map_err(|error| Failure::ours(error.to_string()))??;
    Ok(Response::List {
        rows: vec![raw(&proven)?],
        more: 0,
    })
}

/// What a look at everything found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// What was looked at.
    pub seen: Seen,
    /// What is wrong.
    pub wrong: Vec<WrongEntry>,
    /// Further findings that are not listed.
    pub more: u64,
    /// The licenses in the embedded license service's store, where it was looked at too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licenses: Option<u64>,
    /// What was not looked at, and why, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongEntry {
    /// The word for it.
    pub code: String,
    /// What, in words.
    pub what: String,
    /// Whether it was put right.
    pub repaired: bool,
    /// Whether `--repair` puts it right.
    pub repairable: bool,
}

/// Looks at everything that is stored, and puts it right if that is wanted.
pub(super) async fn verify(context: &Context, repair: bool) -> Result<Response, Failure> {
    let (seen, found, more) = context.read(scan).await?;
    let mut wrong = Vec::with_capacity(found.len());
    for one in found {
        let input = remedy(&one);
        let repairable = input.is_some();
        if let Some(input) = input.filter(|_| repair) {
            context.handle.submit_waiting(input).await?;
        }
        wrong.push(WrongEntry {
            code: one.code().to_owned(),
            what: one.to_string(),
            repaired: repairable && repair,
            repairable,
        });
    }
    let verified = Verified {
        seen,
        wrong,
        more,
        licenses: None,
        unchecked: Vec::new(),
    };
    Ok(Response::List {
        rows: vec![raw(&verified)?],
        more: 0,
    })
}

fn scan(context: &Context) -> Result<(Seen, Vec<Wrong>, u64), Failure> {
    let handle = &context.handle;
    let rules = handle.rules();
    let given = Given {
        rules: &rules,
        now: handle.clock().now(),
        stops_held: handle.stops_held(),
    };
    let (mut found, mut more) = (Vec::new(), 0);
    let seen = verify::verify(handle.reader(), given, &|| handle.is_open(), &mut |wrong| {
        if found.len() < LISTED_MAX {
            found.push(wrong);
        } else {
            more += 1;
        }
    })?;
    Ok((seen, found, more))
}
