//! Each purchase against the licenses that carry its name: one row each, and what `--apply` would move. Pure.

mod addresses;
mod candidate;
mod keys;
mod matches;
mod newest;
mod reading;
mod strangers;

pub use candidate::Candidate;
pub use keys::{of_account, stray};
pub use matches::{Matches, matches};
pub use reading::{doubtful, held};
pub use strangers::Stranger;

use std::collections::{BTreeMap, BTreeSet};

use super::gather::{Gathered, ShownPurchase};
use super::known::KnownShop;
use super::licenses::{LicenseIndex, found};
use super::parcel::AdoptedPurchase;
use super::report::{AdoptionReport, ReportRow, last_four};
use super::table::KeyTable;
use crate::domain::adoption::{
    Asking, Class, Examined, FoundLicense, Judged, KeyEnd, Repair, Template, gets_key, is_unread,
    labels_with, note_seats,
};
use crate::domain::decide::add_fact;
use crate::domain::entitlement::{Entitlement, entitlement};
use crate::domain::fact::{Fact, InvoiceEvent};
use crate::domain::id::{AppId, MachineId, ObjectId, ObjectKind, PlanName, Scope};
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::effects::license::choice::choose;
use crate::engine::record::body_codec;
use crate::sources::stripe::event::{self, EventContent};
use candidate::last_paid;
use newest::Newest;

/// By what a shop is judged.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    /// Where its ids are known.
    pub scope: &'a Scope,
    /// Plans and policies.
    pub revisions: &'a Revisions,
    /// The most devices of one key.
    pub devices_max: u32,
    /// The vendor's own label forms.
    pub templates: &'a [Template],
    /// What the store knows.
    pub known: &'a KnownShop,
    /// What is asked.
    pub asking: Asking,
    /// The instant.
    pub now: Timestamp,
}

impl Shop<'_> {
    fn id(&self, object: &str) -> MachineId {
        MachineId::new(self.scope.clone(), ObjectId::from(object))
    }

    /// What each purchase comes to, by its object.
    #[must_use]
    pub fn candidates(&self, gathered: &Gathered) -> BTreeMap<String, Candidate> {
        let purchases = gathered.purchases.iter();
        purchases
            .map(|(object, shown)| (object.clone(), self.candidate(object, shown)))
            .collect()
    }

    fn candidate(&self, object: &str, shown: &ShownPurchase) -> Candidate {
        let id = self.id(object);
        let stored = self.known.machine(&id);
        let stored_due = stored.as_ref().map(|m| self.due(m));
        let unread = stored.as_ref().is_some_and(is_unread);
        let is_stranger = self.asking == Asking::Audit && stored.is_none();
        let gets_key = stored.as_ref().is_some_and(gets_key);
        let source = self.scope.source().clone();
        let mut machine =
            stored.unwrap_or_else(|| Machine::new(id, shown.kind, source, shown.livemode));
        for fact in self.facts(shown, is_stranger) {
            add_fact(&mut machine, &fact);
        }
        let due = self.due(&machine);
        let contact = machine.contact();
        let bought = due.seats.len();
        let labels = labels_with(&machine, self.templates, &shown.metadata, bought);
        let paid = last_paid(&machine);
        let began = machine.first_told();
        machine.facts = Vec::new();
        Candidate {
            due,
            stored: stored_due,
            unread,
            gets_key,
            labels,
            customer: contact.customer.clone(),
            email: contact.payer(None).map(|e| e.to_lowercase()),
            paid,
            retry_at: shown.retry_at,
            began,
            machine,
        }
    }

    fn due(&self, machine: &Machine) -> Entitlement {
        let folded = machine.folded(self.revisions, self.now);
        entitlement(
            &folded,
            &machine.extensions,
            self.revisions,
            self.now,
            self.devices_max,
        )
    }

    /// What its events say, oldest first. A grace that began before a purchase is taken in counts from then; what is lost of a
    /// stranger's is lost since its payment failed.
    fn facts(&self, shown: &ShownPurchase, is_stranger: bool) -> Vec<Fact> {
        let read = |packed: &Vec<u8>| {
            let body = body_codec::unpack(packed)?;
            match event::read(&body, self.now).ok()?.content {
                EventContent::Fact(fact) => Some(fact),
                EventContent::Customer(_) | EventContent::Ignored(_) => None,
            }
        };
        let mut facts: Vec<Fact> = shown.events.iter().filter_map(read).collect();
        for fact in facts.iter_mut().filter(|_| is_stranger) {
            if let Some(since) = failing_since(fact) {
                (fact.at, fact.received) = (since, since);
            }
        }
        facts.sort_by_key(|f| f.at);
        facts
    }
}

