//! `/licenses/v1/`: the embedded license service's half for the programs that were sold. docs/licensing.md is its manual.
//!
//! A question comes as JSON and is limited by visitor, then by key. Answers come from memory; only a device's place and a
//! file are written first. Whoever tries keys hears the same of a wrong one and of another application's, pays more than
//! we do, and is soon heard no more.

mod limits;
mod plans;
mod question;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};

use super::problem::Problem;
use super::{App, Peer, limit, metrics};
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::embedded::{
    Deactivated, KeyNotFound, KnownLicense, OfflineRefused, PlanTerms, ProgramCall, ProgramError,
    ProgramQuestion, ProgramVerdict, Programs, Signed,
};
use crate::engine;
use limits::Limits;
use plans::Plans;

/// What the calls share.
pub(super) struct Licenses {
    programs: Programs,
    limits: Limits,
    plans: Plans,
}

impl Licenses {
    /// What programs ask.
    pub(super) const fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(super) fn new(programs: Programs, handle: engine::Handle, config: Arc<Config>) -> Self {
        Self {
            programs,
            limits: Limits::new(),
            plans: Plans::new(handle, config),
        }
    }
}

/// The calls.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/validate", post(validate))
        .route("/heartbeat", post(heartbeat))
        .route("/activate", post(activate))
        .route("/deactivate", post(deactivate))
        .route("/offline", post(offline))
        .route("/public-key", get(public_key))
        .fallback(async || {
            ProgramReply::no(Problem::new(
                StatusCode::NOT_FOUND,
                "no_such_call",
                "there is no such call; docs/licensing.md lists them",
            ))
        })
        .method_not_allowed_fallback(async || {
            ProgramReply::no(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong_method",
                "questions are sent with POST; the public key is read with GET",
            ))
        })
}

/// A request as it comes in.
struct Asking {
    app: Arc<App>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
}

/// A question that was let in.
struct Admitted {
    licenses: Arc<Licenses>,
    question: ProgramQuestion,
    license: KnownLicense,
    terms: PlanTerms,
}

/// An answer or why there is none, with the word by which it is counted.
enum ProgramReply {
    Signed {
        signed: Signed,
        word: &'static str,
    },
    No {
        problem: Problem,
        wait_s: Option<u64>,
    },
}

impl ProgramReply {
    fn no(problem: Problem) -> Self {
        Self::No {
            problem,
            wait_s: None,
        }
    }

    fn verdict(verdict: ProgramVerdict) -> Self {
        Self::Signed {
            signed: verdict.signed,
            word: if verdict.live { "live" } else { "not_live" },
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Signed { word, .. } => word,
            Self::No { problem, .. } => problem.code,
        }
    }
}

