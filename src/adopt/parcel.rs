//! A purchase on its way into a store: what Stripe tells of it, and the licenses that it has. It travels over the control
//! socket, so it has a stored form.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::domain::adoption::KeyEnd;
use crate::domain::id::{MachineId, SourceName};
use crate::domain::lifecycle::Kind;
use crate::domain::time::Timestamp;
use crate::engine::input::{Adopting, Adoption, Delivery, Input};
use crate::engine::record::waiting::AdoptedLicense;
use crate::sources::stripe::{delivery, event};

/// A purchase to be taken in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AdoptedPurchase {
    /// The purchase.
    #[n(0)]
    pub machine: MachineId,
    /// What it is.
    #[n(1)]
    pub kind: Kind,
    /// Its mode.
    #[n(2)]
    pub livemode: Option<bool>,
    /// The events that tell of it, packed.
    #[n(3)]
    pub events: Vec<ByteVec>,
    /// Its licenses, the best first.
    #[n(4)]
    pub licenses: Vec<AdoptedLicense>,
    /// A key that may be meant for it, where it has none.
    #[n(5)]
    pub meant: Option<KeyEnd>,
}

impl AdoptedPurchase {
    /// As an input of the engine. An event that cannot be read is left out: it was read when the purchase was looked at.
    #[must_use]
    pub fn input(self, now: Timestamp) -> Input {
        let source = self.machine.source().clone();
        let read = |packed: &ByteVec| -> Option<Delivery> {
            let body = crate::engine::record::body_codec::unpack(packed)?;
            let event = event::read(&body, now).ok()?;
            Some(delivery::delivery(event, &source, packed.to_vec(), now))
        };
        let mut deliveries: Vec<Delivery> = self.events.iter().filter_map(read).collect();
        deliveries.sort_by_key(|d| d.created);
        Input::Adopt(Box::new(Adopting::TakeIn(Adoption {
            machine: self.machine,
            kind: self.kind,
            livemode: self.livemode,
            deliveries,
            licenses: self.licenses.into_iter().map(Into::into).collect(),
            meant: self.meant,
        })))
    }
}

/// An event as it is kept, read again; `None`: it cannot be read still.
#[must_use]
pub fn read_again(raw: Vec<u8>, source: &SourceName, received: Timestamp) -> Option<Delivery> {
    let body = crate::engine::record::body_codec::unpack(&raw)?;
    let event = event::read(&body, received).ok()?;
    Some(delivery::delivery(event, source, raw, received))
}

/// An event of Stripe's as if it had just been delivered; `None`: it is none.
#[must_use]
pub fn delivered(body: &str, source: &SourceName, now: Timestamp) -> Option<Input> {
    let event = event::read(body.as_bytes(), now).ok()?;
    let raw = crate::engine::record::body_codec::pack(body.as_bytes());
    let delivery = delivery::delivery(event, source, raw, now);
    Some(Input::Delivery(Box::new(delivery)))
}