/// Since when an invoice is not paid: a renewal's payment is tried as its period begins, and one that is sent has a day.
fn failing_since(fact: &Fact) -> Option<Timestamp> {
    let invoice = fact.invoice()?;
    let fails = matches!(
        invoice.event,
        InvoiceEvent::PaymentFailed | InvoiceEvent::Overdue
    );
    let begins = invoice.lines.iter().map(|l| l.start).max();
    invoice.due.or(begins).filter(|_| fails)
}

/// The applications that some purchase names.
#[must_use]
pub fn apps(candidates: &BTreeMap<String, Candidate>) -> BTreeSet<AppId> {
    candidates
        .values()
        .flat_map(|c| &c.due.seats)
        .filter_map(|s| s.app_id.clone())
        .collect()
}

/// What a look comes to.
#[derive(Debug, Default)]
pub struct Judgement {
    /// For people and programs.
    pub report: AdoptionReport,
    /// What would be moved.
    pub moves: Vec<AdoptedPurchase>,
    /// The keys of what is not moved now: its next event may come before the next run.
    pub waiting: Vec<AdoptedPurchase>,
    /// Working licenses of somebody else's beside one from here.
    pub strangers: Vec<Stranger>,
}

/// Judges a shop of which everything was read, its licenses with their labels. Lines of the table that name nothing are
/// refused in it.
#[must_use]
pub fn examined(
    shop: &Shop<'_>,
    gathered: &mut Gathered,
    licenses: &LicenseIndex,
    table: &mut KeyTable,
) -> Judgement {
    let candidates = shop.candidates(gathered);
    let mut matched = matches(shop, &candidates, gathered, licenses, table);
    matched.suggest(licenses);
    judge(shop, &candidates, gathered, licenses, &matched)
}

/// Judges everything: the rows, and what would be moved.
#[must_use]
pub fn judge(
    shop: &Shop<'_>,
    candidates: &BTreeMap<String, Candidate>,
    gathered: &mut Gathered,
    licenses: &LicenseIndex,
    matches: &Matches,
) -> Judgement {
    let (mut report, mut moves) = (AdoptionReport::default(), Vec::new());
    let (mut waiting, mut strangers) = (Vec::new(), Vec::new());
    let examining = Examining::new(shop, candidates, licenses, matches);
    for (object, candidate) in candidates {
        let own = examining.own(object);
        let examined = examining.examined(object, candidate, &own);
        let Some(judged) = examined.judge(shop.asking) else {
            continue;
        };
        report.add(row(candidate, &examined, &judged));
        strangers.extend(strangers::strangers(&candidate.machine, &own));
        // A plan may name its price later: then it goes on with the key that it has.
        let comes_later = judged.waits.is_some() || judged.class == Class::Foreign;
        if shop.asking == Asking::Adoption && comes_later && !own.is_empty() {
            let noted = note_seats(&candidate.due, own.clone(), shop.now);
            waiting.push(candidate.purchase(Vec::new(), noted, None));
        }
        // One that was taken in without a key, or is getting its key from here, has nothing left to be done, until a key is
        // found.
        let is_here = candidate.machine.adopted_at.is_some() || candidate.gets_key;
        let is_done = is_here && own.is_empty();
        let moves_it = match shop.asking {
            Asking::Adoption => {
                judged.waits.is_none()
                    && !is_done
                    && !matches!(judged.class, Class::Foreign | Class::Known)
            }
            Asking::Audit => judged.repair == Some(Ok(Repair::Hear)),
        };
        if moves_it && let Some(shown) = gathered.purchases.remove(object) {
            // What is only heard of keeps the licenses that it has.
            let licenses = match shop.asking {
                Asking::Adoption => own,
                Asking::Audit => Vec::new(),
            };
            moves.push(candidate.purchase(shown.events, licenses, judged.meant));
        }
    }
    if shop.asking == Asking::Adoption {
        report.to_do = moves.len();
    }
    Judgement {
        report,
        moves,
        waiting,
        strangers,
    }
}

/// By what each purchase is examined.
struct Examining<'a> {
    shop: &'a Shop<'a>,
    licenses: &'a LicenseIndex,
    matches: &'a Matches,
    newest: Newest<'a>,
}

