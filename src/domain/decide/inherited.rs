//! What a license that is made anew at another service goes on with.

use crate::domain::action::{Confirmed, NewLicense};
use crate::domain::machine::{ExternalChanges, Grant, Machine};
use crate::domain::service_move::{KeptKey, ServiceMove, TellOfKeys};

/// What a license has from the one that was left at the service of before.
#[derive(Clone, Copy)]
pub(super) struct Inherited {
    pub(super) given: Option<ExternalChanges>,
    pub(super) adopted: bool,
    pub(super) told: Option<ServiceMove>,
}

impl Inherited {
    /// Reads it; one whose key is kept is the same license from then on.
    pub(super) fn of(
        machine: &mut Machine,
        new: &NewLicense,
        kept: &KeptKey,
        confirmed: &Confirmed,
    ) -> Self {
        let of_key = |g: &&Grant| g.key == kept.key && g.is_left();
        let left = machine.grants.iter().find(of_key);
        let (given, adopted) = left.map_or((None, false), |g| (g.given, g.adopted));
        let is_kept = confirmed.key == kept.key;
        if is_kept {
            let stays = |g: &Grant| g.key != kept.key || !g.is_left() || g.seat != new.seat;
            machine.grants.retain(stays);
        }
        let told = (is_kept || kept.tell == TellOfKeys::Nobody).then_some(ServiceMove::Untold);
        Self {
            given,
            adopted,
            told,
        }
    }
}
