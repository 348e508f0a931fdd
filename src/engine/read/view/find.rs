//! Which purchases a text leads to: an address, a key, an id.

use std::collections::BTreeSet;

use super::{machine, machines, walk};
use crate::domain::fact::{Bought, Fact, FactBody, Item};
use crate::domain::id::{CustomerId, EventId, ItemId, MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::engine::record;
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::Table;
use crate::engine::record::{EventRecord, RecordError, key};
use crate::engine::write::working::Committed;
use crate::store::{KeyRange, Read};

/// Machines that an e-mail address, a license key or any id leads to, at most so many: by links first, else by looking through
/// all. An id may be known in several of the scopes: each machine that it leads to is found.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn find(
    reader: &dyn Read,
    scopes: &[Scope],
    text: &str,
    max: usize,
) -> Result<Vec<MachineId>, RecordError> {
    let text = text.trim();
    // An action's name, as `held` and `actions` print it, begins with its purchase's.
    let of_action = text.rsplit_once('#').map(|(purchase, _)| purchase);
    if let Ok(id) = of_action.unwrap_or(text).parse()
        && machine(reader, &id)?.is_some()
    {
        return Ok(vec![id]);
    }
    let mut linked = linked(reader, scopes, text)?;
    if linked.is_empty() {
        for id in ids_in_label(text) {
            linked.extend(self::linked(reader, scopes, id)?);
        }
    }
    if !linked.is_empty() {
        return Ok(linked.into_iter().take(max).collect());
    }
    let mut found = Vec::new();
    let wanted = text.to_lowercase();
    let customers = customers_with(reader, &wanted)?;
    machines(reader, |m| {
        if mentions(&m, text, &wanted, &customers) {
            found.push(m.id.clone());
        }
        found.len() < max
    })?;
    Ok(found)
}

/// The machines that an id is linked to.
fn linked(
    reader: &dyn Read,
    scopes: &[Scope],
    id: &str,
) -> Result<BTreeSet<MachineId>, RecordError> {
    let mut linked = BTreeSet::new();
    for scope in scopes {
        if let Some(machine) = crate::engine::route::machine_named(&Committed(reader), scope, id)? {
            linked.insert(machine);
            continue;
        }
        let record: Option<EventRecord> =
            record::get(&Committed(reader), &key::event(scope, &EventId::from(id)))?;
        if let Some(Disposition::Applied(Some(machine))) = record.map(|r| r.disposition) {
            linked.insert(machine);
        }
    }
    Ok(linked)
}

/// The ids that a license's label may name: ours (`Stripe sub sub_1 #2`), the guides' (`sub_sub_1`), a vendor's own
/// (`order cs_1`). An address has an `@`, and is no label.
fn ids_in_label(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split_whitespace();
    let words = words.filter(|word| word.contains('_') && !word.contains('@'));
    words.map(|word| {
        let doubled = word
            .strip_prefix("sub_")
            .filter(|id| id.starts_with("sub_"));
        doubled.unwrap_or(word)
    })
}

/// More than this many hits are not listed for a person: the text is not telling enough.
pub const FOUND_MAX: usize = 100;

/// The customers of an address. An id alone is another customer's in another scope.
fn customers_with(reader: &dyn Read, email: &str) -> Result<Vec<(Scope, CustomerId)>, RecordError> {
    let mut found = Vec::new();
    if email.contains('@') {
        walk(
            reader,
            KeyRange::prefix(&[Table::Customer as u8]),
            |key, first| {
                let customer: crate::domain::customer::Customer =
                    record::whole(&Committed(reader), key, first)?;
                if customer
                    .email
                    .as_ref()
                    .is_some_and(|e| e.to_lowercase() == email)
                {
                    found.push((key::scope_of(key), customer.id));
                }
                Ok(true)
            },
        )?;
    }
    Ok(found)
}

fn mentions(machine: &Machine, text: &str, lower: &str, customers: &[(Scope, CustomerId)]) -> bool {
    let folded = machine.folded(&Revisions::default(), Timestamp::from_ms(0));
    let contact = &folded.contact;
    let emails = [
        &contact.session_email,
        &contact.invoice_email,
        &contact.decided_email,
        &contact.deliver_to,
    ];
    let scope = machine.id.scope();
    let is_one = |c: &CustomerId| customers.iter().any(|(s, id)| s == scope && id == c);
    let sent = machine.notices.iter().filter_map(|n| n.to.as_ref());
    emails
        .into_iter()
        .flatten()
        .chain(sent)
        .any(|e| e.to_lowercase() == lower)
        || machine
            .grants
            .iter()
            .any(|g| g.key.reveal().eq_ignore_ascii_case(text))
        || contact
            .customer
            .as_ref()
            .is_some_and(|c| c.as_str() == text || is_one(c))
        || machine.object().as_str() == text
        || is_of_account(machine.id.scope(), text)
        || machine
            .facts
            .iter()
            .any(|f| f.id.as_str() == text || is_about(f, text))
}

/// Whether a text names the connected account of a scope: `acct_1`, or `stripe/acct_1`.
fn is_of_account(scope: &Scope, text: &str) -> bool {
    let account = scope.account();
    account.is_some_and(|a| a.as_str() == text || scope.to_string() == text)
}

/// Whether a fact is of an object, also of one by which no purchase is linked: what a person asks by once in a while is
/// looked for, so that it costs no entry with each event.
fn is_about(fact: &Fact, id: &str) -> bool {
    if fact.names().iter().any(|name| name.as_str() == id) {
        return true;
    }
    let is_item = |item: Option<&ItemId>| item.is_some_and(|i| i.as_str() == id);
    let is_shown = |items: &[Item]| items.iter().any(|i| is_item(i.id.as_ref()));
    let is_bought = |lines: &[Bought]| lines.iter().any(|l| l.line.as_deref() == Some(id));
    match &fact.body {
        FactBody::Refund(refund) => refund.id.as_str() == id,
        FactBody::Dispute(dispute) => dispute.id.as_str() == id,
        FactBody::Charge(charge) => charge.refunds.iter().any(|r| r.id.as_str() == id),
        FactBody::Subscription(shown) => is_shown(&shown.items),
        FactBody::Items(shown) => is_shown(&shown.items),
        FactBody::Invoice(invoice) => {
            let lines = &mut invoice.lines.iter();
            lines.any(|l| l.id.as_deref() == Some(id) || is_item(l.item.as_ref()))
        }
        FactBody::Payment(payment) => payment.id.as_ref().is_some_and(|i| i.as_str() == id),
        FactBody::Session(session) => is_bought(&session.line_items),
        FactBody::LineItems(listed) => is_bought(&listed.lines),
        FactBody::FraudWarning(_) | FactBody::Decision(_) => false,
    }
}
