//! What is unwise in a policy: the paths on which a customer gets less than was promised, or a mail is never sent.

use super::tree::TreeReader;
use crate::domain::policy::{
    AtGraceEnd, DunningMail, OnCancel, OnDispute, OnDisputeWon, OnInquiry, OnPartialRefund,
    OnPause, Policy, Resubscribe,
};
use crate::domain::time::Span;

/// Stripe's own retries of a failed renewal take up to two weeks.
const STRIPE_RETRIES: Span = Span::from_days(14);
/// A period turns about an hour before its invoice is paid, and a delivery may be late.
const MARGIN_ADVISED: Span = Span::from_days(1);
/// Bank debits are told to be paid or failed after up to a week and more.
const PROCESSING_ADVISED: Span = Span::from_days(7);

/// Judges a policy.
pub(super) fn policy(policy: &Policy, reader: &TreeReader<'_>) {
    let judge = Judge { policy, reader };
    judge.grace();
    judge.reminders();
    judge.margins();
    judge.promises();
}

struct Judge<'a> {
    policy: &'a Policy,
    reader: &'a TreeReader<'a>,
}

impl Judge<'_> {
    fn warn(&self, key: &str, message: &str, hint: &str) {
        let at = self
            .reader
            .spot(&format!("/policy/{}/{key}", self.policy.name));
        self.reader.warning(
            at,
            format!("policy \"{}\": {message}", self.policy.name),
            hint,
        );
    }

    /// Whether the file says something about a key.
    fn body(&self, key: &str) -> bool {
        let of = |path: String| self.reader.spot(&path);
        of(format!("/policy/{}/{key}", self.policy.name))
            != of(format!("/policy/{}", self.policy.name))
    }

    fn grace(&self) {
        let p = self.policy;
        if p.grace < STRIPE_RETRIES && p.at_grace_end != AtGraceEnd::Keep {
            let message = format!(
                "a grace of {} is shorter than Stripe's own retries, which take two weeks",
                p.grace
            );
            self.warn(
                "grace",
                &message,
                "customers are stopped who would have paid; 16d leaves two days to spare",
            );
        }
        if p.at_grace_end == AtGraceEnd::Revoke && p.resubscribe == Resubscribe::Restore {
            let message = "a license that the grace's end has revoked cannot be restored";
            let hint = "who comes back gets a new key: say so with `resubscribe = \"new\"`, or `at_grace_end = \"suspend\"`";
            self.warn(
                if self.body("resubscribe") {
                    "resubscribe"
                } else {
                    "at_grace_end"
                },
                message,
                hint,
            );
        }
    }

    fn reminders(&self) {
        let p = self.policy;
        if p.dunning_mail == DunningMail::Stripe {
            if self.body("reminders") {
                let hint = "leave `reminders` out, or set `dunning_mail = \"keyward\"`";
                self.warn(
                    "reminders",
                    "no reminder is sent, because Stripe warns of failed payments",
                    hint,
                );
            }
            return;
        }
        if let Some(late) = p
            .reminders
            .iter()
            .find(|r| **r >= p.grace && **r > Span::ZERO)
        {
            let message = format!(
                "the reminder at {late} is never sent: the grace is over after {}",
                p.grace
            );
            let key = if self.body("reminders") {
                "reminders"
            } else {
                "grace"
            };
            self.warn(
                key,
                &message,
                "every reminder must come before the end of the grace",
            );
        }
        let second = p.reminders.iter().find(|r| **r > Span::ZERO).copied();
        let first_due = second.map_or(p.grace, |s| s.min(p.grace));
        if p.notice_delay >= first_due && first_due > Span::ZERO {
            let message = format!(
                "a `notice_delay` of {} holds the first warning until the next is due at {first_due}",
                p.notice_delay
            );
            self.warn(
                "notice_delay",
                &message,
                "minutes are enough: it only waits for payments that are already under way",
            );
        }
        if p.reminders.is_empty() && p.at_grace_end != AtGraceEnd::Keep {
            let hint = "begin with \"0d\", or let Stripe write: `dunning_mail = \"stripe\"`";
            self.warn("reminders", "customers are stopped without a warning", hint);
        }
    }

    fn margins(&self) {
        let p = self.policy;
        if p.expiry_margin < MARGIN_ADVISED {
            let message = format!("an `expiry_margin` of {} is under a day", p.expiry_margin);
            let hint = "a renewal is paid an hour or more after the period has turned: until then paying customers are locked out";
            self.warn("expiry_margin", &message, hint);
        }
        if p.processing_margin < PROCESSING_ADVISED {
            let message = format!(
                "a `processing_margin` of {} is shorter than a bank debit may take",
                p.processing_margin
            );
            self.warn(
                "processing_margin",
                &message,
                "customers who pay by debit are locked out while it is under way; 14d is safe",
            );
        }
    }

    /// Paths on which a customer gets less than was promised.
    fn promises(&self) {
        let p = self.policy;
        if p.on_cancel == OnCancel::Now {
            let hint = "`period_end` lets the license live to the end of what was paid";
            self.warn(
                "on_cancel",
                "who cancels loses time that is already paid for",
                hint,
            );
        }
        if p.on_pause == OnPause::Suspend {
            let hint =
                "`keep` leaves the license alone; else let pauses begin at a period's end only";
            self.warn(
                "on_pause",
                "who pauses in mid period loses time that is already paid for",
                hint,
            );
        }
        let stops = p.on_dispute == OnDispute::Suspend || p.on_inquiry == OnInquiry::Suspend;
        if stops && p.on_dispute_won == OnDisputeWon::Keep {
            let hint = "the money stays with you then; `reinstate` brings the license back";
            self.warn(
                "on_dispute_won",
                "a customer stays suspended after a dispute that you have won",
                hint,
            );
        }
        if p.on_partial_refund == OnPartialRefund::Revoke {
            let hint =
                "a share like \"50%\" spares those who were refunded a little out of goodwill";
            self.warn(
                "on_partial_refund",
                "the smallest partial refund ends a license that is otherwise paid",
                hint,
            );
        }
    }
}
