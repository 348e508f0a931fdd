//! Which faults the fake makes, and when.

use serde::{Deserialize, Serialize};

/// What goes wrong, and how the service behaves where AuthForge's documentation is silent. All shares in percent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Decides which request fails how.
    pub seed: u64,
    /// 5xx; half of them after doing the work.
    pub error_pct: u64,
    /// No answer at all; half of them after doing the work.
    pub hang_pct: u64,
    /// The connection is closed without an answer; half of them after doing the work.
    pub drop_pct: u64,
    /// Done and answered 2xx, with a body that breaks off.
    pub garbage_pct: u64,
    /// No answer, and the work is done `late_ms` later.
    pub late_pct: u64,
    /// See `late_pct`.
    pub late_ms: u64,
    /// 429, nothing done.
    pub limited_pct: u64,
    /// What a 429 or 5xx says in `Retry-After`.
    pub retry_after: Option<String>,
    /// 5xx and 429 come from a gateway, as HTML.
    pub html: bool,
    /// Every call (402: every create) is refused with this status.
    pub refuse: Option<u16>,
    /// Creates are carried out, and answered only once this is off.
    pub hold_creates: bool,
    /// How long every answer takes, in milliseconds.
    pub latency_ms: u64,
    /// So many blanks precede every body.
    pub pad_bytes: usize,
    /// Licenses younger than this are not in the list yet.
    pub list_lag_ms: u64,
    /// The list stays as it is, whatever is made.
    pub list_frozen: bool,
    /// So many more list requests with a cursor are refused.
    pub refuse_cursors: u32,
    /// Keys that the list leaves out, though each can be read.
    pub list_hides: Vec<String>,
    /// Keys that the list calls revoked, whatever they are.
    pub list_revokes: Vec<String>,
    /// To read one of those that the list leaves out is refused.
    pub refuse_hidden: bool,
    /// The list shows labels.
    pub list_shows_label: bool,
    /// The list heeds `label=`.
    pub finds_by_label: bool,
    /// What comes of an earlier end: `accept`, `refuse` (400) or `ignore` (200, unchanged).
    pub shorten: String,
    /// What comes of taking an end away: `accept`, `refuse` (400) or `ignore` (200, unchanged).
    pub for_life: String,
    /// Ends later than so many days from now are refused; 0: none is.
    pub end_max_days: i64,
    /// Which form of changing devices it takes: `update`, `plain` (without an action), `ignore` (200, unchanged) or `refuse`.
    pub devices: String,
    /// Devices can be added only.
    pub no_fewer_devices: bool,
    /// `unlimitedHwidSlots` cannot be switched on later.
    pub no_unlimited_devices: bool,
    /// What has expired is not extended.
    pub dead_when_expired: bool,
    /// What is revoked is not extended.
    pub no_extend_revoked: bool,
    /// `activate` is refused.
    pub refuse_activate: bool,
    /// A change to what is so already is refused with 400.
    pub refuse_repeats: bool,
    /// A successful update is answered with `{}`.
    pub silent_updates: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 1,
            error_pct: 0,
            hang_pct: 0,
            drop_pct: 0,
            garbage_pct: 0,
            late_pct: 0,
            late_ms: 0,
            limited_pct: 0,
            retry_after: None,
            html: false,
            refuse: None,
            hold_creates: false,
            latency_ms: 0,
            pad_bytes: 0,
            list_lag_ms: 0,
            list_frozen: false,
            refuse_cursors: 0,
            list_hides: vec![],
            list_revokes: vec![],
            refuse_hidden: false,
            list_shows_label: false,
            finds_by_label: false,
            shorten: "accept".into(),
            for_life: "accept".into(),
            end_max_days: 0,
            devices: "refuse".into(),
            no_fewer_devices: false,
            no_unlimited_devices: false,
            dead_when_expired: false,
            no_extend_revoked: false,
            refuse_activate: false,
            refuse_repeats: false,
            silent_updates: false,
        }
    }
}

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    ErrorBefore,
    ErrorAfter,
    HangBefore,
    HangAfter,
    DropBefore,
    DropAfter,
    Garbage,
    Late,
    Limited,
}

impl Faults {
    pub(super) fn draw(&self, request: u64) -> Fault {
        let dice = mix(self.seed ^ mix(request));
        let (mut roll, half) = (dice % 100, (dice / 100).is_multiple_of(2));
        for (pct, before, after) in [
            (self.error_pct, Fault::ErrorBefore, Fault::ErrorAfter),
            (self.hang_pct, Fault::HangBefore, Fault::HangAfter),
            (self.drop_pct, Fault::DropBefore, Fault::DropAfter),
            (self.garbage_pct, Fault::Garbage, Fault::Garbage),
            (self.late_pct, Fault::Late, Fault::Late),
            (self.limited_pct, Fault::Limited, Fault::Limited),
        ] {
            if roll < pct {
                return if half { before } else { after };
            }
            roll -= pct;
        }
        Fault::None
    }
}

/// SplitMix64's finalizer: neighbouring numbers to unrelated ones.
pub(super) fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}
