//! What a program that was sold asks of the service, from memory; only a device's place and a file are written first.

mod payload;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::book::{No, Order};
use super::device::{DeviceChange, DeviceStanding, device_count, offline_until, standing};
use super::record::Record;
use super::signer::{PublicKey, Purpose, Signed, Signer};
use super::writer::LedgerWriter;
use crate::clock::SteadyClock;
use crate::domain::id::LicenseKey;
use crate::domain::time::{Span, Timestamp};
use payload::{AnswerPayload, DevicesPayload, OfflinePayload};

/// The version of every payload.
const VERSION: u32 = 1;

/// What a program asks.
#[derive(Clone, PartialEq, Eq)]
pub struct ProgramQuestion {
    /// The key as its user typed it.
    pub key: String,
    /// The application's id.
    pub app: String,
    /// What tells the device from others.
    pub device: String,
    /// A text that was never used before, so that an old answer is known as one.
    pub nonce: String,
}

impl std::fmt::Debug for ProgramQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramQuestion")
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

/// Which call an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramCall {
    /// Whether the license works on the device.
    Validate,
    /// The same, after taking a place for the device.
    Activate,
    /// After giving the place back.
    Deactivate,
    /// As validate, from a program that runs.
    Heartbeat,
}

/// What a license's plan adds. Empty where the plan is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanTerms {
    /// The plan's name.
    pub plan: Option<String>,
    /// The vendor's own words for the program.
    pub variables: Arc<BTreeMap<String, String>>,
    /// How long a file for an offline device may last; none: there are no files.
    pub offline: Option<Span>,
}

/// Why there is no license for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyNotFound {
    /// Its checksum is wrong: nobody was asked.
    Mistyped,
    /// There is none, or it is another application's. Which of them is nobody's business.
    Unknown,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// The license is gone.
    Gone,
    /// It could not be written; the same request may be sent again.
    Unavailable,
}

/// A license that a program may ask about.
#[derive(Clone)]
pub struct KnownLicense {
    record: Arc<Record>,
}

/// What was found of a license on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramVerdict {
    /// The signed answer.
    pub signed: Signed,
    /// Whether it says that the license works.
    pub live: bool,
}

/// What became of giving a place back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deactivated {
    /// The device has no place.
    Done(ProgramVerdict),
    /// A file that was handed out works until then.
    FileOut(Timestamp),
}

/// Why a device gets no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineRefused {
    /// The plan has none.
    NotInPlan,
    /// The license does not work on the device, for this reason.
    NotLive(&'static str),
    /// It could not be written.
    Failed(ProgramError),
}

impl KnownLicense {
    /// A number that the license alone has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.record.seq
    }

    /// The text by which its purchase is found.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.record.label.as_deref()
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &LicenseKey {
        &self.record.key
    }
}

/// The half of the service that programs ask.
#[derive(Clone)]
pub struct Programs {
    writer: LedgerWriter,
    signer: Arc<Signer>,
    clock: SteadyClock,
    session: Span,
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Programs({:?})", self.signer)
    }
}

impl Programs {
    pub(super) fn new(
        writer: LedgerWriter,
        signer: Signer,
        clock: SteadyClock,
        session: Span,
    ) -> Self {
        Self {
            writer,
            signer: Arc::new(signer),
            clock,
            session,
        }
    }

    pub(super) fn into_writer(self) -> LedgerWriter {
        self.writer
    }

