//! What is known of the webhook endpoints at Stripe: which posted here, and whether what happens arrives through them.

use minicbor::{Decode, Encode};

use super::{RecordError, key};
use crate::domain::id::{Scope, SourceName};
use crate::domain::missed::Deliveries;
use crate::engine::read::view;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::{KeyRange, Read};

/// An endpoint that was seen at Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SeenEndpoint {
    /// The source whose address it posted to.
    #[n(0)]
    pub source: SourceName,
    /// That address.
    #[n(1)]
    pub url: String,
}

/// How the events of an account came.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeliveriesRecord {
    /// The source, and the connected account if there is one.
    #[n(0)]
    pub scope: Scope,
    /// How much of what it sends arrives.
    #[n(1)]
    pub deliveries: Deliveries,
}

fn seen_key() -> Vec<u8> {
    key::general("endpoints")
}

fn deliveries_key(scope: &str) -> Vec<u8> {
    key::general(&format!("deliveries/{scope}"))
}

pub(super) fn put_seen(working: &mut Working<'_>, all: &[SeenEndpoint]) -> Result<(), RecordError> {
    Ok(record::put(working, seen_key(), &all.to_vec())?)
}

pub(super) fn put_deliveries(
    working: &mut Working<'_>,
    of: &DeliveriesRecord,
) -> Result<(), RecordError> {
    let key = deliveries_key(&of.scope.to_string());
    Ok(record::put(working, key, of)?)
}

/// The endpoints that were seen until the last start.
///
/// # Errors
/// The store's.
pub fn seen(reader: &dyn Read) -> Result<Vec<SeenEndpoint>, RecordError> {
    Ok(record::get(&Committed(reader), &seen_key())?.unwrap_or_default())
}

/// How events came until the last start.
///
/// # Errors
/// The store's.
pub fn deliveries(reader: &dyn Read) -> Result<Vec<DeliveriesRecord>, RecordError> {
    let range = KeyRange::prefix(&deliveries_key(""));
    let mut all = Vec::new();
    view::walk(reader, range, |key, first| {
        all.push(record::whole(&Committed(reader), key, first)?);
        Ok(true)
    })?;
    Ok(all)
}

/// The same of one account.
///
/// # Errors
/// The store's.
pub fn deliveries_of(reader: &dyn Read, scope: &Scope) -> Result<Deliveries, RecordError> {
    let key = deliveries_key(&scope.to_string());
    let kept: Option<DeliveriesRecord> = record::get(&Committed(reader), &key)?;
    Ok(kept.map(|kept| kept.deliveries).unwrap_or_default())
}
