//! What is signed for programs. The fields are relied on from outside.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ProgramCall;

#[derive(Serialize)]
pub(super) struct AnswerPayload<'a> {
    pub(super) v: u32,
    pub(super) call: ProgramCall,
    pub(super) nonce: &'a str,
    pub(super) at: i64,
    pub(super) rely_until: i64,
    pub(super) key: &'a str,
    pub(super) app: &'a str,
    pub(super) device: &'a str,
    pub(super) live: bool,
    pub(super) reason: Option<&'static str>,
    pub(super) expires_at: Option<i64>,
    pub(super) plan: Option<&'a str>,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) devices: DevicesPayload,
}

#[derive(Serialize)]
pub(super) struct DevicesPayload {
    pub(super) used: u32,
    pub(super) max: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct OfflinePayload<'a> {
    pub(super) v: u32,
    pub(super) nonce: &'a str,
    pub(super) at: i64,
    pub(super) until: i64,
    pub(super) app: &'a str,
    pub(super) device: &'a str,
    pub(super) key_end: String,
    pub(super) expires_at: Option<i64>,
    pub(super) plan: Option<&'a str>,
    pub(super) variables: &'a BTreeMap<String, String>,
}
