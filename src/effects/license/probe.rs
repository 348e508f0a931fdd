//! Learns what a license service can, on a license that is thrown away: makes one, changes it in every way that Keyward might
//! need, reads it back each time, and revokes it.

use super::wire::{self, LicenseUpdate};
use super::{Answer, Client, License, NewLicense};
use crate::clock::{Clock, pause};
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::plan::Devices;
use crate::domain::probe::{DeviceForm, ServiceProbe};
use crate::domain::time::{Span, Timestamp};

/// How often the list is read for the new license, and how long between.
const WAKE_UPS_MAX: u32 = 10;
const BETWEEN_READS: Span = Span::from_s(2);
/// How soon the license is made to expire, and how often the clock is read for that.
const EXPIRES_IN: Span = Span::from_s(2);
const UNTIL_EXPIRED: Span = Span::from_ms(500);
/// The devices of the throw-away license; one more is asked for.
const DEVICES: u32 = 2;

/// Why nothing, or not all, was learned.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The license could not be made: nothing was spent.
    #[error("the license could not be made: {0}")]
    NotMade(String),
    /// A call was not answered, so nothing follows from it.
    #[error("{step} was not answered: {why}")]
    NoAnswer {
        /// What was tried.
        step: &'static str,
        /// What happened.
        why: String,
    },
}

/// Probes a service through a client that tries everything. The license is revoked at the end, also after an error.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(
    client: &Client,
    service: &str,
    app: &AppId,
    clock: &Clock,
) -> Result<ServiceProbe, ProbeError> {
    let began = clock.now();
    let new = NewLicense {
        app_id: app.clone(),
        label: format!("Keyward probe {}", began.ms()),
        expires_at: Some((began + Span::from_days(2)).whole_s()),
        devices: Devices::Count(DEVICES),
    };
    let made = match client.create(&new).await {
        Answer::Done(license) => license,
        other @ (Answer::Again { .. }
        | Answer::NotSent { .. }
        | Answer::Unknown { .. }
        | Answer::Refused(_)) => return Err(ProbeError::NotMade(words(other))),
    };
    let learned = Probe {
        client,
        key: &made.key,
        clock,
    }
    .learn(service, app, &new.label)
    .await;
    // Whatever came of it, the license is of no use to anybody.
    let _ = client.revoke(&made.key).await;
    learned
}

/// Fields of the list, and of a single read.
type ProbedFields = (Option<Vec<String>>, Option<Vec<String>>);

/// What can be done to a revoked license.
struct Revoked {
    revokes_again: bool,
    extends: bool,
    reversible: bool,
    activates_again: Option<bool>,
}

struct Probe<'a> {
    client: &'a Client,
    key: &'a LicenseKey,
    clock: &'a Clock,
}

