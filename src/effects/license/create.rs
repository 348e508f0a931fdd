//! The ways to make a license: with a key that the service makes, or with one that its customer has already.

use super::send::cannot;
use super::{Answer, Client, License, NewLicense};
use crate::domain::id::LicenseKey;

impl Client {
    /// Makes one license. Not harmless to repeat: after [`Answer::Unknown`] look for the label first.
    pub async fn create(&self, new: &NewLicense) -> Answer<License> {
        self.make(new, None).await
    }

    /// Makes one license with a key of our choice, or sets the one that has it to this; only for a service that takes
    /// [`chosen_keys`](super::Abilities::chosen_keys). Harmless to repeat.
    pub async fn create_with_key(&self, new: &NewLicense, key: &LicenseKey) -> Answer<License> {
        if !self.abilities().chosen_keys {
            return cannot("make a license with a key of your choice");
        }
        self.make(new, Some(key)).await
    }
}
