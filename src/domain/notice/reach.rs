//! Whether a mail that could not be delivered still matters: until a later one brings what it carried.

use super::{Notice, NoticeKind, NoticeStatus};
use crate::domain::machine::Machine;

/// From so many refusals of one mail on it is somebody's task: the first may pass by itself.
const REFUSALS_TOLD: u32 = 2;

/// What a mail that is refused waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The address was refused for good.
    ForGood,
    /// The mail was refused again and again, and is still tried.
    TriedAgain,
}

impl Undelivered {
    /// It in words, after what is mailed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForGood => "cannot be delivered",
            Self::TriedAgain => "is refused by the mail server, and tried again",
        }
    }
}

impl Notice {
    /// How it fails to be delivered, if somebody should look at that.
    #[must_use]
    pub const fn undelivered(&self) -> Option<Undelivered> {
        match self.status {
            NoticeStatus::Undeliverable => Some(Undelivered::ForGood),
            NoticeStatus::Pending if self.refusals >= REFUSALS_TOLD => {
                Some(Undelivered::TriedAgain)
            }
            NoticeStatus::Pending
            | NoticeStatus::NoAddress
            | NoticeStatus::Waiting
            | NoticeStatus::Sent
            | NoticeStatus::Skipped => None,
        }
    }

    /// Whether it had nobody to go to, or is refused, and no mail since then has brought what it carried.
    #[must_use]
    pub fn reached_nobody(&self, machine: &Machine) -> bool {
        let failed = self.status == NoticeStatus::NoAddress || self.undelivered().is_some();
        failed && !self.is_brought(machine)
    }

    /// Whether later mails brought what this one carried: its keys, each in one of them, or what it had to say.
    fn is_brought(&self, machine: &Machine) -> bool {
        let sent = machine.notices.iter();
        let mut later = sent.filter(|n| n.status == NoticeStatus::Sent && n.at > self.at);
        if self.kind != NoticeKind::LicenseIssued {
            return later.any(|n| n.kind.speaks_for(self.kind));
        }
        // Mails about a license's time show its key, too, but go to who pays, and this one to who holds it.
        let brought: Vec<u32> = later
            .filter(|n| n.kind == NoticeKind::LicenseIssued)
            .flat_map(|n| n.seats.iter().copied())
            .collect();
        // What is revoked or replaced is mailed no more: the mail with what replaces it is enough.
        let is_mailed = |number: &u32| {
            let grant = machine.grants.iter().find(|g| g.number == *number);
            brought.contains(number) || grant.is_some_and(|g| !g.can_be_mailed())
        };
        !brought.is_empty() && self.seats.iter().all(is_mailed)
    }
}

impl NoticeKind {
    /// Whether a mail of this kind that goes out later tells all that one of the other kind had to tell, or that it is over.
    const fn speaks_for(self, earlier: Self) -> bool {
        match earlier {
            Self::LicenseIssued => matches!(self, Self::LicenseIssued),
            Self::LicenseDelayed => matches!(self, Self::LicenseDelayed | Self::LicenseIssued),
            Self::PaymentFailed | Self::ActionRequired | Self::GraceEnding => {
                self.is_of_payment() || self.is_of_standing()
            }
            Self::TrialEnding => {
                matches!(self, Self::TrialEnding) || self.is_of_payment() || self.is_of_standing()
            }
            Self::Suspended | Self::Restored | Self::Ended | Self::Refunded | Self::Disputed => {
                self.is_of_standing()
            }
            Self::Extended | Self::Expiring | Self::Shortened | Self::TimeRestored => {
                self.is_of_time() || matches!(self, Self::Ended | Self::Refunded)
            }
        }
    }

    /// A payment that is open.
    const fn is_of_payment(self) -> bool {
        matches!(
            self,
            Self::PaymentFailed | Self::ActionRequired | Self::GraceEnding
        )
    }

    /// Whether the license works.
    const fn is_of_standing(self) -> bool {
        matches!(
            self,
            Self::Suspended | Self::Restored | Self::Ended | Self::Refunded | Self::Disputed
        )
    }

