//! A subscription's licenses at an instant.

use super::chain::{Chain, chains};
use super::cover::{Cover, covers, invoices};
use super::ending::{after_the_end, gave_up, margin_or_not, unlicensed};
use super::episode::{Episode, episodes};
use super::lived::lived;
use super::restored::{self, Fate};
use super::undecided::{undecided, unheard};
use super::{Expect, Moment, Seat, Want, decided, mails, money};
use crate::shop::calendar::Time;
use crate::shop::kinds::{Kind, open};
use crate::shop::policy::{AtGraceEnd, OnCancel};
use crate::shop::script::Types;
use crate::shop::stripe::ledger::{Invoice, Line, State, Status};

/// A want with its rule.
pub(crate) type Ruled = (Want, &'static str);

/// Words of a license that no longer works and was not revoked.
pub(crate) const OVER: &[&str] = &["suspended", "expired"];

/// Words of a license that no longer works.
pub(crate) const ENDED: &[&str] = &["revoked", "suspended", "expired"];

/// What a license's subscription looks like at the instant.
pub(crate) struct Life<'a> {
    pub(crate) state: &'a State,
    pub(crate) covers: Vec<Cover>,
    pub(crate) episodes: Vec<Episode>,
}

/// What a subscription's machine should show.
pub(crate) fn expect(moment: Moment<'_>, s: usize) -> Expect {
    let machine = format!("stripe/{}", moment.stripe.subs[s].id);
    let all = chains(moment, s);
    let (mut seats, mut created) = (Vec::new(), Some((0, 0)));
    let fates = restored::fates(moment, s, &all);
    for (n, chain) in all.iter().enumerate() {
        let fate = fates.as_ref().map_or(Fate::Own, |fates| fates[n]);
        let ((want, rule), lived) = fated(moment, s, chain, fate);
        if fate == Fate::Went {
            created = None;
        }
        // What another item left behind says nothing of this one.
        if want == Want::Nothing && all.len() > 1 {
            continue;
        }
        let held = chain.held(moment.at).unwrap_or_else(|| chain.last());
        let (count, devices) = (held.count, held.devices);
        let (least, most) = chain.counts();
        if least != most || matches!(want, Want::Open(_)) {
            created = None;
        }
        let made = u64::from(want != Want::Nothing && fate == Fate::Own);
        let surely = u64::from(lived == Some(true) && fate == Fate::Own);
        created = created.map(|(low, high)| (low + surely * least, high + made * most));
        // A unit that came while nothing may work was not made (rule 5).
        let count = if matches!(want, Want::Stopped(_)) {
            count.min(least)
        } else {
            count
        };
        let shrinks = chain.unlicensed.is_some() && !open(Kind::UnlicensedDevices);
        let seat = Seat {
            plan: held.plan,
            devices: Some(devices).filter(|_| !shrinks),
            want,
            rule,
            unmade: lived != Some(true),
        };
        let count = if matches!(seat.want, Want::Open(_)) {
            count.max(1)
        } else {
            count
        };
        seats.extend(std::iter::repeat_n(seat, usize::try_from(count).unwrap()));
    }
    let about = &moment.stripe.subs[s].id;
    let decided = moment.stripe.decisions.iter().any(|d| d.about == *about);
    let again =
        decided || money::may_be_new(moment, s) || moment.policy.at_grace_end == AtGraceEnd::Revoke;
    let created = created.map(|(least, most)| {
        if again {
            (least, most * 4)
        } else {
            (least, most)
        }
    });
    let created = created.filter(|_| !moment.delivery.late);
    Expect {
        machine,
        seats,
        late: moment.delivery.late,
        created,
        // What comes back is told of by `restored`, which no episode of this subscription explains.
        mails: if fates.is_some() || decided {
            Vec::new()
        } else {
            mails::of(moment, s, &all)
        },
    }
}

/// What a license should be after what became of it, and whether it ever worked.
fn fated(moment: Moment<'_>, s: usize, chain: &Chain, fate: Fate) -> (Ruled, Option<bool>) {
    let (want, rule) = match fate {
        Fate::Own | Fate::Came => plain(moment, s, chain),
        Fate::Went => (Want::Nothing, "35"),
        Fate::Unclear => (Want::Open("whether a former license comes back"), "35"),
    };
    let lived = match want {
        Want::Stopped(_) => lived(moment, s, chain),
        Want::Live(_) | Want::LiveFrom(_) => Some(true),
        Want::Nothing | Want::Open(_) => None,
    };
    // What may never work is not made (rule 5).
    if lived == Some(false) {
        ((Want::Nothing, rule), lived)
    } else {
        ((want, rule), lived)
    }
}

