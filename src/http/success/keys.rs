//! Which keys the page after a purchase shows, and which of them stay in full.

use crate::domain::machine::{Grant, Machine};
use crate::domain::notice::{Notice, NoticeKind, NoticeStatus};
use crate::engine::read::view::ExtendedPurchase;

/// The licenses of a purchase, its own and those that it extends, each with whether its buyer may see the key.
pub(super) fn shown<'a>(
    machine: &'a Machine,
    extended: &'a [ExtendedPurchase],
) -> impl Iterator<Item = (&'a Grant, bool)> {
    let own = machine.grants.iter().map(|grant| (grant, true));
    let of_others = extended.iter().flat_map(|e| {
        let meant = e.owner.grants.iter().filter(|g| e.seats.contains(&g.seat));
        meant.map(|grant| (grant, e.shows_key))
    });
    own.chain(of_others)
        .filter(|(grant, _)| grant.can_be_mailed())
}

/// Whether the mail with a key reached nobody: then its buyer has it from the page alone.
pub(super) fn is_undelivered(machine: &Machine, grant: &Grant) -> bool {
    let is_own = machine.grants.iter().any(|g| g.key == grant.key);
    let with_key =
        |n: &&Notice| n.kind == NoticeKind::LicenseIssued && n.seats.contains(&grant.number);
    let mut statuses = machine.notices.iter().filter(with_key).map(|n| n.status);
    let reached_nobody =
        |s: NoticeStatus| matches!(s, NoticeStatus::NoAddress | NoticeStatus::Undeliverable);
    is_own && statuses.clone().any(reached_nobody) && !statuses.any(|s| s == NoticeStatus::Sent)
}
