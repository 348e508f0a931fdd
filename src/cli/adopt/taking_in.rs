//! Takes in what a look found: some purchases at a time, and then what changed of them meanwhile.

use std::path::Path;

use super::ReadArgs;
use super::second_pass::SecondPass;
use crate::admin::{AdoptionQuery, Failure, Request, packed};
use crate::adopt::{AdoptedPurchase, Found};
use crate::cli::history_pages::converse;
use crate::cli::report;
use crate::clock::Clock;

/// Purchases that travel at one time, and their length in bytes: the socket takes eight times as much.
const PURCHASES_AT_ONCE: usize = 50;
const APPLIED_AT_ONCE: usize = 1 << 20;

/// Takes purchases in, some at a time, and then what changed of them meanwhile. Each is whole or not at all, so one that is
/// killed is started again.
///
/// # Errors
/// What went wrong.
pub(super) fn apply(path: &Path, args: &ReadArgs, found: &mut [Found]) -> Result<(), Failure> {
    for found in found {
        let waiting = std::mem::take(&mut found.judged.waiting);
        if !waiting.is_empty() {
            taken_in(path, &waiting)?;
        }
        let moves = std::mem::take(&mut found.judged.moves);
        let Some(second) = second_pass(path, found)? else {
            continue;
        };
        if moves.is_empty() && !second.is_left_over() {
            continue;
        }
        let since = second.note(found.began.unwrap_or_else(|| Clock::Wall.now()))?;
        taken_in(path, &moves)?;
        second.run(path, args, found, &moves, since)?;
    }
    Ok(())
}

fn second_pass(path: &Path, found: &Found) -> Result<Option<SecondPass>, Failure> {
    let source = found.source.clone();
    source
        .map(|source| SecondPass::of(path, source))
        .transpose()
}

/// Says where an earlier run was killed before it was through with what changed meanwhile.
///
/// # Errors
/// The config's.
pub(super) fn left_over(path: &Path, found: &[Found]) -> Result<(), Failure> {
    for found in found {
        let second = second_pass(path, found)?.filter(SecondPass::is_left_over);
        if let Some(second) = second {
            report::warning(&format!(
                "`{}`: a run that took purchases in ended before it had looked at what changed meanwhile; \
                 the next `--apply` does, also with `--expect 0`",
                second.source()
            ));
        }
    }
    Ok(())
}

pub(super) fn taken_in(path: &Path, moves: &[AdoptedPurchase]) -> Result<(), Failure> {
    let bar = indicatif::ProgressBar::new(u64::try_from(moves.len()).unwrap_or(u64::MAX));
    let result = converse(path, |asked| {
        let (mut purchases, mut len) = (Vec::new(), 0);
        let mut send = |purchases: Vec<String>| {
            let sent = u64::try_from(purchases.len()).unwrap_or(0);
            let answer = asked.ask(Request::Adoption(AdoptionQuery::Apply { purchases }));
            bar.inc(sent);
            answer.map(drop)
        };
        for purchase in moves {
            let text = packed(purchase);
            if len + text.len() > APPLIED_AT_ONCE || purchases.len() >= PURCHASES_AT_ONCE {
                send(std::mem::take(&mut purchases))?;
                len = 0;
            }
            len += text.len();
            purchases.push(text);
        }
        send(purchases)
    });
    bar.finish_and_clear();
    result
}