/// What a license should be, were there no other subscription of its customer.
pub(crate) fn plain(moment: Moment<'_>, s: usize, chain: &Chain) -> Ruled {
    if let Some(why) = chain.unclear.or_else(|| unheard(moment, s, chain)) {
        return (Want::Open(why), "14, 18");
    }
    let state = moment.stripe.subs[s].at(moment.at).unwrap();
    if let Some((why, rule)) = undecided(moment, s, chain) {
        return (Want::Open(why), rule);
    }
    let covers = covers(moment, s, chain, moment.at);
    let life = Life {
        state,
        episodes: episodes(moment, s, chain),
        covers,
    };
    let decision = match decided::decision(moment, &moment.stripe.subs[s].id) {
        Ok(decision) => decision,
        Err(open) => return open,
    };
    let want = money::over(moment, s, chain, &life);
    if chain.held(moment.at).is_some() {
        return decided::over(moment, decision, want);
    }
    if decision.is_some() && chain.unlicensed.is_some() {
        return (Want::Open("no longer licensed, and decided"), "15, 50");
    }
    if matches!(want.0, Want::Stopped(_)) {
        return (Want::Stopped(ENDED), want.1);
    }
    if !want.0.is_live() {
        return want;
    }
    match chain.unlicensed {
        Some(_) => unlicensed(moment, s, &life),
        None => (Want::Stopped(ENDED), "14"),
    }
}

/// What is over when it is first paid for is not made (rule 5); with the margin it may just be alive.
fn first_paid_late(moment: Moment<'_>, s: usize, life: &Life<'_>) -> Ruled {
    let carried =
        invoices(moment, s).any(|(_, i)| i.reason == "subscription_cycle" && i.finalized.is_some());
    let after = |ended: Time| life.covers.iter().all(|c| c.since > ended);
    if carried || life.state.ended_at.is_some_and(after) {
        return (
            Want::Open("first paid when its period is over, or after the deletion"),
            "5, 16, 19",
        );
    }
    let over = |c: &Cover| c.since >= c.end + moment.policy.margin;
    let want = if life.covers.iter().all(over) {
        Want::Nothing
    } else {
        Want::Open("first paid in the margin")
    };
    (want, "5")
}

/// What the paid time, the graces and the end make of a license, money that went back aside.
pub(crate) fn by_time(moment: Moment<'_>, s: usize, chain: &Chain, life: &Life<'_>) -> Ruled {
    let Some(end) = life.covers.iter().map(|c| c.end).max() else {
        return (Want::Nothing, "20");
    };
    if life.covers.iter().all(|c| c.since >= c.end) {
        return first_paid_late(moment, s, life);
    }
    if life.state.status == Status::Paused {
        // The trial ended without a payment method; somebody may have paid or added more.
        return if life.state.trial.is_some_and(|(_, over)| over == end) {
            until(moment.at, end, "24")
        } else {
            margin_or_not(
                moment,
                end,
                ("longer than a trial: margin or not", "24, 50"),
            )
        };
    }
    if begins_a_period_and_failed(moment, s, chain) {
        return (Want::Open("an upgrade that begins a period failed"), "25");
    }
    if let Some(episode) = life.episodes.last().filter(|e| e.resolved.is_none()) {
        return in_episode(moment, s, life, end, episode);
    }
    if let Some(ended) = life.state.ended_at {
        return after_the_end(moment, s, life, end, ended);
    }
    let (at, margin) = (moment.at, moment.policy.margin);
    if !open(Kind::MixedScheduledEnd)
        && life.state.cancel_at.is_some()
        && life.state.items.len() > 1
    {
        return (Want::Open("closed kind"), "34");
    }
    let scheduled = life.state.cancel_at.filter(|end_at| *end_at <= end);
    match (scheduled, moment.policy.on_cancel) {
        (Some(_), OnCancel::PeriodEnd) => return until(at, end, "34"),
        (Some(ends), OnCancel::Now) => {
            return (
                Want::Live([ends, end, end + margin].map(Some).to_vec()),
                "34",
            );
        }
        (Some(_), OnCancel::Keep) => return (Want::Live(vec![None, Some(end + margin)]), "34"),
        (None, _) => {}
    }
    let carried = carried_to(moment, s, chain, end + margin);
    if at < end + margin
        && moment.stripe.subs[s].sent_days.is_some()
        && let Some(due) = carried
    {
        // A sent invoice carries to its due date; whether that shows before it must is left open.
        return (
            Want::Live(vec![Some(end + margin), Some(due.max(end + margin))]),
            "32",
        );
    }
    if at >= end + margin
        && let Some(held) = carried
    {
        return until(at, held.max(end + margin), "19");
    }
    until(at, end + margin, "19")
}

