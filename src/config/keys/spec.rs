//! How a line of the tables is written, and lengths that several of them use.

use crate::config::keys::{Absent, KeySpec, ValueKind};

pub(super) const fn key(
    name: &'static str,
    kind: ValueKind,
    absent: Absent,
    doc: &'static str,
) -> KeySpec {
    KeySpec {
        name,
        kind,
        absent,
        doc,
    }
}

pub(super) const KIB: u64 = 1 << 10;

pub(super) const MIB: u64 = 1 << 20;

pub(super) const TIB: u64 = 1 << 40;

pub(super) const DAY_S: i64 = 86_400;

/// No length of time in the config is longer than a hundred years.
pub(super) const CENTURY_S: i64 = 36_525 * DAY_S;
