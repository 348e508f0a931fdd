//! For which seat a noted license is. `keyward adopt` reads a purchase's whole history; where it does not take it in yet,
//! it notes with each license whose it is. The event that comes next shows a part of that history, and cannot tell.

use super::found::FoundLicense;
use super::noted_seat::NotedSeat;
use super::pairing::pair;
use crate::domain::entitlement::{Entitlement, SeatDue};
use crate::domain::time::Timestamp;

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
