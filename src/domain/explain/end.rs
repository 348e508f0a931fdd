//! Why a license that is simply paid for ends when it does: what was paid, and what the policy adds.

use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::lifecycle::{Folded, Life, Phase, SubscriptionLife};
use crate::domain::policy::Policy;
use crate::domain::time::Timestamp;

/// The key of the policy that makes the end of a running subscription's license later than what was paid, and its value.
/// `None`: none does, as with what was bought once, or another line decides.
pub(super) fn line(
    folded: &Folded,
    seat: &SeatDue,
    policy: &Policy,
) -> Option<(&'static str, String)> {
    let life = running(folded, seat)?;
    let Want::Live { until: Some(until) } = seat.want else {
        return None;
    };
    if until == seat.paid_until? + policy.expiry_margin {
        return Some(("expiry_margin", policy.expiry_margin.to_string()));
    }
    // A sent invoice carries to its own due date, whatever a policy says.
    let carries = items(life, seat)
        .flat_map(|item| life.renewals_of(Some(item)))
        .any(|renewal| !renewal.sent && renewal.until == until);
    let carries = carries && seat.why == Why::Due;
    carries.then(|| ("processing_margin", policy.processing_margin.to_string()))
}

/// When the margin was promised: when it was last paid.
pub(super) fn promised_at(folded: &Folded, seat: &SeatDue) -> Option<Timestamp> {
    let life = running(folded, seat)?;
    let paid = items(life, seat).filter_map(|item| life.paid.get(item));
    let last = paid.filter_map(|paid| paid.periods.last());
    let last = last.max_by_key(|period| period.end);
    last.map(|period| period.paid_at).or(life.began)
}

/// The invoice that paid for the time until the paid end; `None`: that was granted, added or cut.
pub(super) fn paid_by<'f>(folded: &'f Folded, seat: &SeatDue) -> Option<&'f InvoiceId> {
    let life = running(folded, seat)?;
    let paid = items(life, seat).filter_map(|item| life.paid.get(item));
    let periods = paid.flat_map(|paid| &paid.periods);
    let last = periods.filter(|period| Some(period.end) == seat.paid_until);
    // The first one: what changes a period later does not pay for it.
    let first = last.min_by_key(|period| period.proration);
    first.map(|period| &period.invoice)
}

/// A subscription whose license is due because it is paid for, or whose grace ends before that does.
fn running<'f>(folded: &'f Folded, seat: &SeatDue) -> Option<&'f SubscriptionLife> {
    let is_trial = seat.row.is_some_and(|row| row.phase == Phase::Trial);
    match &folded.life {
        Life::Subscription(life) if matches!(seat.why, Why::Due | Why::Grace) && !is_trial => {
            Some(life)
        }
        Life::Subscription(_) | Life::Payment(_) => None,
    }
}

/// The items that pay for a seat: its own, or those that carry what the subscription's metadata asks for.
fn items<'l>(life: &'l SubscriptionLife, seat: &'l SeatDue) -> impl Iterator<Item = &'l ItemKey> {
    let own = Some(&seat.item).filter(|item| life.items.iter().any(|(i, _)| i.key == **item));
    let carriers = life.carriers.iter().filter(move |_| own.is_none());
    own.into_iter().chain(carriers)
}
