//! The entitlement table as a page, for `docs/states/entitlement.md`. Rows that differ only in what does not matter are
//! one row; a test compares the page with the file, and walks it.

use std::fmt::Write;

use super::table::{End, Pair, Should, Why, want_of};
use crate::domain::condition::{DisputeEffect, EndingEffect, PauseEffect, RefundEffect};
use crate::domain::lifecycle::Phase;
use crate::domain::status::PurchaseStatus;

/// One row: each column's values, or any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    phases: Vec<Phase>,
    refund: Option<RefundEffect>,
    dispute: Option<DisputeEffect>,
    pause: Option<PauseEffect>,
    ending: Option<EndingEffect>,
    /// What a license should be, and why.
    pub says: (Should, Why),
}

impl Row {
    /// Whether a pair stands in this row.
    #[must_use]
    pub fn holds(&self, pair: Pair) -> bool {
        self.phases.contains(&pair.phase)
            && self.refund.is_none_or(|r| r == pair.refund)
            && self.dispute.is_none_or(|d| d == pair.dispute)
            && self.pause.is_none_or(|p| p == pair.pause)
            && self.ending.is_none_or(|e| e == pair.ending)
    }
}

/// Every row of the table.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for phase in Phase::ALL {
        for row in of_phase(phase) {
            let alike = |r: &&mut Row| {
                (r.refund, r.dispute, r.pause, r.ending, r.says)
                    == (row.refund, row.dispute, row.pause, row.ending, row.says)
            };
            match rows.iter_mut().find(alike) {
                Some(known) => known.phases.push(phase),
                None => rows.push(row),
            }
        }
    }
    rows
}

/// The rows of one phase: a column whose values all lead to the same is any.
fn of_phase(phase: Phase) -> Vec<Row> {
    let pair = |refund, dispute, pause, ending| Pair {
        phase,
        refund,
        dispute,
        pause,
        ending,
    };
    let row = |refund, dispute, pause, ending, says| Row {
        phases: vec![phase],
        refund,
        dispute,
        pause,
        ending,
        says,
    };
    let by_refund = collapse(&RefundEffect::ALL, |refund| {
        collapse(&DisputeEffect::ALL, |dispute| {
            collapse(&PauseEffect::ALL, |pause| {
                collapse(&EndingEffect::ALL, |ending| {
                    want_of(pair(refund, dispute, pause, ending))
                })
            })
        })
    });
    let mut rows = Vec::new();
    for (refund, by_dispute) in by_refund {
        for (dispute, by_pause) in by_dispute {
            for (pause, by_ending) in by_pause {
                rows.extend(
                    by_ending
                        .into_iter()
                        .map(|(ending, says)| row(refund, dispute, pause, ending, says)),
                );
            }
        }
    }
    rows
}

/// What each value leads to; one entry for any value where all lead to the same.
fn collapse<V: Copy, T: PartialEq>(values: &[V], of: impl Fn(V) -> T) -> Vec<(Option<V>, T)> {
    let mut all: Vec<(Option<V>, T)> = values.iter().map(|v| (Some(*v), of(*v))).collect();
    if all.windows(2).all(|w| w[0].1 == w[1].1) {
        all.truncate(1);
        for (value, _) in &mut all {
            *value = None;
        }
    }
    all
}

/// The page.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(
        "# What a license should be\n\nPrinted from the table (`src/domain/entitlement/table.rs`); do not edit. To renew it \
         after the table changed:\n`KEYWARD_BLESS=1 cargo test --test it docs`.\n\nFor each licensed item, its phase and its \
         conditions are settled first, each under the policy that judges it:\nthe phase in `src/domain/lifecycle/phase.rs`, \
         each condition in a file of its own in `src/domain/condition/`.\nA person's decision goes before this table. An \
         empty cell: it does not matter.\n\n\
         | phase | refund | dispute | pause | end | the license | because | shown as |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows() {
        let phases: Vec<&str> = row.phases.iter().map(|p| p.as_str()).collect();
        let (should, why) = row.says;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            phases.join(" / "),
            row.refund.map_or("", RefundEffect::as_str),
            row.dispute.map_or("", DisputeEffect::as_str),
            row.pause.map_or("", PauseEffect::as_str),
            row.ending.map_or("", EndingEffect::as_str),
            should_text(should),
            because(why),
            why.status().map_or("its state", PurchaseStatus::as_str),
        );
    }
    out
}

const fn should_text(should: Should) -> &'static str {
    match should {
        Should::Nothing => "none",
        Should::Suspended => "suspended",
        Should::Revoked => "revoked",
        Should::Live(end) => match end {
            End::Paid => "works to the paid end",
            End::Margin => {
                "works to the paid end and its margin, or as long as an open renewal carries it"
            }
            End::Grace => {
                "works to the grace's end, or the paid end and its margin where that is later"
            }
            End::Ahead => "works; its expiry is kept well ahead",
            End::GraceOrSubscription => {
                "works to the later of the grace's end and the subscription's"
            }
            End::Subscription => {
                "works to the subscription's end, or the paid end where that is earlier"
            }
            End::RestReturned => {
                "works to the later of the subscription's end and the money's return"
            }
            End::Never => "works without an end",
        },
    }
}

const fn because(why: Why) -> &'static str {
    match why {
        Why::Due => "it is paid, granted or on trial",
        Why::Grace => "a renewal failed, and the grace is promised",
        Why::Lapsed => "the grace is over",
        Why::Disputed => "a payment is disputed",
        Why::DisputeLost => "a dispute was lost, and nothing was paid since",
        Why::Refunded => "the money of the running period went back",
        Why::Paused => "the subscription is paused",
        Why::Ending => "it was cancelled, or sells something else now",
        Why::Decided => "a person said so",
        Why::Extended => "another purchase extends it",
        Why::NotPaid => "nothing was paid",
    }
}
