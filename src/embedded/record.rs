//! A license as it is stored, and as it is shown.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::ledger::{Ledger, LedgerError, PREFIX};
use crate::domain::id::LicenseKey;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

/// A key with the value that is written under it.
type KeyAndValue = (Vec<u8>, Vec<u8>);

/// A stored license. Field numbers are never used again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Record {
    /// The order of making, from 1; also the list's cursor.
    #[n(0)]
    pub(super) seq: u64,
    #[n(1)]
    pub(super) key: LicenseKey,
    #[n(2)]
    pub(super) app_id: String,
    #[n(3)]
    pub(super) status: Status,
    #[n(4)]
    pub(super) expires_at: Option<Timestamp>,
    #[n(5)]
    pub(super) devices: Devices,
    /// Bound devices, in the order of their activation.
    #[n(6)]
    pub(super) hwids: Vec<String>,
    #[n(7)]
    pub(super) label: Option<String>,
    #[n(8)]
    pub(super) created_at: Timestamp,
    /// Files handed out to devices that are offline, the longest of each.
    #[n(9)]
    pub(super) offline: Option<Vec<OfflineUntil>>,
}

/// How long a device may work without asking, by a file that nobody can take back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct OfflineUntil {
    #[n(0)]
    pub(super) device: String,
    #[n(1)]
    pub(super) until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    #[n(0)]
    Active,
    #[n(1)]
    Suspended,
    #[n(2)]
    Revoked,
}

/// The format of stored values, in front of each.
const FORMAT: u8 = 1;
/// The format of the head of a license in parts: how many there are, and whose.
const FORMAT_SPLIT: u8 = 2;
/// The longest value that is written; the store takes a little more. A license with very many devices is longer.
const PART_LEN: usize = 5_000;
/// Under this the parts are stored.
const PARTS_PREFIX: &[u8] = b"part/";

/// The head of a license in parts.
#[derive(Debug)]
pub(super) struct SplitHead {
    key: Vec<u8>,
    count: u16,
}

impl SplitHead {
    /// Reads a stored value, if it is such a head.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [FORMAT_SPLIT, high, low, key @ ..] => Some(Self {
                key: key.to_vec(),
                count: u16::from_be_bytes([*high, *low]),
            }),
            _ => None,
        }
    }

    /// The license, put together from its parts.
    pub(super) fn join(&self, ledger: &mut impl Ledger) -> Result<Record, LedgerError> {
        let mut bytes = Vec::new();
        for n in 0..self.count {
            let part = ledger.get(&part_key(&self.key, n))?;
            let missing = || LedgerError::Broken("a part of a stored license is missing".into());
            bytes.extend(part.ok_or_else(missing)?);
        }
        Record::from_bytes(&bytes)
    }
}

fn part_key(key: &[u8], n: u16) -> Vec<u8> {
    [PARTS_PREFIX, key, b"/", &n.to_be_bytes()].concat()
}

impl Record {
    /// Where it is stored.
    pub(super) fn store_key(&self) -> Vec<u8> {
        [PREFIX, self.key.reveal().as_bytes()].concat()
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = vec![FORMAT];
        minicbor::encode(self, &mut bytes)
            .map_err(|e| LedgerError::Broken(format!("a license could not be written: {e}")))?;
        Ok(bytes)
    }

    /// What is written of it: one value, or a head and parts where that would be too long for the store. Parts of an
    /// earlier, longer state stay; the head does not count them.
    pub(super) fn to_writes(&self) -> Result<Vec<KeyAndValue>, LedgerError> {
        let (key, bytes) = (self.key.reveal().as_bytes(), self.to_bytes()?);
        if bytes.len() <= PART_LEN {
            return Ok(vec![(self.store_key(), bytes)]);
        }
        let parts = bytes.chunks(PART_LEN);
        let count = u16::try_from(parts.len())
            .map_err(|_| LedgerError::Broken("a license is too long".into()))?;
        let head = [&[FORMAT_SPLIT][..], &count.to_be_bytes(), key].concat();
        let mut writes = vec![(self.store_key(), head)];
        writes.extend(
            (0..count)
                .zip(parts)
                .map(|(n, part)| (part_key(key, n), part.to_vec())),
        );
        Ok(writes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => minicbor::decode(rest)
                .map_err(|e| LedgerError::Broken(format!("a stored license cannot be read: {e}"))),
            Some((format, _)) => Err(LedgerError::Broken(format!(
                "a stored license has format {format}, made by a newer version"
            ))),
            None => Err(LedgerError::Broken("a stored license is empty".into())),
        }
    }

