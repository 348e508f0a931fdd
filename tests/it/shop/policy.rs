//! A policy: every key of section K, made at random, written as TOML and read by the oracle.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::calendar::{DAY, HOUR, MINUTE};

/// What happens at the end of a grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AtGraceEnd {
    Suspend,
    Revoke,
    Keep,
}

/// What a cancellation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnCancel {
    PeriodEnd,
    Now,
    Keep,
}

/// What a partial refund does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnPartial {
    Keep,
    Revoke,
    /// Revoke once half of it went back.
    Half,
}

/// The keys of a policy; spans in seconds. A key with two values is true for the first, the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) grace: i64,
    pub(crate) reminders: Vec<i64>,
    pub(crate) at_grace_end: AtGraceEnd,
    pub(crate) on_cancel: OnCancel,
    pub(crate) refund_revokes: bool,
    pub(crate) on_partial_refund: OnPartial,
    pub(crate) dispute_suspends: bool,
    pub(crate) inquiry_keeps: bool,
    pub(crate) won_reinstates: bool,
    pub(crate) lost_revokes: bool,
    pub(crate) pause_keeps: bool,
    pub(crate) margin: i64,
    pub(crate) processing: i64,
    pub(crate) trial_licenses: bool,
    pub(crate) restores: bool,
    pub(crate) notice_delay: i64,
    pub(crate) keyward_warns: bool,
}

impl Policy {
    /// The keys as the config has them.
    pub(crate) fn toml(&self) -> String {
        let reminders: Vec<String> = self
            .reminders
            .iter()
            .map(|r| format!("\"{}d\"", r / DAY))
            .collect();
        let rows: String = self
            .rows()
            .iter()
            .map(|(key, value)| format!("{key} = \"{value}\"\n"))
            .collect();
        format!("{rows}reminders = [{}]\n", reminders.join(", "))
    }

    fn rows(&self) -> [(&'static str, String); 16] {
        let word = |first: bool, yes: &'static str, no: &'static str| if first { yes } else { no };
        [
            ("grace", format!("{}h", self.grace / HOUR)),
            (
                "at_grace_end",
                format!("{:?}", self.at_grace_end).to_lowercase(),
            ),
            (
                "on_cancel",
                match self.on_cancel {
                    OnCancel::PeriodEnd => "period_end".to_owned(),
                    OnCancel::Now => "now".to_owned(),
                    OnCancel::Keep => "keep".to_owned(),
                },
            ),
            (
                "on_refund",
                word(self.refund_revokes, "revoke", "keep").to_owned(),
            ),
            (
                "on_partial_refund",
                match self.on_partial_refund {
                    OnPartial::Keep => "keep".to_owned(),
                    OnPartial::Revoke => "revoke".to_owned(),
                    OnPartial::Half => "50%".to_owned(),
                },
            ),
            (
                "on_dispute",
                word(self.dispute_suspends, "suspend", "keep").to_owned(),
            ),
            (
                "on_inquiry",
                word(self.inquiry_keeps, "keep", "suspend").to_owned(),
            ),
            (
                "on_dispute_won",
                word(self.won_reinstates, "reinstate", "keep").to_owned(),
            ),
            (
                "on_dispute_lost",
                word(self.lost_revokes, "revoke", "keep").to_owned(),
            ),
            (
                "on_pause",
                word(self.pause_keeps, "keep", "suspend").to_owned(),
            ),
            ("expiry_margin", format!("{}h", self.margin / HOUR)),
            ("processing_margin", format!("{}h", self.processing / HOUR)),
            (
                "trial",
                word(self.trial_licenses, "license", "none").to_owned(),
            ),
            (
                "resubscribe",
                word(self.restores, "restore", "new").to_owned(),
            ),
            ("notice_delay", format!("{}m", self.notice_delay / MINUTE)),
            (
                "dunning_mail",
                word(self.keyward_warns, "keyward", "stripe").to_owned(),
            ),
        ]
    }
}

/// Any policy; shrinks to the defaults.
pub(crate) fn any_policy() -> impl Strategy<Value = Policy> {
    let spans = (
        prop::sample::select(vec![16_i64, 5, 10, 30]),
        prop::sample::select(vec![3 * DAY, DAY, 0, 6 * HOUR]),
        prop::sample::select(vec![14_i64, 5]),
        prop::sample::select(vec![10_i64, 0, 120]),
        prop::sample::select(vec![vec![0, 7, 14], vec![0], vec![3], vec![]]),
    );
    let choices = (
        prop::sample::select(vec![
            AtGraceEnd::Suspend,
            AtGraceEnd::Revoke,
            AtGraceEnd::Keep,
        ]),
        prop::sample::select(vec![OnCancel::PeriodEnd, OnCancel::Now, OnCancel::Keep]),
        prop::sample::select(vec![OnPartial::Keep, OnPartial::Revoke, OnPartial::Half]),
        prop::array::uniform10(prop::bool::weighted(0.35)),
    );
    (spans, choices).prop_map(|(spans, choices)| {
        let (grace, margin, processing, delay, reminders) = spans;
        let (at_grace_end, on_cancel, on_partial_refund, others) = choices;
        let [
            refund,
            dispute,
            inquiry,
            won,
            lost,
            pause,
            trial,
            again,
            mail,
            _,
        ] = others.map(|other| !other);
        let reminders = reminders
            .into_iter()
            .filter(|r| *r < grace)
            .map(|r| r * DAY)
            .collect();
        Policy {
            grace: grace * DAY,
            reminders,
            at_grace_end,
            on_cancel,
            refund_revokes: refund,
            on_partial_refund,
            dispute_suspends: dispute,
            inquiry_keeps: inquiry,
            won_reinstates: won,
            lost_revokes: lost,
            pause_keeps: pause,
            margin,
            processing: processing * DAY,
            trial_licenses: trial,
            restores: again,
            notice_delay: delay * MINUTE,
            keyward_warns: mail,
        }
    })
}
