//! The labels under which a purchase's license may be found.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::{Fact, FactBody};
use crate::domain::id::ObjectKind;
use crate::domain::lifecycle::Kind;
use crate::domain::machine::Machine;

/// So many further labels of our own form are looked at beyond a machine's numbers: a purchase was rarely given a new key
/// more often.
const FURTHER: u32 = 3;
/// The longest label that the service keeps.
const LABEL_LEN_MAX: usize = 128;

/// What a vendor's own handler wrote into a license's label: text with the ids of the purchase in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// A template that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Every license would fit.
    #[error("it names no id of a purchase")]
    NoId,
    /// A placeholder that is none.
    #[error("`{{{0}}}` is no id that is known")]
    Unknown(String),
    /// It never fits.
    #[error("it is longer than a label can be")]
    TooLong,
}

/// What stands for an id in a template.
const PLACEHOLDERS: [&str; 4] = ["{session}", "{sub}", "{invoice}", "{payment}"];
/// What stands for the value of one metadata key.
const METADATA: &str = "metadata.";

/// The metadata of a purchase's objects at the provider, as far as somebody read it: the values of each key. Facts keep only
/// what asks for a license.
pub type Metadata = BTreeMap<String, BTreeSet<String>>;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text;
        let mut names_one = false;
        while let Some((_, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            let of_metadata = name
                .strip_prefix(METADATA)
                .is_some_and(|key| !key.is_empty());
            if !of_metadata && !PLACEHOLDERS.contains(&format!("{{{name}}}").as_str()) {
                return Err(TemplateError::Unknown(name.to_owned()));
            }
            (names_one, rest) = (true, behind);
        }
        if !names_one {
            return Err(TemplateError::NoId);
        }
        if text.chars().count() > LABEL_LEN_MAX {
            return Err(TemplateError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The labels that it makes of a purchase's ids: one for each id, where it names one kind.
    fn fill(&self, ids: &Ids, metadata: &Metadata) -> BTreeSet<String> {
        let mut made = BTreeSet::from([self.0.clone()]);
        for key in self.metadata_keys() {
            let values = metadata.get(key);
            let placeholder = format!("{{{METADATA}{key}}}");
            made = made
                .iter()
                .flat_map(|text| {
                    let filled = |value| text.replace(&placeholder, value);
                    values.into_iter().flatten().map(move |value| filled(value))
                })
                .collect();
        }
        for (placeholder, ids) in PLACEHOLDERS.iter().zip(ids.in_order()) {
            if self.0.contains(placeholder) {
                made = made
                    .iter()
                    .flat_map(|text| ids.iter().map(|id| text.replace(placeholder, id)))
                    .collect();
            }
        }
        made
    }

    /// The metadata keys that it names.
    fn metadata_keys(&self) -> impl Iterator<Item = &str> {
        let names = self.0.split('{').skip(1);
        names.filter_map(|after| after.split_once('}')?.0.strip_prefix(METADATA))
    }
}

/// The ids of a purchase by which others may have called its license.
#[derive(Debug, Default)]
struct Ids {
    sessions: BTreeSet<String>,
    subscriptions: BTreeSet<String>,
    invoices: BTreeSet<String>,
    payments: BTreeSet<String>,
}

impl Ids {
    fn of(machine: &Machine) -> Self {
        let mut ids = Self::default();
        let own = machine.id.object();
        let of_its_kind = match (machine.kind, own.kind()) {
            (Kind::Subscription, _) => &mut ids.subscriptions,
            (Kind::Payment, ObjectKind::Invoice) => &mut ids.invoices,
            (
                Kind::Payment,
                ObjectKind::Session
                | ObjectKind::Subscription
                | ObjectKind::Issued
                | ObjectKind::Other,
            ) => &mut ids.sessions,
        };
        of_its_kind.insert(own.to_string());
        machine.facts.iter().for_each(|fact| ids.add(fact));
        ids
    }

    fn add(&mut self, fact: &Fact) {
        match &fact.body {
            FactBody::Session(s) => {
                self.sessions.insert(s.id.as_str().to_owned());
                self.invoices
                    .extend(s.invoice.iter().map(|i| i.as_str().to_owned()));
                self.payments
                    .extend(s.payment_intent.iter().map(|p| p.as_str().to_owned()));
            }
            FactBody::Subscription(s) => {
                self.invoices
                    .extend(s.latest_invoice.iter().map(|i| i.as_str().to_owned()));
            }
            FactBody::Invoice(i) => {
                self.invoices.insert(i.id.as_str().to_owned());
                self.payments
                    .extend(i.payment_intent.iter().map(|p| p.as_str().to_owned()));
            }
            FactBody::Payment(p) => {
                self.invoices
                    .extend(p.invoice.iter().map(|i| i.as_str().to_owned()));
                self.payments
                    .extend(p.payment_intent.iter().map(|p| p.as_str().to_owned()));
            }
            FactBody::Charge(_)
            | FactBody::Refund(_)
            | FactBody::Dispute(_)
            | FactBody::FraudWarning(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_)
            | FactBody::Decision(_) => {}
        }
    }

    /// In the order of [`PLACEHOLDERS`].
    fn in_order(&self) -> [&BTreeSet<String>; 4] {
        [
            &self.sessions,
            &self.subscriptions,
            &self.invoices,
            &self.payments,
        ]
    }
}

/// Every label under which a license of a machine's purchase may be found: our own forms with their numbers, those that
/// AuthForge's guides teach, bare ids, and the vendor's own. A label fits byte for byte or not at all.
#[must_use]
pub fn labels_of(machine: &Machine, templates: &[Template]) -> BTreeSet<String> {
    labels_with(machine, templates, &Metadata::new(), 0)
}

/// The same where its objects' metadata was read, and it is known how many licenses it bought.
#[must_use]
pub fn labels_with(
    machine: &Machine,
    templates: &[Template],
    metadata: &Metadata,
    bought: usize,
) -> BTreeSet<String> {
    let ids = Ids::of(machine);
    let bought = u32::try_from(bought).unwrap_or(u32::MAX);
    let numbers = 1..=machine.last_number.max(bought).saturating_add(FURTHER);
    let mut labels: BTreeSet<String> = numbers
        .clone()
        .map(|number| machine.label(number).to_string())
        .collect();
    let forms = [
        ("session", &ids.sessions),
        ("sub", &ids.subscriptions),
        ("invoice", &ids.invoices),
    ];
    for (form, ids) in forms {
        for id in ids {
            let base = format!("Stripe {form} {id}");
            labels.extend(numbers.clone().map(|n| {
                if n == 1 {
                    base.clone()
                } else {
                    format!("{base} #{n}")
                }
            }));
        }
    }
    labels.extend(ids.subscriptions.iter().map(|id| format!("sub_{id}")));
    labels.extend(ids.in_order().into_iter().flatten().cloned());
    labels.extend(
        templates
            .iter()
            .flat_map(|template| template.fill(&ids, metadata)),
    );
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{MachineId, SourceName};

    #[test]
    fn a_template_names_ids_and_nothing_else() {
        for (text, wrong) in [
            ("order {session}", None),
            ("{sub}/{invoice}", None),
            ("order {metadata.order_id}", None),
            (
                "{metadata.}",
                Some(TemplateError::Unknown("metadata.".to_owned())),
            ),
            ("order", Some(TemplateError::NoId)),
            ("", Some(TemplateError::NoId)),
            (
                "{customer}",
                Some(TemplateError::Unknown("customer".to_owned())),
            ),
            ("{sub} {", Some(TemplateError::Unknown(String::new()))),
        ] {
            assert_eq!(Template::parse(text).err(), wrong, "{text}");
        }
        let long = format!("{{sub}}{}", "x".repeat(LABEL_LEN_MAX));
        assert_eq!(Template::parse(&long).err(), Some(TemplateError::TooLong));
    }

    #[test]
    fn every_form_counts_and_an_id_that_is_not_known_fits_nothing() {
        let id = "stripe/sub_1".parse::<MachineId>().unwrap();
        let machine = Machine::new(
            id,
            Kind::Subscription,
            SourceName::from("stripe"),
            Some(true),
        );
        let template = |text| Template::parse(text).unwrap();
        let templates = [
            template("order {sub}"),
            template("order {session}"),
            template("{sub} of {invoice}"),
        ];
        let labels: Vec<String> = labels_of(&machine, &templates).into_iter().collect();
        let expected = [
            "Stripe sub sub_1",
            "Stripe sub sub_1 #2",
            "Stripe sub sub_1 #3",
            "order sub_1",
            "sub_1",
            "sub_sub_1",
        ];
        assert_eq!(labels, expected);
        let of_five = labels_with(&machine, &[], &Metadata::new(), 5);
        assert!(of_five.contains("Stripe sub sub_1 #5"));
    }

    #[test]
    fn a_template_of_metadata_is_filled_with_its_values_alone() {
        let id = "stripe/cs_1".parse::<MachineId>().unwrap();
        let machine = Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true));
        let template = Template::parse("order {metadata.order} of {session}").unwrap();
        let values = BTreeSet::from(["7".to_owned(), "8".to_owned()]);
        let metadata = Metadata::from([("order".to_owned(), values)]);
        let labels = labels_with(&machine, std::slice::from_ref(&template), &metadata, 0);
        assert!(labels.contains("order 7 of cs_1") && labels.contains("order 8 of cs_1"));
        let without = labels_of(&machine, &[template]);
        assert!(!without.iter().any(|label| label.starts_with("order")));
    }
}
