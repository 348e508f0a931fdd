//! An action for tests that need one and do not care which.

use super::{Act, Action, NewLicense, SeatId};
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

/// The making of a license of so much a number for an item, decided at an instant.
pub(crate) fn create(item: &str, license: u32, at: Timestamp) -> Action {
    let new = NewLicense {
        seat: SeatId {
            item: item.into(),
            unit: 1,
        },
        app_id: None,
        plan: None,
        expires_at: None,
        devices: Devices::Count(1),
        keeps: None,
    };
    Action::new(1, Act::Create(new), license, at)
}