    /// Until when it works.
    const fn is_of_time(self) -> bool {
        matches!(
            self,
            Self::Extended | Self::Expiring | Self::Shortened | Self::TimeRestored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{About, Part};
    use super::*;
    use crate::domain::id::SourceName;
    use crate::domain::lifecycle::Kind;
    use crate::domain::time::{Span, Timestamp};

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    /// A mail at a minute, with the keys of some licenses.
    fn mail(minute: i64, kind: NoticeKind, status: NoticeStatus, seats: &[u32]) -> Notice {
        let at = NOW + Span::from_minutes(minute);
        Notice {
            id: 1,
            kind,
            about: About::FirstKey,
            part: Part::Whole,
            status,
            at,
            to: (status == NoticeStatus::Sent).then(|| "jane@new.example".to_owned()),
            seats: seats.to_vec(),
            attempts: 1,
            due: at,
            error: None,
            skipped: None,
            refusals: 0,
        }
    }

    /// Whether the first mail still matters once the others went out, a minute apart.
    fn lost(first: &Notice, others: &[(NoticeKind, &[u32])]) -> bool {
        let id = "stripe/sub_1".parse().unwrap();
        let mut machine = Machine::new(id, Kind::Subscription, SourceName::from("stripe"), None);
        let sent = |(minute, (kind, seats)): (i64, &(NoticeKind, &[u32]))| {
            mail(minute, *kind, NoticeStatus::Sent, seats)
        };
        machine.notices.push(first.clone());
        machine.notices.extend((1..).zip(others).map(sent));
        first.reached_nobody(&machine)
    }

    /// A reminder, or another license's key, does not bring the key that its customer never got.
    #[test]
    fn a_key_is_brought_by_a_mail_that_carries_it() {
        use NoticeKind::{Expiring, Extended, LicenseIssued, PaymentFailed};
        for status in [NoticeStatus::Undeliverable, NoticeStatus::NoAddress] {
            let key = mail(0, LicenseIssued, status, &[1, 2]);
            assert!(lost(&key, &[]));
            assert!(lost(&key, &[(PaymentFailed, &[]), (Expiring, &[1, 2])]));
            assert!(lost(&key, &[(LicenseIssued, &[3])]));
            assert!(lost(&key, &[(LicenseIssued, &[1])]));
            assert!(!lost(&key, &[(LicenseIssued, &[1, 2])]));
            assert!(lost(&key, &[(LicenseIssued, &[1]), (Extended, &[2])]));
            assert!(!lost(
                &key,
                &[(LicenseIssued, &[1]), (LicenseIssued, &[2, 3])]
            ));
        }
    }

    #[test]
    fn what_a_mail_had_to_say_is_said_by_one_of_its_kind_or_of_what_came_of_it() {
        use NoticeKind::{
            Ended, Expiring, LicenseDelayed, LicenseIssued, PaymentFailed, Refunded, Restored,
        };
        let failed = |kind| mail(0, kind, NoticeStatus::Undeliverable, &[]);
        assert!(lost(&failed(PaymentFailed), &[(LicenseIssued, &[1])]));
        assert!(lost(&failed(PaymentFailed), &[(Expiring, &[1])]));
        assert!(!lost(&failed(PaymentFailed), &[(PaymentFailed, &[])]));
        assert!(!lost(&failed(PaymentFailed), &[(Restored, &[])]));
        assert!(lost(&failed(Refunded), &[(PaymentFailed, &[])]));
        assert!(!lost(&failed(Expiring), &[(Ended, &[])]));
        assert!(!lost(&failed(LicenseDelayed), &[(LicenseIssued, &[1])]));
    }

    #[test]
    fn what_was_sent_before_brings_nothing() {
        let mut key = mail(
            5,
            NoticeKind::LicenseIssued,
            NoticeStatus::Undeliverable,
            &[1],
        );
        assert!(lost(&key, &[(NoticeKind::LicenseIssued, &[1])]));
        key.at = NOW;
        assert!(!lost(&key, &[(NoticeKind::LicenseIssued, &[1])]));
    }
}