    /// The license in the API's JSON.
    pub(super) fn shown(&self, detail: Detail) -> impl Serialize {
        let whole = detail == Detail::Whole;
        let (max_hwid_slots, unlimited_hwid_slots) = match self.devices {
            Devices::Count(n) => (n, false),
            Devices::Unlimited => (1, true),
        };
        Shown {
            license_key: self.key.reveal(),
            app_id: &self.app_id,
            status: self.status,
            expires_at: self.expires_at,
            max_hwid_slots,
            unlimited_hwid_slots,
            hwid_list: whole.then_some(&self.hwids),
            label: whole.then_some(self.label.as_deref()),
            created_at: self.created_at,
        }
    }
}

/// How much of a license an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// All of it.
    Whole,
    /// As the list does: without label and devices.
    Listed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    license_key: &'a str,
    app_id: &'a str,
    status: Status,
    expires_at: Option<Timestamp>,
    max_hwid_slots: u32,
    unlimited_hwid_slots: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hwid_list: Option<&'a Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Option<&'a str>>,
    created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::super::ledger::MemoryLedger;
    use super::*;

    #[test]
    fn a_license_with_very_many_devices_is_stored_in_parts() {
        let mut ledger = MemoryLedger::default();
        let device = |n: usize| format!("{n:0>128}");
        let record = |devices: usize| Record {
            seq: 1,
            key: LicenseKey::new("K"),
            app_id: "app".into(),
            status: Status::Active,
            expires_at: None,
            devices: Devices::Count(10_000),
            hwids: (0..devices).map(device).collect(),
            label: None,
            created_at: Timestamp::from_s(0),
            offline: None,
        };
        for devices in [10_000, 30, 1, 100] {
            let (record, mut whole) = (record(devices), 0);
            let writes = record.to_writes().unwrap();
            assert!(
                writes
                    .iter()
                    .all(|(key, value)| key.len() + value.len() < 5_600)
            );
            ledger.put(writes).unwrap();
            let mut heads = Vec::new();
            let read = ledger.load(&mut |bytes| {
                match SplitHead::of(bytes) {
                    Some(head) => heads.push(head),
                    None => whole += Record::from_bytes(bytes)?.hwids.len(),
                }
                Ok(())
            });
            read.unwrap();
            match heads.as_slice() {
                [] => assert_eq!(whole, devices),
                [head] => assert_eq!(head.join(&mut ledger).unwrap(), record),
                more => panic!("{more:?}"),
            }
        }
    }

    #[test]
    fn stored_bytes_stay_readable() {
        let record = Record {
            seq: 1,
            key: LicenseKey::new("ABCD-EFGH-JKLM-NPQR"),
            app_id: "app".into(),
            status: Status::Suspended,
            expires_at: Some(Timestamp::from_s(1)),
            devices: Devices::Count(2),
            hwids: vec![],
            label: Some("Stripe sub sub_1".into()),
            created_at: Timestamp::from_s(0),
            offline: None,
        };
        let bytes = record.to_bytes().unwrap();
        let golden = "01890173414243442d454647482d4a4b4c4d2d4e505152636170700119\
                      03e8820081028070537472697065207375622073\
                      75625f3100";
        assert_eq!(hex::encode(&bytes), golden.replace(char::is_whitespace, ""));
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
        let offline = OfflineUntil {
            device: "d".into(),
            until: Timestamp::from_s(2),
        };
        let with_file = Record {
            offline: Some(vec![offline]),
            ..record.clone()
        };
        let bytes = with_file.to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), with_file);
        assert!(Record::from_bytes(&[]).is_err() && Record::from_bytes(&[2, 0]).is_err());
        let json = serde_json::to_value(record.shown(Detail::Listed)).unwrap();
        assert_eq!(
            (json.get("label"), json.get("hwidList"), &json["status"]),
            (None, None, &"suspended".into())
        );
    }
}
