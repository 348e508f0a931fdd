//! A seat as it was named when a license was noted for it.

use minicbor::{Decode, Encode};

use crate::domain::action::SeatId;
use crate::domain::entitlement::SeatDue;
use crate::domain::id::ItemKey;

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
    pub(super) fn of(seat: &SeatDue) -> Self {
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
