//! Which license stands for which seat, and which action is for it.

use crate::domain::action::{Action, SeatId};
use crate::domain::entitlement::{Entitlement, SeatDue};
use crate::domain::machine::{Grant, Machine};

/// Which grant stands for each seat: the newest that is not replaced, by the item's own name first, then by a former one.
#[must_use]
pub fn match_seats(machine: &Machine, due: &Entitlement) -> Vec<Option<usize>> {
    let mut matched: Vec<Option<usize>> = vec![None; due.seats.len()];
    for exact in [true, false] {
        for (n, seat) in due.seats.iter().enumerate() {
            if matched[n].is_some() {
                continue;
            }
            let fits = |g: &Grant| {
                let named = if exact {
                    g.seat.item == seat.item
                } else {
                    seat.aliases.contains(&g.seat.item)
                };
                // A license cannot move to another application: a plan of another one needs a key of its own.
                let elsewhere = g.plan != seat.plan && g.app_id != seat.app_id;
                named && g.seat.unit == seat.unit && !g.replaced && !elsewhere
            };
            let mut newest_first = machine.grants.iter().enumerate().rev();
            let found = newest_first.find(|(i, g)| fits(g) && !matched.contains(&Some(*i)));
            matched[n] = found.map(|(i, _)| i);
        }
    }
    matched
}

/// Each seat with the license that stands for it.
pub fn paired_seats<'m, 'd>(
    machine: &'m Machine,
    due: &'d Entitlement,
) -> impl Iterator<Item = (&'d SeatDue, Option<&'m Grant>)> {
    let grants = match_seats(machine, due).into_iter();
    let grants = grants.map(|grant| grant.map(|g| &machine.grants[g]));
    due.seats.iter().zip(grants)
}

/// The seats that a license stands for, each with it.
pub fn held_seats<'m, 'd>(
    machine: &'m Machine,
    due: &'d Entitlement,
) -> impl Iterator<Item = (&'d SeatDue, &'m Grant)> {
    paired_seats(machine, due).filter_map(|(seat, grant)| Some((seat, grant?)))
}

/// Whether an action makes or finds the license of a seat, by the item's name or a former one.
#[must_use]
pub fn is_for(action: &Action, seat: &SeatDue) -> bool {
    let names = |of: &SeatId| {
        of.unit == seat.unit && (of.item == seat.item || seat.aliases.contains(&of.item))
    };
    action.act.new_license().is_some_and(|new| names(&new.seat))
}
