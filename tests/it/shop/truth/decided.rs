//! What a person decided (rule 50).

use super::subscription::{ENDED, Ruled};
use super::{Moment, Want};
use crate::shop::calendar::{DAY, Time};
use crate::shop::script::Word;
use crate::shop::stripe::ledger::Decision;

/// The decision about a purchase at an instant; of several the rules do not say how they go together.
pub(crate) fn decision<'m>(moment: Moment<'m>, about: &str) -> Result<Option<&'m Decision>, Ruled> {
    let said = |d: &&Decision| d.about == about && d.at <= moment.at && !moment.delivery.late;
    let mut all = moment.stripe.decisions.iter().filter(said);
    let first = all.next();
    if all.next().is_some() {
        return Err((Want::Open("several decisions"), "50"));
    }
    Ok(first)
}

/// Until when a decision reaches; none: for life, or without an end.
pub(crate) fn until(decision: &Decision) -> Option<Time> {
    match decision.word {
        Word::Grant { days: 0 } | Word::Revoke | Word::Keep => None,
        Word::Grant { days } | Word::Extend { days } | Word::Exempt { days } => {
            Some(decision.at + i64::from(days) * DAY)
        }
    }
}

/// What a license should be, with what a person said of it.
pub(crate) fn over(moment: Moment<'_>, decision: Option<&Decision>, plain: Ruled) -> Ruled {
    let Some(decision) = decision else {
        return plain;
    };
    match decision.word {
        Word::Revoke => match plain.0 {
            Want::Live(_) | Want::LiveFrom(_) => (Want::Stopped(&["revoked"]), "50"),
            Want::Stopped(_) => (Want::Stopped(ENDED), "50"),
            Want::Nothing | Want::Open(_) => plain,
        },
        Word::Grant { .. } => granted(moment, until(decision), plain),
        Word::Extend { .. } | Word::Exempt { .. } | Word::Keep => plain,
    }
}

fn granted(moment: Moment<'_>, given: Option<Time>, plain: Ruled) -> Ruled {
    if given.is_some_and(|until| until <= moment.at) {
        // It was live until then.
        return match plain.0 {
            Want::Stopped(_) | Want::Nothing => (Want::Stopped(ENDED), "50"),
            Want::Live(_) | Want::LiveFrom(_) | Want::Open(_) => plain,
        };
    }
    let later = |end: Option<Time>| Some(end?.max(given?));
    let want = match plain.0 {
        Want::Live(ends) => Want::Live(ends.into_iter().map(later).collect()),
        Want::LiveFrom(least) => Want::LiveFrom(given.unwrap_or(least).max(least)),
        Want::Stopped(_) | Want::Nothing => Want::Live(vec![given]),
        Want::Open(why) => Want::Open(why),
    };
    (want, "50")
}
