//! All licenses in memory, and the rules of the service. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::device::DeviceChange;
use super::key_form::{Mistyped, read_key};
use super::record::{Record, Status};
use crate::domain::id::LicenseKey;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

/// What can be asked of the service that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Create {
        app_id: String,
        quantity: u32,
        expires_at: Option<Timestamp>,
        devices: Devices,
        label: Option<String>,
        /// Its key; `None`: a new one. One that is there already is set to what is ordered.
        key: Option<LicenseKey>,
    },
    Update {
        key: LicenseKey,
        act: Change,
    },
    /// What a program asks for its device.
    Program {
        key: LicenseKey,
        device: String,
        act: DeviceChange,
    },
}

/// A change to one license. All are absolute, so repeating one is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Extend(Option<Timestamp>),
    Suspend,
    Activate,
    Revoke,
    SetDevices(Devices),
    ResetDevices,
    /// One device, also where a file was handed out for it.
    ForgetDevice(String),
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum No {
    /// There is no such license.
    NotFound,
    /// It cannot be done to this license.
    BadRequest(&'static str),
    /// The store failed; whether it was done is uncertain.
    Failed,
}

/// All licenses.
#[derive(Debug, Default)]
pub(super) struct Book {
    by_key: HashMap<LicenseKey, Arc<Record>>,
    apps: HashMap<String, App>,
    last_seq: u64,
}

#[derive(Debug, Default)]
struct App {
    by_seq: BTreeMap<u64, Arc<Record>>,
    by_label: HashMap<String, Vec<u64>>,
}

impl Book {
    pub(super) fn get(&self, key: &LicenseKey) -> Option<&Arc<Record>> {
        self.by_key.get(key)
    }

    /// The license of a key as a person typed it. A key that another service made is found as it was written there.
    ///
    /// # Errors
    /// [`Mistyped`].
    pub(super) fn typed(&self, typed: &str) -> Result<Option<Arc<Record>>, Mistyped> {
        if let Some(record) = self.get(&LicenseKey::new(typed.trim())) {
            return Ok(Some(Arc::clone(record)));
        }
        Ok(self.get(&read_key(typed)?).cloned())
    }

    pub(super) const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Enters a license, new or changed.
    pub(super) fn put(&mut self, record: Arc<Record>) {
        self.last_seq = self.last_seq.max(record.seq);
        let app = self.apps.entry(record.app_id.clone()).or_default();
        let is_new = app.by_seq.insert(record.seq, Arc::clone(&record)).is_none();
        if let (true, Some(label)) = (is_new, &record.label) {
            app.by_label
                .entry(label.clone())
                .or_default()
                .push(record.seq);
        }
        self.by_key.insert(record.key.clone(), record);
    }

    /// A page of an application's licenses in the order of their making, those after a cursor, and whether there are
    /// more.
    pub(super) fn page(
        &self,
        app: &str,
        label: Option<&str>,
        after: u64,
        limit: usize,
    ) -> (Vec<Arc<Record>>, bool) {
        let Some(app) = self.apps.get(app) else {
            return (Vec::new(), false);
        };
        let from = after.saturating_add(1)..;
        let mut page: Vec<Arc<Record>> = match label {
            None => app
                .by_seq
                .range(from)
                .take(limit + 1)
                .map(|(_, record)| Arc::clone(record))
                .collect(),
            Some(label) => {
                let seqs = app
                    .by_label
                    .get(label)
                    .map_or(&[][..], Vec::as_slice)
                    .iter();
                let records = seqs
                    .filter(|seq| from.contains(seq))
                    .filter_map(|seq| app.by_seq.get(seq));
                records.take(limit + 1).map(Arc::clone).collect()
            }
        };
        let more = page.len() > limit;
        page.truncate(limit);
        (page, more)
    }
}

/// What a change makes of a license.
pub(super) fn changed(record: &Record, act: Change) -> Result<Record, No> {
    let mut record = record.clone();
    match act {
        // As AuthForge is assumed to do: an extension never changes the status.
        Change::Extend(to) => record.expires_at = to,
        Change::Suspend if record.status == Status::Revoked => {
            return Err(No::BadRequest("a revoked license cannot be suspended"));
        }
        Change::Suspend => record.status = Status::Suspended,
        Change::Activate => record.status = Status::Active,
        Change::Revoke => record.status = Status::Revoked,
        Change::SetDevices(devices) => record.devices = devices,
        Change::ResetDevices => {
            record.hwids.clear();
            record.offline = None;
        }
        Change::ForgetDevice(device) => {
            record.hwids.retain(|d| *d != device);
            let mut files = record.offline.take().unwrap_or_default();
            files.retain(|file| file.device != device);
            record.offline = (!files.is_empty()).then_some(files);
        }
    }
    Ok(record)
}

/// A license that is made again under the key that it has, as what moved away and comes back is: its devices stay.
pub(super) fn made_anew(
    there: &Record,
    app_id: &str,
    expires_at: Option<Timestamp>,
    devices: Devices,
) -> Result<Record, No> {
    if there.app_id != app_id {
        return Err(No::BadRequest("the key belongs to another application"));
    }
    Ok(Record {
        status: Status::Active,
        expires_at,
        devices,
        ..there.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, label: &str) -> Record {
        Record {
            seq,
            key: LicenseKey::new(format!("K{seq}")),
            app_id: "app".into(),
            status: Status::Active,
            expires_at: None,
            devices: Devices::Count(1),
            hwids: vec!["x".into()],
            label: Some(label.into()),
            created_at: Timestamp::from_s(0),
            offline: None,
        }
    }

    #[test]
    fn pages_go_through_all_in_order() {
        let mut book = Book::default();
        for seq in 1..=5 {
            book.put(Arc::new(record(
                seq,
                if seq % 2 == 0 { "even" } else { "odd" },
            )));
        }
        book.put(Arc::new(Record {
            status: Status::Revoked,
            ..record(2, "even")
        }));
        let seqs = |label, after, limit| {
            let (page, more) = book.page("app", label, after, limit);
            (page.iter().map(|r| r.seq).collect::<Vec<_>>(), more)
        };
        assert_eq!(seqs(None, 0, 2), (vec![1, 2], true));
        assert_eq!(seqs(None, 2, 3), (vec![3, 4, 5], false));
        assert_eq!(seqs(None, u64::MAX, 3), (vec![], false));
        assert_eq!(seqs(Some("odd"), 1, 1), (vec![3], true));
        assert_eq!(seqs(Some("even"), 0, 9), (vec![2, 4], false));
        assert_eq!(seqs(Some("neither"), 0, 9), (vec![], false));
        assert_eq!(book.page("other", None, 0, 9), (vec![], false));
        assert_eq!(
            (
                book.get(&LicenseKey::new("K2")).unwrap().status,
                book.last_seq()
            ),
            (Status::Revoked, 5)
        );
    }

    #[test]
    fn changes_are_absolute() {
        let all = [
            Change::Suspend,
            Change::Activate,
            Change::Revoke,
            Change::Extend(Some(Timestamp::from_s(9))),
            Change::ResetDevices,
            Change::ForgetDevice("x".into()),
        ];
        for act in all
            .into_iter()
            .chain([Change::SetDevices(Devices::Unlimited)])
        {
            let once = changed(&record(1, ""), act.clone()).unwrap();
            assert_eq!(changed(&once, act.clone()).unwrap(), once, "{act:?}");
        }
        let two = Record {
            hwids: vec!["x".into(), "y".into()],
            ..record(1, "")
        };
        let forgotten = changed(&two, Change::ForgetDevice("x".into())).unwrap();
        assert_eq!(forgotten.hwids, ["y"]);
        let revoked = changed(&record(1, ""), Change::Revoke).unwrap();
        assert!(changed(&revoked, Change::Suspend).is_err());
        assert_eq!(
            changed(&revoked, Change::Extend(None)).unwrap().status,
            Status::Revoked
        );
        assert_eq!(
            changed(&revoked, Change::Activate).unwrap().status,
            Status::Active
        );
    }
}