impl<'a> Examining<'a> {
    fn new(
        shop: &'a Shop<'a>,
        candidates: &'a BTreeMap<String, Candidate>,
        licenses: &'a LicenseIndex,
        matches: &'a Matches,
    ) -> Self {
        let newest = Newest::of(candidates, shop.now);
        Self {
            shop,
            licenses,
            matches,
            newest,
        }
    }

    /// The licenses that belong to a purchase, the best first.
    fn own(&self, object: &str) -> Vec<FoundLicense> {
        let own = self.matches.of.get(object).map_or(&[][..], Vec::as_slice);
        let own = own.iter().map(|n| self.licenses.all[*n].license.clone());
        let chosen = choose(own.collect(), None, self.shop.now);
        let chosen = chosen
            .into_iter()
            .flat_map(|c| std::iter::once(c.adopt).chain(c.others));
        chosen.map(|l| found(&l)).collect()
    }

    /// A purchase with its licenses, as it is judged.
    fn examined<'c>(
        &self,
        object: &str,
        candidate: &'c Candidate,
        own: &'c [FoundLicense],
    ) -> Examined<'c> {
        let Self { licenses, .. } = self;
        let mut held = candidate.machine.grants.iter();
        let suggestion = self.matches.suggestion(object, candidate.email.as_ref());
        Examined {
            unshown: held.any(|g| licenses.unknown.contains(&g.key)),
            machine: &candidate.machine,
            due: &candidate.due,
            stored: candidate.stored.as_ref(),
            unread: candidate.unread,
            gets_key: candidate.gets_key,
            licenses: own,
            suggested: suggestion.map(|(by, n)| (by, KeyEnd::of(&licenses.all[n].license.key))),
            retry_at: candidate.retry_at,
            has_newer: self.newest.is_after(candidate),
            now: self.shop.now,
        }
    }
}

fn row(candidate: &Candidate, examined: &Examined<'_>, judged: &Judged) -> ReportRow {
    let seats = &candidate.due.seats;
    let plan: Option<PlanName> = seats.iter().find_map(|s| s.plan.clone());
    let revoked = if judged.class == Class::RevokedElsewhere {
        examined.revoked_elsewhere()
    } else {
        Vec::new()
    };
    let held = candidate.machine.grants.iter().find(|g| !g.replaced);
    let held = revoked.first().copied().or(held).map(|g| &g.key);
    let key = held.or(examined.licenses.first().map(|l| &l.key));
    let meant = judged.meant.map(|end| end.to_string());
    ReportRow {
        machine: Some(candidate.machine.id.to_string()),
        class: judged.class,
        customer: candidate.customer.as_ref().map(ToString::to_string),
        plan,
        key: key.map(last_four).or(meant),
        paid_until: seats.iter().filter_map(|s| s.paid_until).max(),
        amount: candidate.paid.as_ref().map(|(amount, _)| *amount),
        currency: candidate.paid.as_ref().map(|(_, c)| c.clone()),
        would: judged.to_string(),
        repair: judged.repair.and_then(Result::ok),
        licenses: revoked.iter().map(|g| g.number).collect(),
        judged: Some(*judged),
    }
}

/// The object that a label names in one of the forms that the guides teach; `None`: it names none.
#[must_use]
pub fn object_named(label: &str) -> Option<&str> {
    let label = label.rsplit_once(" #").map_or(label, |(l, _)| l);
    let forms = ["Stripe session ", "Stripe sub ", "Stripe invoice "];
    let id = forms.iter().find_map(|form| label.strip_prefix(form));
    let id = id.or_else(|| label.strip_prefix("sub_").filter(|l| l.starts_with("sub_")));
    let id = id.unwrap_or(label);
    let is_one = match ObjectId::from(id).kind() {
        ObjectKind::Session | ObjectKind::Subscription | ObjectKind::Invoice => true,
        ObjectKind::Issued | ObjectKind::Other => false,
    };
    (is_one && !id.contains(char::is_whitespace)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::object_named;

    #[test]
    fn a_label_names_an_object_in_the_guides_forms_and_no_other() {
        for (label, object) in [
            ("Stripe session cs_1", Some("cs_1")),
            ("Stripe sub sub_1 #2", Some("sub_1")),
            ("Stripe invoice in_1", Some("in_1")),
            ("sub_sub_1", Some("sub_1")),
            ("sub_1", Some("sub_1")),
            ("cs_live_1", Some("cs_live_1")),
            ("Stripe order #12345", None),
            ("ada@example.com", None),
            ("", None),
            ("sub_1 of Ada", None),
        ] {
            assert_eq!(object_named(label), object, "{label}");
        }
    }
}
