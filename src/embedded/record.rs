//! A license as it is stored, and as it is shown.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::ledger::{LedgerError, PREFIX};
use crate::domain::id::LicenseKey;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

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

    /// The license in the API's JSON; `whole`: with label and devices, which the list leaves out.
    pub(super) fn shown(&self, whole: bool) -> impl Serialize {
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
    use super::*;

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
        let json = serde_json::to_value(record.shown(false)).unwrap();
        assert_eq!(
            (json.get("label"), json.get("hwidList"), &json["status"]),
            (None, None, &"suspended".into())
        );
    }
}
