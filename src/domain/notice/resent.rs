//! Keys that a person wants mailed once more.

use super::{About, DueNotice, NoticeKind, Part, Skipped};
use crate::domain::context::Situation;
use crate::domain::decision::Verb;
use crate::domain::fact::Fact;

impl Situation<'_> {
    /// A mail for each time that it was said, with the keys: those that were there when it was said.
    pub(super) fn resent(&self, out: &mut Vec<DueNotice>) {
        let mut said: Vec<(&Fact, &Option<String>)> =
            self.machine.facts.iter().filter_map(resend).collect();
        said.sort_by_key(|(fact, _)| (fact.at, &fact.id));
        for (n, (fact, to)) in (1..).zip(said) {
            let at = fact.received;
            let there = self
                .machine
                .grants
                .iter()
                .filter(|g| g.since <= at && g.can_be_mailed());
            let seats: Vec<u32> = there.map(|g| g.number).collect();
            let mut call = DueNotice::new(NoticeKind::LicenseIssued, About::Resend, at);
            call.part = Part::Time(n);
            call.skip = seats.is_empty().then_some(Skipped::NoKey);
            (call.seats, call.to) = (seats, to.clone());
            out.push(call);
        }
    }
}

fn resend(fact: &Fact) -> Option<(&Fact, &Option<String>)> {
    let Verb::Resend { to } = &fact.decision()?.verb else {
        return None;
    };
    Some((fact, to))
}