/// A change that began a period at once has failed: the rules do not say whether that is a renewal.
fn begins_a_period_and_failed(moment: Moment<'_>, s: usize, chain: &Chain) -> bool {
    invoices(moment, s).any(|(_, i)| {
        let fails = i.failed.first().copied().or(i.overdue);
        fails.is_some_and(|at| at <= moment.at)
            && i.reason == "subscription_update"
            && i.lines.iter().any(|l| chain.billed(l) && !l.proration)
    })
}

/// Whether a change begins the next period of what was paid to its end, a new anchor say: by its line it is a renewal
/// (rule 25), whatever Stripe calls it.
fn begins_the_next(moment: Moment<'_>, s: usize, chain: &Chain, invoice: &Invoice) -> bool {
    let before = covers(moment, s, chain, invoice.created);
    let paid_end = before.into_iter().filter(|c| !c.added).map(|c| c.end).max();
    let begins =
        |l: &Line| chain.billed(l) && !l.proration && paid_end.is_some_and(|end| l.start >= end);
    invoice.reason == "subscription_update" && invoice.lines.iter().any(begins)
}

fn until(at: Time, end: Time, rule: &'static str) -> Ruled {
    if at < end {
        (Want::until(end), rule)
    } else {
        (Want::Stopped(&["expired"]), rule)
    }
}

/// Until when renewals that are finalized, open and not failed carry what is alive until `alive` (rules 19, 32). They keep
/// alive, and do not revive.
fn carried_to(moment: Moment<'_>, s: usize, chain: &Chain, alive: Time) -> Option<Time> {
    let at = moment.at;
    if moment.delivery.types != Types::All {
        // Nobody tells of an invoice before it is paid.
        return None;
    }
    let waits = |i: &&Invoice| {
        let closed = [i.paid, i.voided, i.uncollectible, i.failed.first().copied()];
        closed.into_iter().flatten().all(|c| c > at)
    };
    invoices(moment, s)
        .map(|(_, i)| i)
        .filter(waits)
        .filter(|i| chain.renewed_by(moment, i) || begins_the_next(moment, s, chain, i))
        .filter_map(|i| Some((i.finalized.filter(|f| *f <= at && *f < alive)?, i)))
        .map(|(finalized, i)| i.due.unwrap_or(finalized + moment.policy.processing))
        .max()
}

fn in_episode(
    moment: Moment<'_>,
    s: usize,
    life: &Life<'_>,
    end: Time,
    episode: &Episode,
) -> Ruled {
    let (at, policy) = (moment.at, moment.policy);
    if episode.unclear.is_some_and(|since| since <= at) {
        return (
            Want::Open("an older period is paid, the running one is not"),
            "28",
        );
    }
    let (margin_end, grace_end) = (end + policy.margin, episode.grace_end);
    if let Some(ended) = life.state.ended_at
        && !gave_up(moment, life)
    {
        // The customer's own cancellation: the paid time is over (rule 30), unless a person added some.
        if end > ended && policy.on_cancel != OnCancel::Keep {
            return after_the_end(moment, s, life, end, ended);
        }
        if policy.on_cancel == OnCancel::Keep {
            return (
                Want::Open("cancelled in grace under on_cancel = keep"),
                "30",
            );
        }
        let revoked = ended >= grace_end && policy.at_grace_end == AtGraceEnd::Revoke;
        return (
            Want::Stopped(if revoked { &["revoked"] } else { OVER }),
            "30",
        );
    }
    if at < grace_end {
        let last = grace_end.max(margin_end);
        let kept = policy.at_grace_end == AtGraceEnd::Keep;
        return (
            if kept {
                Want::LiveFrom(last)
            } else {
                Want::until(last)
            },
            "25",
        );
    }
    if at < margin_end {
        return (
            Want::Open("the grace is over before the margin is"),
            "25, 27",
        );
    }
    let want = match policy.at_grace_end {
        AtGraceEnd::Suspend => Want::Stopped(&["suspended"]),
        AtGraceEnd::Revoke => Want::Stopped(&["revoked"]),
        AtGraceEnd::Keep if life.state.ended_at.is_some() => Want::Stopped(OVER),
        AtGraceEnd::Keep => Want::LiveFrom(at + 1),
    };
    (want, "27")
}