impl IntoResponse for ProgramReply {
    fn into_response(self) -> Response {
        let (mut response, wait_s) = match self {
            Self::Signed { signed, .. } => (Json(signed).into_response(), None),
            Self::No { problem, wait_s } => {
                let body = serde_json::json!({ "error": problem.code, "message": problem.message });
                ((problem.status, Json(body)).into_response(), wait_s)
            }
        };
        let closes = matches!(
            response.status(),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
        );
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait_s) = wait_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        }
        if closes {
            // The rest of the body must not be taken for the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The parts of a request, as axum hands them over.
type RequestParts = (State<Arc<App>>, Extension<Peer>, HeaderMap);

fn asking((State(app), Extension(peer), headers): RequestParts, body: Body) -> Asking {
    Asking {
        app,
        peer,
        headers,
        body,
    }
}

/// Counts an answer.
fn counted(call: &'static str, reply: Result<ProgramReply, ProgramReply>) -> ProgramReply {
    let reply = reply.unwrap_or_else(|no| no);
    metrics::program_told(call, reply.word());
    reply
}

async fn validate(parts: RequestParts, body: Body) -> ProgramReply {
    let admitted = admit(asking(parts, body)).await;
    let reply = admitted.map(|a| a.answer(ProgramCall::Validate));
    counted("validate", reply)
}

async fn heartbeat(parts: RequestParts, body: Body) -> ProgramReply {
    let admitted = admit(asking(parts, body)).await;
    let reply = admitted.map(|a| a.answer(ProgramCall::Heartbeat));
    counted("heartbeat", reply)
}

async fn activate(parts: RequestParts, body: Body) -> ProgramReply {
    let reply = match admit(asking(parts, body)).await {
        Ok(admitted) => admitted.activate().await,
        Err(no) => Err(no),
    };
    counted("activate", reply)
}

async fn deactivate(parts: RequestParts, body: Body) -> ProgramReply {
    let reply = match admit(asking(parts, body)).await {
        Ok(admitted) => admitted.deactivate().await,
        Err(no) => Err(no),
    };
    counted("deactivate", reply)
}

async fn offline(parts: RequestParts, body: Body) -> ProgramReply {
    let reply = match admit(asking(parts, body)).await {
        Ok(admitted) => admitted.offline().await,
        Err(no) => Err(no),
    };
    counted("offline", reply)
}

async fn public_key(State(app): State<Arc<App>>) -> Response {
    let Some(licenses) = &app.licenses else {
        return ProgramReply::no(not_served()).into_response();
    };
    let keys = licenses.programs.public_keys();
    let mut body = serde_json::json!({ "algorithm": "Ed25519", "keys": keys });
    if let Some(signs) = keys.first() {
        body["public_key"] = signs.public_key.clone().into();
        body["key_id"] = signs.key_id.clone().into();
    }
    Json(body).into_response()
}

impl Admitted {
    fn answer(&self, call: ProgramCall) -> ProgramReply {
        let programs = &self.licenses.programs;
        ProgramReply::verdict(programs.answer(&self.license, &self.question, call, &self.terms))
    }

    async fn activate(&self) -> Result<ProgramReply, ProgramReply> {
        let programs = &self.licenses.programs;
        if programs.changes(&self.license, &self.question, ProgramCall::Activate) {
            self.limit_write()?;
        }
        let verdict = programs.activate(&self.license, &self.question, &self.terms);
        verdict
            .await
            .map(ProgramReply::verdict)
            .map_err(|why| ProgramReply::no(failed(why)))
    }

    async fn deactivate(&self) -> Result<ProgramReply, ProgramReply> {
        let programs = &self.licenses.programs;
        if programs.changes(&self.license, &self.question, ProgramCall::Deactivate) {
            self.limit_write()?;
        }
        let given_back = programs.deactivate(&self.license, &self.question, &self.terms);
        match given_back.await {
            Ok(Deactivated::Done(verdict)) => Ok(ProgramReply::verdict(verdict)),
            Ok(Deactivated::FileOut(until)) => Err(ProgramReply::no(file_out(until))),
            Err(why) => Err(ProgramReply::no(failed(why))),
        }
    }

    async fn offline(&self) -> Result<ProgramReply, ProgramReply> {
        self.limit_write()?;
        let programs = &self.licenses.programs;
        let file = programs.offline(&self.license, &self.question, &self.terms);
        match file.await {
            Ok(signed) => Ok(ProgramReply::Signed {
                signed,
                word: "live",
            }),
            Err(why) => Err(ProgramReply::no(no_file(why))),
        }
    }

    /// What may be written is asked for less often than what is read.
    fn limit_write(&self) -> Result<(), ProgramReply> {
        let let_in = self.licenses.limits.write(&self.license);
        let_in.map_err(too_often)
    }
}

/// Lets a question in: not too often, well-formed, and about a license that there is.
async fn admit(asking: Asking) -> Result<Admitted, ProgramReply> {
    let Asking {
        app,
        peer,
        headers,
        body,
    } = asking;
    let licenses = app
        .licenses
        .as_ref()
        .ok_or(ProgramReply::no(not_served()))?;
    let visitor = limit::client(peer.0.ip(), &headers, &app.config.http.trusted_proxies);
    licenses.limits.visitor(visitor).map_err(too_often)?;
    // Also the right key waits: else whoever guesses would hear that it is one.
    licenses.limits.guesser(visitor).map_err(guessing)?;
    let patience = app.config.http.body_timeout;
    let question = question::read(body, patience)
        .await
        .map_err(ProgramReply::no)?;
    // Once more: many bodies may have been awaited side by side.
    licenses.limits.guesser(visitor).map_err(guessing)?;
    let license = licenses.programs.find(&question).map_err(|why| {
        licenses.limits.wrong_key(visitor, why);
        ProgramReply::no(no_key(why))
    })?;
    licenses.limits.key(&license).map_err(too_often)?;
    let terms = licenses
        .plans
        .of(&license)
        .await
        .map_err(ProgramReply::no)?;
    Ok(Admitted {
        licenses: Arc::clone(licenses),
        question,
        license,
        terms,
    })
}

fn not_served() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_served",
        "this server is not the license service of any program",
    )
}

fn no_key(why: KeyNotFound) -> Problem {
    match why {
        KeyNotFound::Mistyped => Problem::new(
            StatusCode::BAD_REQUEST,
            "mistyped_key",
            "this key holds a typing error",
        ),
        KeyNotFound::Unknown => Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_key",
            "there is no such license key",
        ),
    }
}

fn too_often(wait_s: u64) -> ProgramReply {
    ProgramReply::No {
        problem: Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_often",
            "too many questions; please wait",
        ),
        wait_s: Some(wait_s),
    }
}

fn guessing(wait_s: u64) -> ProgramReply {
    ProgramReply::No {
        problem: Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "guessing",
            "too many wrong keys from this network; please wait",
        ),
        wait_s: Some(wait_s),
    }
}

fn failed(why: ProgramError) -> Problem {
    match why {
        ProgramError::Gone => no_key(KeyNotFound::Unknown),
        ProgramError::Unavailable => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the license service cannot write at present; please try again",
        ),
    }
}

fn file_out(until: Timestamp) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "offline_file_out",
        format!("the device keeps its place until its offline file ends: {until}"),
    )
}

fn no_file(why: OfflineRefused) -> Problem {
    match why {
        OfflineRefused::NotInPlan => Problem::new(
            StatusCode::FORBIDDEN,
            "no_offline",
            "the plan of this license has no offline files",
        ),
        OfflineRefused::NotLive(reason) => Problem::new(
            StatusCode::CONFLICT,
            reason,
            "the license does not work on this device",
        ),
        OfflineRefused::Failed(why) => failed(why),
    }
}
