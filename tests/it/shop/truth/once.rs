//! What is bought once (rules 10, 11, 13, 36, 39).

use super::money::{Back, Disputed, disputed, went_back};
use super::subscription::{ENDED, Ruled};
use super::{Expect, Mail, Moment, Seat, Want, decided};
use crate::shop::calendar::{DAY, Time};
use crate::shop::catalog::plan_of;
use crate::shop::script::{Told, Types, Word};
use crate::shop::stripe::ledger::{Decision, Paid};

/// What a session's machine should show.
pub(crate) fn expect(moment: Moment<'_>, x: usize) -> Expect {
    let session = &moment.stripe.sessions[x];
    let plan = plan_of(session.price).unwrap();
    let (count, devices, days, name) = match session.told {
        Told::Guide { days, devices } => (1, devices, (days > 0).then(|| i64::from(days)), None),
        // Without its lines the quantity is not known.
        Told::Plan => (1, plan.licenses(1).1, plan.days, Some(plan.name)),
        Told::Lines => (
            plan.licenses(session.quantity).0,
            plan.licenses(session.quantity).1,
            plan.days,
            Some(plan.name),
        ),
        Told::Nothing => (0, 0, None, None),
    };
    // Nothing is made of what a person revoked before it was paid (rule 5).
    let refused =
        |d: &Decision| d.word == Word::Revoke && session.paid.is_none_or(|paid| d.at <= paid);
    let (want, rule) = match decided::decision(moment, &session.id) {
        Ok(Some(decision)) if refused(decision) => (Want::Nothing, "5, 50"),
        Ok(decision) => {
            let end = decision.filter(|d| matches!(d.word, Word::Extend { .. }));
            let end = end.and_then(decided::until);
            let kept = decision.is_some_and(|d| d.word == Word::Keep);
            decided::over(moment, decision, want(moment, x, days, (end, kept)))
        }
        Err(open) => open,
    };
    let made = u64::from(want != Want::Nothing);
    let back = moment
        .stripe
        .refunds
        .iter()
        .any(|r| r.of == Paid::Session(x))
        || moment
            .stripe
            .disputes
            .iter()
            .any(|d| d.of == Paid::Session(x));
    let back = back
        || moment
            .stripe
            .decisions
            .iter()
            .any(|d| d.about == session.id);
    let judged = !moment.delivery.late && !matches!(want, Want::Open(_));
    let created = judged.then_some((made * count, made * count * if back { 3 } else { 1 }));
    let issued = usize::try_from(made * count.min(1)).unwrap();
    let mails = if judged && !back {
        vec![Mail {
            kinds: &["license_issued"],
            least: issued,
            most: issued,
            rule: "40",
        }]
    } else {
        Vec::new()
    };
    let seat = Seat {
        plan: name,
        devices: Some(devices),
        want,
        rule,
        unmade: false,
    };
    let seats = std::iter::repeat_n(seat, usize::try_from(count).unwrap()).collect();
    Expect {
        machine: format!("stripe/{}", session.id),
        seats,
        late: moment.delivery.late,
        created,
        mails,
    }
}

/// What its time and its money make of it; `given`: until when a person extended it, and whether it is kept.
fn want(
    moment: Moment<'_>,
    x: usize,
    days: Option<i64>,
    (given, kept): (Option<Time>, bool),
) -> Ruled {
    let session = &moment.stripe.sessions[x];
    let Some(paid) = session.paid.filter(|paid| *paid <= moment.at) else {
        return (Want::Nothing, "11");
    };
    if session.completed != Some(paid) && moment.delivery.types != Types::All {
        return (Want::Nothing, "11");
    }
    if moment.delivery.types != Types::All
        && (!moment.stripe.refunds.is_empty() || !moment.stripe.disputes.is_empty())
    {
        return (Want::Open("not all types are delivered"), "36");
    }
    let end = days.map(|days| (paid + days * DAY).max(given.unwrap_or(0)));
    let over = end.is_some_and(|end| end <= moment.at);
    let total = session.payment.as_ref().map_or(0, |p| p.amount);
    let plain = if over {
        (Want::Stopped(&["expired"]), "10")
    } else {
        (Want::Live(vec![end]), "10")
    };
    // What was stopped by a dispute or a refund, and is over when that is undone, may stay as it is.
    let disputed_at = moment.stripe.disputes.iter().map(|d| (d.of, d.at));
    let refunded_at = moment.stripe.refunds.iter().map(|r| (r.of, r.at));
    let mut back = disputed_at.chain(refunded_at);
    let plain = if over && back.any(|(of, at)| of == Paid::Session(x) && at <= moment.at) {
        (Want::Stopped(ENDED), "10, 36, 39")
    } else {
        plain
    };
    if kept {
        return match plain.0 {
            Want::Stopped(_) => (Want::Stopped(ENDED), "50"),
            Want::Live(_) | Want::LiveFrom(_) | Want::Nothing | Want::Open(_) => plain,
        };
    }
    let of = |of: Paid| of == Paid::Session(x);
    let back = went_back(moment, moment.policy, total, of).0;
    match (back, disputed(moment, of, |_| false)) {
        (Back::Mixed, _) => (Want::Open("a part revokes and the whole keeps"), "36"),
        (Back::Pending, _) => (Want::Open("a refund is pending"), "36"),
        (Back::Revokes(since), _) if end.is_some_and(|end| end <= since) => {
            (Want::Open("refunded when it was over"), "36")
        }
        (Back::Revokes(_), _) => (Want::Stopped(&["revoked"]), "36"),
        (_, Disputed::Unclear(why)) => (Want::Open(why), "39"),
        (_, Disputed::Lost(since)) if end.is_some_and(|end| end <= since) => {
            (Want::Open("lost when it was over"), "39")
        }
        (_, Disputed::Lost(_)) => (Want::Stopped(&["revoked"]), "39"),
        (_, Disputed::Open) if over => (Want::Stopped(&["suspended", "expired"]), "39"),
        (_, Disputed::Open) => (Want::Stopped(&["suspended"]), "39"),
        (Back::Nothing | Back::Part(_), Disputed::No) => plain,
    }
}
