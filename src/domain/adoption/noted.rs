//! For which seat a noted license is. `keyward adopt` reads a purchase's whole history; where it does not take it in yet,
//! it notes with each license whose it is. The event that comes next shows a part of that history, and cannot tell.

use minicbor::{Decode, Encode};

use super::found::FoundLicense;
use super::pairing::pair;
use crate::domain::action::SeatId;
use crate::domain::entitlement::{Entitlement, SeatDue};
use crate::domain::id::ItemKey;
use crate::domain::time::Timestamp;

/// A seat by the names that it had when its license was noted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NotedSeat {
    /// The seat.
    #[n(0)]
    pub seat: SeatId,
    /// Other names of its item.
    #[n(1)]
    pub aliases: Vec<ItemKey>,
}

impl NotedSeat {
    fn of(seat: &SeatDue) -> Self {
        Self {
            seat: SeatId {
                item: seat.item.clone(),
                unit: seat.unit,
            },
            aliases: seat.aliases.iter().cloned().collect(),
        }
    }

    /// Whether it is a seat, by the item's own name.
    pub(super) fn is_exactly(&self, seat: &SeatDue) -> bool {
        self.seat.unit == seat.unit && self.seat.item == seat.item
    }

    /// Whether it is a seat, by the item's name or another that either had: an old event names the price alone.
    pub(super) fn is(&self, seat: &SeatDue) -> bool {
        let named = self.seat.item == seat.item
            || seat.aliases.contains(&self.seat.item)
            || self.aliases.contains(&seat.item);
        self.seat.unit == seat.unit && named
    }
}

/// The licenses of a purchase that is not taken in yet, each with the seat that it would get now.
#[must_use]
pub fn note_seats(
    due: &Entitlement,
    mut found: Vec<FoundLicense>,
    now: Timestamp,
) -> Vec<FoundLicense> {
    let mut seats: Vec<&SeatDue> = due.seats.iter().collect();
    seats.sort_by_key(|seat| !seat.want.live_at(now));
    let usable: Vec<_> = found.iter().filter(|l| l.status.is_some()).collect();
    let (pairs, _) = pair(&seats, &usable, now);
    let noted: Vec<_> = pairs
        .into_iter()
        .map(|(seat, license)| (license.key.clone(), NotedSeat::of(seat)))
        .collect();
    for (key, seat) in noted {
        let license = found.iter_mut().find(|l| l.key == key);
        license
            .into_iter()
            .for_each(|l| l.seat = Some(seat.clone()));
    }
    found
}
