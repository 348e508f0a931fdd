//! The license that an order is to extend, by what the buyer names: the Checkout session that it was bought with, or its key.

use std::sync::Arc;

use super::NoSession;
use crate::domain::fact::NamedLicense;
use crate::domain::id::{CustomerId, ObjectKind, Scope, SourceName};
use crate::domain::machine::Machine;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::http::App;

/// The longest name of a license that is looked at.
const NAME_LEN_MAX: usize = 255;

/// How an order comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderedBy {
    /// By a link: everything that it names stands in an address.
    Link,
    /// From a page of the vendor's: nobody sees what it sends.
    Page,
}

/// A license that is there, and who bought it.
#[derive(Clone, Debug)]
pub(super) struct ExtendedLicense {
    /// What stands in the metadata.
    pub(super) name: String,
    /// The customer at Stripe, so that the same one buys again.
    pub(super) customer: Option<CustomerId>,
}

/// Finds what an order is to extend. A subscription's id is no name here: it stands on invoices, so it proves nothing. Nor is
/// a key in a link, for addresses are kept in logs and histories.
///
/// # Errors
/// That nothing of that name is there: nobody should pay for what would not come.
pub(super) async fn find(
    app: &Arc<App>,
    source: &SourceName,
    named: &str,
    by: OrderedBy,
) -> Result<ExtendedLicense, NoSession> {
    let wrong = |why: &str| NoSession::Asked("extends", why.to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if named.is_empty() || named.len() > NAME_LEN_MAX || !named.chars().all(plain) {
        return Err(wrong("a Checkout session's id, or a license key"));
    }
    let license = NamedLicense::of(named);
    let provable = match &license {
        NamedLicense::Purchase(object) => object.kind() == ObjectKind::Session,
        NamedLicense::Key(_) => by == OrderedBy::Page,
    };
    if !provable {
        return Err(wrong("the id of the Checkout session that bought it"));
    }
    let (shared, scope) = (Arc::clone(app), Scope::new(source.clone(), None));
    let found = tokio::task::spawn_blocking(move || known(&shared, &scope, &license)).await;
    match found {
        Ok(Ok(Some((_, customer)))) => Ok(ExtendedLicense {
            name: named.to_owned(),
            customer,
        }),
        Ok(Ok(None)) => Err(wrong("there is no license of that name")),
        Ok(Err(error)) => {
            tracing::error!(%error, "a purchase could not be read for an order that extends it");
            Err(NoSession::NotNow)
        }
        Err(error) => {
            tracing::error!(%error, "a purchase could not be read for an order that extends it");
            Err(NoSession::NotNow)
        }
    }
}

/// A purchase, and the customer who can buy again: one whom Stripe still has.
fn known(
    app: &App,
    scope: &Scope,
    license: &NamedLicense,
) -> Result<Option<(Machine, Option<CustomerId>)>, RecordError> {
    let reader = app.handle.reader();
    let found = match license {
        NamedLicense::Purchase(object) => view::by_name(reader, scope, object.as_str())?,
        NamedLicense::Key(license) => view::by_key(reader, scope, license)?,
    };
    let Some(machine) = found else {
        return Ok(None);
    };
    let customer = match machine.customer() {
        Some(id) => {
            let gone = view::customer(reader, scope, id)?.is_some_and(|c| c.deleted);
            (!gone).then(|| id.clone())
        }
        None => None,
    };
    Ok(Some((machine, customer)))
}
