//! Makes a license; one that takes another's place keeps its key where the service allows that.

use super::ActionExecutor;
use crate::domain::service_move::KeptKey;
use crate::effects::license::{Answer, License, NewLicense, RefusalKind, Status};

impl ActionExecutor<'_> {
    /// Makes a license, with the key that its customer has where that can be.
    pub(super) async fn create(
        &self,
        new: &NewLicense,
        keeps: Option<&KeptKey>,
    ) -> Answer<License> {
        let client = &self.service.client;
        let Some(KeptKey { key, .. }) = keeps else {
            return client.create(new).await;
        };
        if client.abilities().chosen_keys {
            return client.create_with_key(new, key).await;
        }
        // The key may be one of this service's own, from before an earlier move: then it goes on.
        match client.get(key).await {
            Answer::Done(license) if license.status == Status::Active => Answer::Done(license),
            Answer::Refused(refusal) if refusal.kind != RefusalKind::NotFound => {
                Answer::Refused(refusal)
            }
            Answer::Done(_) | Answer::Refused(_) => client.create(new).await,
            // Nothing was made: it is asked again, and not looked for.
            Answer::Unknown { after, why } => Answer::Again { after, why },
            other @ (Answer::Again { .. } | Answer::NotSent { .. }) => other,
        }
    }
}
