//! The ceiling: a server that checks each delivery's signature and answers. What Keyward does beyond it (parse, decide,
//! sync to disk, make a license) is what it can be blamed for.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::purchase::{PATH, SECRET};

/// With this first argument the bench program is this server.
pub(crate) const ARGUMENT: &str = "verify-only-server";

/// Serves until killed.
pub(crate) fn run(port: &str) -> Result<()> {
    let port: u16 = port.parse().context("the port")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let router = Router::new().route(PATH, post(delivery));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn delivery(headers: HeaderMap, body: Bytes) -> StatusCode {
    if verified(&headers, &body).is_some() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    }
}

fn verified(headers: &HeaderMap, body: &[u8]) -> Option<()> {
    let mut parts = headers.get("stripe-signature")?.to_str().ok()?.split(',');
    let (at, signature) = (
        parts.next()?.strip_prefix("t=")?,
        parts.next()?.strip_prefix("v1=")?,
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).ok()?;
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&hex::decode(signature).ok()?).ok()
}
