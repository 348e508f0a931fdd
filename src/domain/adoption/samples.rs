//! A machine for tests that need one with a license and do not care which.

use std::collections::BTreeSet;

use super::{FoundLicense, Linking, link_found};
use crate::domain::action::GrantStatus;
use crate::domain::entitlement::{Entitlement, SeatDue, Want, Why};
use crate::domain::id::LicenseKey;
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

/// A subscription with one license, made by another hand, that works until an instant.
pub(crate) fn licensed(key: &str, until: Option<Timestamp>) -> Machine {
    let seat = SeatDue {
        item: "si_1".into(),
        aliases: BTreeSet::new(),
        unit: 1,
        plan: None,
        app_id: None,
        devices: Devices::Count(1),
        want: Want::Live { until },
        why: Why::Due,
        since: None,
        paid_until: until,
        period: None,
        row: None,
        guessed: false,
    };
    let license = FoundLicense {
        key: LicenseKey::new(key),
        app_id: None,
        status: Some(GrantStatus::Live),
        expires_at: Some(until),
        devices: None,
        label: None,
        made: None,
        seat: None,
    };
    let due = Entitlement {
        seats: vec![seat],
        ..Entitlement::default()
    };
    let of = Linking {
        due: &due,
        whole: true,
        under_way: &[],
        service: None,
        now: Timestamp::from_s(0),
    };
    let id = "stripe/sub_1".parse().unwrap();
    let mut machine = Machine::new(id, Kind::Subscription, "stripe".into(), None);
    link_found(&mut machine, &[license], of);
    machine
}
