//! The single differences, each made from the seat that is due and the license that is there.

use super::{Difference, is_unproved};
use crate::domain::action::{Act, NewLicense, SeatId};
use crate::domain::entitlement::{SeatDue, Why};
use crate::domain::machine::Grant;
use crate::domain::service_move;
use crate::domain::time::Timestamp;

pub(super) fn create(seat: &SeatDue, until: Option<Timestamp>) -> Difference {
    Difference {
        act: Act::Create(new_license(seat, until)),
        grant: None,
        takes: false,
        by_time: false,
        by_person: false,
        unproved: false,
    }
}

pub(super) fn new_license(seat: &SeatDue, until: Option<Timestamp>) -> NewLicense {
    NewLicense {
        seat: SeatId {
            item: seat.item.clone(),
            unit: seat.unit,
        },
        app_id: seat.app_id.clone(),
        plan: seat.plan.clone(),
        expires_at: until.map(Timestamp::whole_s),
        devices: seat.devices,
        keeps: None,
    }
}

/// Makes at this service what was left at another one.
pub(super) fn take_place(seat: &SeatDue, until: Option<Timestamp>, left: &Grant) -> Difference {
    let mut new = new_license(seat, until);
    service_move::take_place(&mut new, left);
    Difference {
        act: Act::Create(new),
        by_person: true,
        ..create(seat, until)
    }
}

pub(super) fn reinstate(grant: &Grant, until: Option<Timestamp>) -> Difference {
    on(
        grant,
        Act::Reinstate {
            key: grant.key.clone(),
            until: until.map(Timestamp::whole_s),
        },
    )
}

/// Reads a license once more.
pub(in crate::domain) fn read_again(grant: &Grant) -> Difference {
    on(
        grant,
        Act::Read {
            key: grant.key.clone(),
        },
    )
}

pub(super) fn revoke(grant: &Grant) -> Act {
    Act::Revoke {
        key: grant.key.clone(),
    }
}

pub(super) fn stop(seat: &SeatDue, grant: &Grant, act: Act) -> Difference {
    Difference {
        by_time: seat.why == Why::Lapsed,
        unproved: is_unproved(seat, grant),
        ..asked(seat, grant, act)
    }
}

/// What a seat asks of its license.
pub(super) fn asked(seat: &SeatDue, grant: &Grant, act: Act) -> Difference {
    Difference {
        by_person: seat.why == Why::Decided,
        ..on(grant, act)
    }
}

pub(super) fn on(grant: &Grant, act: Act) -> Difference {
    Difference {
        takes: matches!(act, Act::Suspend { .. } | Act::Revoke { .. }),
        act,
        grant: Some(grant.number),
        by_time: false,
        by_person: false,
        unproved: false,
    }
}
