//! The HTTP of the embedded service: the license API as the client speaks it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::book::{Change, No, Order};
use super::key_form::can_be_typed;
use super::record::{Detail, Record};
use super::writer::LedgerWriter;
use crate::domain::id::LicenseKey;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// The most devices on one license, short of unlimited.
pub const DEVICES_MAX: u32 = 10_000;
/// The longest label, in characters, as at AuthForge.
const LABEL_MAX: usize = 128;
/// The largest request body, in bytes: the longest label escaped, and room.
const BODY_MAX: usize = 16 * 1024;
/// The largest page of the list, and the usual one.
const PAGE_MAX: usize = 200;
const PAGE_DEFAULT: usize = 50;

/// The API over a writer.
pub(super) fn router(writer: LedgerWriter, token: Secret) -> Router {
    Router::new()
        .route("/v1/licenses", get(list).post(create))
        .route("/v1/licenses/{key}", get(one).put(update))
        .fallback(async || no(&No::NotFound))
        .method_not_allowed_fallback(async || no(&No::NotFound))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(Arc::new(token), authorize))
        .with_state(writer)
}

async fn authorize(State(token): State<Arc<Secret>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(|v| v.as_bytes());
    let given = given
        .and_then(|v| v.strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if bool::from(given.ct_eq(token.reveal().as_bytes())) {
        next.run(request).await
    } else {
        error(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "the token is missing or wrong",
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest {
    app_id: String,
    #[serde(default = "one_license")]
    quantity: u32,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    max_hwid_slots: Option<u32>,
    #[serde(default)]
    unlimited_hwid_slots: Option<bool>,
    #[serde(default)]
    label: Option<String>,
    /// The key of the one license that is made; absent: a new one.
    #[serde(default)]
    license_key: Option<String>,
}

const fn one_license() -> u32 {
    1
}

impl CreateRequest {
    fn order(self) -> Result<Order, No> {
        if !(1..=100).contains(&self.quantity) || !(1..=100).contains(&self.app_id.len()) {
            return Err(No::BadRequest(
                "quantity is 1 to 100, and appId a short text",
            ));
        }
        if self
            .label
            .as_ref()
            .is_some_and(|label| label.chars().count() > LABEL_MAX)
        {
            return Err(No::BadRequest("a label has at most 128 characters"));
        }
        let devices =
            devices(self.max_hwid_slots, self.unlimited_hwid_slots)?.unwrap_or(Devices::Count(1));
        let Self {
            app_id,
            quantity,
            expires_at,
            label,
            license_key,
            ..
        } = self;
        let key = license_key.map(LicenseKey::new);
        if key
            .as_ref()
            .is_some_and(|key| quantity > 1 || !can_be_typed(key))
        {
            return Err(No::BadRequest(
                "licenseKey is the key of one license: at most 64 letters, digits and signs, without blanks",
            ));
        }
        Ok(Order::Create {
            app_id,
            quantity,
            expires_at,
            devices,
            label,
            key,
        })
    }
}

fn devices(max: Option<u32>, unlimited: Option<bool>) -> Result<Option<Devices>, No> {
    match (max, unlimited) {
        (_, Some(true)) => Ok(Some(Devices::Unlimited)),
        (Some(n), _) if (1..=DEVICES_MAX).contains(&n) => Ok(Some(Devices::Count(n))),
        (Some(_), _) => Err(No::BadRequest("maxHwidSlots is 1 to 10000")),
        (None, _) => Ok(None),
    }
}

async fn create(State(writer): State<LedgerWriter>, body: Bytes) -> Response {
    let order = read::<CreateRequest>(&body).and_then(CreateRequest::order);
    let made = match order {
        Ok(order) => writer.order(order).await,
        Err(bad) => Err(bad),
    };
    match made {
        Ok(made) => json(
            StatusCode::CREATED,
            &Licenses {
                licenses: shown(&made, Detail::Whole),
            },
        ),
        Err(why) => no(&why),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    app_id: String,
    limit: Option<usize>,
    cursor: Option<u64>,
    label: Option<String>,
}

async fn list(
    State(writer): State<LedgerWriter>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        return no(&No::BadRequest(
            "appId, limit, cursor or label is missing or odd",
        ));
    };
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return no(&No::BadRequest("limit is 1 to 200"));
    }
    let after = query.cursor.unwrap_or(0);
    let (page, more) = writer
        .book()
        .page(&query.app_id, query.label.as_deref(), after, limit);
    let cursor = page
        .last()
        .filter(|_| more)
        .map(|record| record.seq.to_string());
    json(
        StatusCode::OK,
        &ListPage {
            licenses: shown(&page, Detail::Listed),
            cursor,
        },
    )
}

async fn one(State(writer): State<LedgerWriter>, Path(key): Path<String>) -> Response {
    let record = writer.book().get(&LicenseKey::new(key)).cloned();
    record.map_or_else(
        || no(&No::NotFound),
        |record| json(StatusCode::OK, &record.shown(Detail::Whole)),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    action: String,
    /// With `reset-hwid`: this device alone.
    #[serde(default)]
    hwid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(default)]
    max_hwid_slots: Option<u32>,
    #[serde(default)]
    unlimited_hwid_slots: Option<bool>,
}

/// Called only when the field is there, so that `null` is told from nothing.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Update {
    fn act(&self) -> Result<Change, No> {
        match (self.action.as_str(), self.expires_at) {
            ("extend", Some(to)) => Ok(Change::Extend(to)),
            ("extend", None) => Err(No::BadRequest("extend needs expiresAt")),
            ("suspend", _) => Ok(Change::Suspend),
            ("activate", _) => Ok(Change::Activate),
            ("revoke", _) => Ok(Change::Revoke),
            ("reset-hwid", _) => Ok(match &self.hwid {
                Some(device) => Change::ForgetDevice(device.clone()),
                None => Change::ResetDevices,
            }),
            ("update", _) => match devices(self.max_hwid_slots, self.unlimited_hwid_slots)? {
                Some(devices) => Ok(Change::SetDevices(devices)),
                None => Err(No::BadRequest(
                    "update needs maxHwidSlots or unlimitedHwidSlots",
                )),
            },
            _ => Err(No::BadRequest("there is no such action")),
        }
    }
}

async fn update(
    State(writer): State<LedgerWriter>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let updated = match read::<Update>(&body).and_then(|update| update.act()) {
        Ok(act) => {
            writer
                .order(Order::Update {
                    key: LicenseKey::new(key),
                    act,
                })
                .await
        }
        Err(bad) => Err(bad),
    };
    match updated.as_deref() {
        Ok([record]) => json(StatusCode::OK, &record.shown(Detail::Whole)),
        Ok(_) => no(&No::Failed),
        Err(why) => no(why),
    }
}

#[derive(serde::Serialize)]
struct Licenses<T> {
    licenses: Vec<T>,
}

#[derive(serde::Serialize)]
struct ListPage<T> {
    licenses: Vec<T>,
    cursor: Option<String>,
}

fn shown(records: &[Arc<Record>], detail: Detail) -> Vec<impl serde::Serialize> {
    records.iter().map(|record| record.shown(detail)).collect()
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, No> {
    serde_json::from_slice(body).map_err(|_| No::BadRequest("the body is not the expected JSON"))
}

fn no(why: &No) -> Response {
    match why {
        No::NotFound => error(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such license or call",
        ),
        No::BadRequest(why) => error(StatusCode::BAD_REQUEST, "bad_request", why),
        No::Failed => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the store failed",
        ),
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    json(
        status,
        &serde_json::json!({ "error": code, "message": message }),
    )
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