impl Probe<'_> {
    async fn learn(
        &self,
        service: &str,
        app: &AppId,
        label: &str,
    ) -> Result<ServiceProbe, ProbeError> {
        // First: what it says of an action that nobody knows may name those that it knows.
        let unknown_action = self.unknown_action().await?;
        let (listed_after_s, list_shows_label) = self.listed(app, label).await?;
        let listed = listed_after_s.is_some();
        let finds_by_label = if listed {
            Some(self.finds_by_label(app, label).await?)
        } else {
            None
        };
        let (list_fields, read_fields) = self.fields(app).await?;
        let hour = self.in_hours(1);
        let can_shorten = can("shortening", self.client.shorten(self.key, hour).await)?;
        let can_be_for_life = can(
            "taking the end away",
            self.client.take_end_away(self.key).await,
        )?;
        let far_end = if can_be_for_life {
            None
        } else {
            let far = self.client.set_far_end(self.key).await;
            Some(can("an end that stands for none", far)?)
        };
        let device_form = self.device_form().await?;
        let (fewer_devices, unlimited_devices) = match device_form {
            Some(form) => (
                Some(self.takes(form, Devices::Count(DEVICES)).await?),
                Some(self.takes(form, Devices::Unlimited).await?),
            ),
            None => (None, None),
        };
        let extends_expired = if can_shorten {
            self.extends_expired().await?
        } else {
            None
        };
        let revoked = self.revoked().await?;
        Ok(ServiceProbe {
            service: service.to_owned(),
            app: app.clone(),
            at: self.clock.now(),
            can_shorten,
            can_be_for_life,
            revoke_reversible: revoked.reversible,
            set_devices: device_form.is_some(),
            list_shows_label,
            listed_after_s,
            device_form,
            fewer_devices,
            unlimited_devices,
            extends_expired,
            unknown_action,
            far_end,
            revokes_again: Some(revoked.revokes_again),
            extends_revoked: Some(revoked.extends),
            activates_again: revoked.activates_again,
            finds_by_label,
            list_fields,
            read_fields,
        })
    }

    /// Revokes the license, does all to it that may be done to one that is revoked, and makes it active again.
    async fn revoked(&self) -> Result<Revoked, ProbeError> {
        can("revoking", self.client.revoke(self.key).await)?;
        let revokes_again = self.takes_again("revoking again", LicenseUpdate::Revoke);
        let revokes_again = revokes_again.await?;
        let later = self.client.set_expiry(self.key, Some(self.in_hours(2)));
        let extends = can("extending what is revoked", later.await)?;
        let reversible = can("activating", self.client.activate(self.key).await)?;
        let activates_again = if reversible {
            let again = self.takes_again("activating again", LicenseUpdate::Activate);
            Some(again.await?)
        } else {
            None
        };
        Ok(Revoked {
            revokes_again,
            extends,
            reversible,
            activates_again,
        })
    }

    fn in_hours(&self, hours: i64) -> Timestamp {
        (self.clock.now() + Span::from_hours(hours)).whole_s()
    }

    /// Whether the service takes a change to what is so already. A refusal does no harm: it is looked at.
    async fn takes_again(
        &self,
        step: &'static str,
        act: LicenseUpdate<'_>,
    ) -> Result<bool, ProbeError> {
        match self.client.put(self.key, act, |_| Some(())).await {
            Answer::Done(()) => Ok(true),
            Answer::Refused(_) => Ok(false),
            other @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
                Err(no_answer(step, other))
            }
        }
    }

    /// Whether the list can be asked for one label: it shows the license under its own, and nothing under another.
    async fn finds_by_label(&self, app: &AppId, label: &str) -> Result<bool, ProbeError> {
        let mut under = Vec::new();
        for asked in [label, "Keyward probe: nobody has this label"] {
            match self.client.list_labelled(app, asked, None).await {
                Answer::Done(page) => under.push(page.licenses),
                // It does not know the question.
                Answer::Refused(_) => return Ok(false),
                other
                @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
                    return Err(no_answer("the list of a label", other));
                }
            }
        }
        let [own, others] = under.as_slice() else {
            return Ok(false);
        };
        Ok(own.iter().any(|l| l.key == *self.key) && others.is_empty())
    }

    /// The fields that the list shows of a license, and those that a single read does.
    async fn fields(&self, app: &AppId) -> Result<ProbedFields, ProbeError> {
        let listed = self.client.page_as(app, 1, (None, None), wire::fields);
        let listed = listed.await.confirmed();
        let listed = listed.map_err(|other| no_answer::<()>("the list", other))?;
        let read = self.client.get_as(self.key, wire::fields).await.confirmed();
        let read = read.map_err(|other| no_answer::<()>("reading the license", other))?;
        Ok((Some(listed), Some(read)))
    }

    /// What the service says of an action that does not exist, where it says anything.
    async fn unknown_action(&self) -> Result<Option<String>, ProbeError> {
        let said = self
            .client
            .put(self.key, LicenseUpdate::Nonsense, |_| Some(()))
            .await;
        match said {
            Answer::Done(()) => Ok(None),
            Answer::Refused(refusal) => Ok(Some(refusal.to_string())),
            other @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
                Err(no_answer("an action that does not exist", other))
            }
        }
    }

    /// The form in which the service takes one more device.
    async fn device_form(&self) -> Result<Option<DeviceForm>, ProbeError> {
        for form in DeviceForm::ALL {
            if self.takes(form, Devices::Count(DEVICES + 1)).await? {
                return Ok(Some(form));
            }
        }
        Ok(None)
    }

    /// Whether devices that were asked for in a form are there afterwards: a read tells, whatever the answer said.
    async fn takes(&self, form: DeviceForm, devices: Devices) -> Result<bool, ProbeError> {
        let asked = self.client.set_devices_in(self.key, devices, form).await;
        if !can("other devices", asked)? {
            return Ok(false);
        }
        match self.client.get(self.key).await {
            Answer::Done(license) => Ok(license.devices == Some(devices)),
            other @ (Answer::Again { .. }
            | Answer::NotSent { .. }
            | Answer::Unknown { .. }
            | Answer::Refused(_)) => Err(no_answer("reading the devices", other)),
        }
    }

    /// Lets the license expire and extends it. `None`: its end could not be set so near.
    async fn extends_expired(&self) -> Result<Option<bool>, ProbeError> {
        let soon = (self.clock.now() + EXPIRES_IN).whole_s();
        let expires = self.client.shorten(self.key, soon).await;
        if !can("an end in a moment", expires)? {
            return Ok(None);
        }
        while self.clock.now() <= soon {
            pause(UNTIL_EXPIRED).await;
        }
        let again = self
            .client
            .set_expiry(self.key, Some(self.in_hours(1)))
            .await;
        can("extending what has expired", again).map(Some)
    }

    /// How many seconds until the license stands in the list, and whether its label stands beside it.
    async fn listed(&self, app: &AppId, label: &str) -> Result<(Option<i64>, bool), ProbeError> {
        let began = self.clock.now();
        for _ in 0..WAKE_UPS_MAX {
            let page = match self.client.list(app, None).await {
                Answer::Done(page) => page,
                other @ (Answer::Again { .. }
                | Answer::NotSent { .. }
                | Answer::Unknown { .. }
                | Answer::Refused(_)) => return Err(no_answer("the list", other)),
            };
            if let Some(listed) = page.licenses.iter().find(|l| l.key == *self.key) {
                let shows = listed.label.as_deref() == Some(label);
                return Ok((Some((self.clock.now() - began).ms() / 1000), shows));
            }
            pause(BETWEEN_READS).await;
        }
        Ok((None, false))
    }
}

/// Whether the service did it. A refusal is an answer; silence is none.
fn can(step: &'static str, answer: Answer<License>) -> Result<bool, ProbeError> {
    match answer {
        Answer::Done(_) => Ok(true),
        Answer::Refused(_) => Ok(false),
        other @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
            Err(no_answer(step, other))
        }
    }
}

fn no_answer<T>(step: &'static str, answer: Answer<T>) -> ProbeError {
    ProbeError::NoAnswer {
        step,
        why: words(answer),
    }
}

fn words<T>(answer: Answer<T>) -> String {
    match answer {
        Answer::Again { why, .. } | Answer::NotSent { why } | Answer::Unknown { why, .. } => why,
        Answer::Refused(refusal) => refusal.to_string(),
        Answer::Done(_) => "done".to_owned(),
    }
}
