//! Mails by kind (rules 31, 40, 41, 42). Judged where everything comes at once; near a mail's instant either is right.

use super::chain::Chain;
use super::cover::{covers, invoices, is_first};
use super::episode::{Episode, episodes};
use super::{Mail, Moment};
use crate::shop::calendar::{HOUR, MINUTE, Time};
use crate::shop::kinds::{Kind, open};
use crate::shop::policy::AtGraceEnd;
use crate::shop::script::Types;

/// What came between an instant at which a mail is due and the look: too near to judge.
const SLACK: i64 = HOUR;

/// At least and at most.
#[derive(Clone, Copy, Default)]
struct Count {
    least: usize,
    most: usize,
}

impl Count {
    fn add(&mut self, other: (usize, usize)) {
        self.least += other.0;
        self.most += other.1;
    }

    fn mail(self, kinds: &'static [&'static str], rule: &'static str) -> Mail {
        Mail {
            kinds,
            least: self.least,
            most: self.most,
            rule,
        }
    }
}

/// The mails of a subscription that can be judged.
pub(crate) fn of(moment: Moment<'_>, s: usize, chains: &[Chain]) -> Vec<Mail> {
    let [chain] = chains else { return Vec::new() };
    // No unit: nothing to warn of.
    let none = chain.counts().0 == 0;
    if none || moment.delivery.late || moment.delivery.types != Types::All || money_moved(moment, s)
    {
        return Vec::new();
    }
    let due = usize::from(!covers(moment, s, chain, moment.at).is_empty());
    let issued = Mail {
        kinds: &["license_issued"],
        least: due,
        most: due,
        rule: "40",
    };
    let all_late = due == 1
        && covers(moment, s, chain, moment.at)
            .iter()
            .all(|c| c.since >= c.end);
    let mut mails = if all_late || chain.counts().0 != chain.counts().1 {
        Vec::new()
    } else {
        vec![issued]
    };
    let revokes = moment.policy.at_grace_end == AtGraceEnd::Revoke;
    let (mut failed, mut secure, mut ending, mut stop, mut restored) = Default::default();
    let (failed, secure, ending, stop, restored): (
        &mut Count,
        &mut Count,
        &mut Count,
        &mut Count,
        &mut Count,
    ) = (
        &mut failed,
        &mut secure,
        &mut ending,
        &mut stop,
        &mut restored,
    );
    let all = episodes(moment, s, chain);
    if all.iter().any(|e| e.unclear.is_some())
        || moment.stripe.subs[s]
            .at(moment.at)
            .is_some_and(|x| x.status.is_over())
    {
        return mails;
    }
    for episode in &all {
        let first = if episode.secure {
            &mut *secure
        } else {
            &mut *failed
        };
        warnings(moment, episode, first, ending);
        if episode.secure && moment.policy.notice_delay < MINUTE {
            // Without a delay the status may be told before the reason is known.
            (failed.most, secure.least) = (failed.most + 1, 0);
        }
        stops(moment, episode, stop, restored);
    }
    sides(moment, s, chain, &all, failed, secure);
    mails.push(failed.mail(&["payment_failed"], "41"));
    mails.push(secure.mail(&["action_required"], "31"));
    mails.push(ending.mail(&["grace_ending"], "41"));
    mails.push(stop.mail(&["suspended", "ended"], "41"));
    if revokes {
        // A license that is made anew may be told of by its key.
        mails.retain(|m| m.kinds != ["license_issued"]);
    } else {
        mails.push(restored.mail(&["restored"], "41"));
    }
    mails
}

fn money_moved(moment: Moment<'_>, s: usize) -> bool {
    super::money::may_be_new(moment, s)
}

/// Whether a mail that is due at an instant went out, while an episode ran on.
fn went(moment: Moment<'_>, episode: &Episode, due: Time) -> (usize, usize) {
    let over = episode
        .resolved
        .unwrap_or(Time::MAX)
        .min(episode.grace_end.max(episode.start + 1));
    let near =
        |instant: Time| (due - SLACK..due + moment.policy.notice_delay + SLACK).contains(&instant);
    if moment.at < due || over < due {
        (0, 0)
    } else if near(moment.at) || near(over) {
        (0, 1)
    } else {
        (1, 1)
    }
}

fn warnings(moment: Moment<'_>, episode: &Episode, first: &mut Count, ending: &mut Count) {
    if !moment.policy.keyward_warns {
        return;
    }
    for reminder in &moment.policy.reminders {
        let due = episode.start + reminder;
        if *reminder == 0 {
            first.add(went(moment, episode, due));
        } else {
            ending.add(went(moment, episode, due));
        }
    }
}

fn stops(moment: Moment<'_>, episode: &Episode, stop: &mut Count, restored: &mut Count) {
    if moment.policy.at_grace_end == AtGraceEnd::Keep {
        return;
    }
    let after = moment.policy.notice_delay + SLACK;
    let end = episode.grace_end;
    let unsure = |at: Time| at >= end && at < end + after + moment.policy.margin;
    if moment.at < end || episode.resolved.is_some_and(|at| at < end) {
        return;
    }
    if unsure(moment.at) || episode.resolved.is_some_and(unsure) {
        stop.most += 1;
        restored.most += usize::from(episode.resolved.is_some());
        return;
    }
    stop.add((1, 1));
    match episode.resolved {
        Some(at) if moment.at > at + after => restored.add((1, 1)),
        Some(_) => restored.most += 1,
        None => {}
    }
}

/// Closed: any number will do.
fn count_any(failed: &mut Count, secure: &mut Count) {
    (failed.least, failed.most, secure.least, secure.most) = (0, 9, 0, 9);
}

/// Failed invoices in mid period for something else: told once each, without a grace (rule 26). A renewal that fails while
/// another episode runs may be told of.
fn sides(
    moment: Moment<'_>,
    s: usize,
    chain: &Chain,
    all: &[Episode],
    failed: &mut Count,
    secure: &mut Count,
) {
    for (n, invoice) in invoices(moment, s) {
        let Some(first) = invoice.failed.first().filter(|at| **at <= moment.at) else {
            continue;
        };
        let retried = invoice.failed.len() > 1;
        if is_first(moment, invoice) || all.iter().any(|e| e.invoice == n) {
            continue;
        }
        let count = if invoice.secure.contains(first) {
            &mut *secure
        } else {
            &mut *failed
        };
        count.most += 1;
        let closed = [invoice.paid, invoice.voided, invoice.uncollectible]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Time::MAX);
        let due = first + moment.policy.notice_delay + SLACK;
        let asked = moment.policy.keyward_warns && moment.policy.reminders.contains(&0);
        let renewal = chain.renewed_by(moment, invoice);
        let covered = covers(moment, s, chain, *first).iter().any(|c| c.end > due);
        if asked && !renewal && covered && moment.at > due && closed > due {
            count.least += 1;
        }
        if retried && !renewal && !open(Kind::SideRetried) {
            count_any(failed, secure);
        }
    }
}