    /// The public halves, the one that signs first.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.signer.public_keys()
    }

    /// The devices of a license, as programs call them.
    pub fn devices(&self, key: &LicenseKey) -> Vec<String> {
        let record = self.writer.book().get(key).cloned();
        record.map_or_else(Vec::new, |r| r.hwids.clone())
    }

    /// The license that a question is about.
    ///
    /// # Errors
    /// [`KeyNotFound`].
    pub fn find(&self, question: &ProgramQuestion) -> Result<KnownLicense, KeyNotFound> {
        let record = self.writer.book().typed(&question.key);
        let record = record.map_err(|_| KeyNotFound::Mistyped)?;
        record
            .filter(|record| record.app_id == question.app)
            .map(|record| KnownLicense { record })
            .ok_or(KeyNotFound::Unknown)
    }

    /// Says whether a license works on the device.
    #[must_use]
    pub fn answer(
        &self,
        found: &KnownLicense,
        q: &ProgramQuestion,
        call: ProgramCall,
        terms: &PlanTerms,
    ) -> ProgramVerdict {
        let (record, now) = (&*found.record, self.clock.now());
        let standing = standing(record, &q.device, now);
        let (used, max) = device_count(record);
        let rely_until = now + self.session;
        let payload = AnswerPayload {
            v: VERSION,
            call,
            nonce: &q.nonce,
            at: now.s(),
            rely_until: record
                .expires_at
                .map_or(rely_until, |e| e.min(rely_until))
                .s(),
            key: &q.key,
            app: &q.app,
            device: &q.device,
            live: standing == DeviceStanding::Live,
            reason: standing.reason(),
            expires_at: record.expires_at.map(Timestamp::s),
            plan: terms.plan.as_deref(),
            variables: &terms.variables,
            devices: DevicesPayload { used, max },
        };
        ProgramVerdict {
            signed: self.signed(Purpose::Answer, &payload),
            live: payload.live,
        }
    }

    /// Whether taking a place for the device, or giving it back, has something to write.
    #[must_use]
    pub fn changes(&self, found: &KnownLicense, q: &ProgramQuestion, call: ProgramCall) -> bool {
        let record = &*found.record;
        match call {
            ProgramCall::Validate | ProgramCall::Heartbeat => false,
            // Most starts of a program: its device has its place.
            ProgramCall::Activate => {
                standing(record, &q.device, self.clock.now()) == DeviceStanding::NotActivated
            }
            ProgramCall::Deactivate => record.hwids.contains(&q.device),
        }
    }

    /// Takes a place for the device, if there is one; on disk when it returns.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn activate(
        &self,
        found: &KnownLicense,
        q: &ProgramQuestion,
        terms: &PlanTerms,
    ) -> Result<ProgramVerdict, ProgramError> {
        let found = if self.changes(found, q, ProgramCall::Activate) {
            self.change(found, q, DeviceChange::Activate).await?
        } else {
            found.clone()
        };
        Ok(self.answer(&found, q, ProgramCall::Activate, terms))
    }

    /// Gives the device's place back; on disk when it returns. Also where the license does not work.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn deactivate(
        &self,
        found: &KnownLicense,
        q: &ProgramQuestion,
        terms: &PlanTerms,
    ) -> Result<Deactivated, ProgramError> {
        let found = if self.changes(found, q, ProgramCall::Deactivate) {
            self.change(found, q, DeviceChange::Deactivate).await?
        } else {
            found.clone()
        };
        if found.record.hwids.contains(&q.device)
            && let Some(until) = offline_until(&found.record, &q.device, self.clock.now())
        {
            return Ok(Deactivated::FileOut(until));
        }
        let verdict = self.answer(&found, q, ProgramCall::Deactivate, terms);
        Ok(Deactivated::Done(verdict))
    }

    /// A signed file with which the device works without asking, for as long as the plan allows and the license lasts.
    ///
    /// # Errors
    /// [`OfflineRefused`].
    pub async fn offline(
        &self,
        found: &KnownLicense,
        q: &ProgramQuestion,
        terms: &PlanTerms,
    ) -> Result<Signed, OfflineRefused> {
        let span = terms.offline.ok_or(OfflineRefused::NotInPlan)?;
        let wanted = self.clock.now() + span;
        let within = |record: &Record| record.expires_at.map_or(wanted, |e| e.min(wanted));
        self.check_live(&found.record, q)?;
        let noted = DeviceChange::HandOut(within(&found.record));
        let found = self.change(found, q, noted).await;
        let record = found.map_err(OfflineRefused::Failed)?.record;
        self.check_live(&record, q)?;
        // What was noted before the write: a license that was extended meanwhile gives no longer file.
        let until = match noted {
            DeviceChange::HandOut(noted) => noted.min(within(&record)),
            DeviceChange::Activate | DeviceChange::Deactivate => within(&record),
        };
        let payload = OfflinePayload {
            v: VERSION,
            nonce: &q.nonce,
            at: self.clock.now().s(),
            until: until.s(),
            app: &q.app,
            device: &q.device,
            key_end: key_end(&record.key),
            expires_at: record.expires_at.map(Timestamp::s),
            plan: terms.plan.as_deref(),
            variables: &terms.variables,
        };
        Ok(self.signed(Purpose::OfflineFile, &payload))
    }

    fn check_live(&self, record: &Record, q: &ProgramQuestion) -> Result<(), OfflineRefused> {
        match standing(record, &q.device, self.clock.now()).reason() {
            Some(reason) => Err(OfflineRefused::NotLive(reason)),
            None => Ok(()),
        }
    }

    async fn change(
        &self,
        found: &KnownLicense,
        q: &ProgramQuestion,
        act: DeviceChange,
    ) -> Result<KnownLicense, ProgramError> {
        let order = Order::Program {
            key: found.record.key.clone(),
            device: q.device.clone(),
            act,
        };
        let changed = self.writer.order(order).await.map_err(|why| match why {
            No::NotFound => ProgramError::Gone,
            No::BadRequest(_) | No::Failed => ProgramError::Unavailable,
        })?;
        let record = changed.into_iter().next().ok_or(ProgramError::Gone)?;
        Ok(KnownLicense { record })
    }

    fn signed(&self, purpose: Purpose, payload: &impl Serialize) -> Signed {
        // Texts, numbers and maps of texts: they can always be written.
        let payload = serde_json::to_string(payload).unwrap_or_default();
        self.signer.sign(purpose, payload)
    }
}

/// The last characters of a key: enough for support, too little for anybody who finds the file.
fn key_end(key: &LicenseKey) -> String {
    format!("{key:?}")
}
