//! Its answers, as AuthForge writes them.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::json;

use super::Reply;
use super::faults::Faults;

pub(super) fn plain_error(status: u16, code: &str) -> Reply {
    (
        status,
        json!({ "error": code, "message": format!("{code}, said the fake") }).to_string(),
    )
}

pub(super) fn error(status: u16, code: &str, faults: &Faults) -> Reply {
    match faults.html {
        true => (
            status,
            format!("<html>\n<head><title>{status} from a gateway</title></head>\n</html>"),
        ),
        false => plain_error(status, code),
    }
}

pub(super) fn respond(
    (status, body): Reply,
    retry_after: &Option<String>,
) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some(after) = retry_after
        .as_ref()
        .filter(|_| status == 429 || status >= 500)
    {
        response = response.header("retry-after", after);
    }
    response.body(Full::new(Bytes::from(body))).unwrap()
}

pub(super) fn decode(segment: &str) -> String {
    let url = reqwest::Url::parse(&format!(
        "http://x/?{}",
        segment
            .replace('+', "%2B")
            .replace('&', "%26")
            .replace('=', "%3D")
    ))
    .unwrap();
    url.query_pairs()
        .next()
        .map_or(String::new(), |(name, _)| name.into_owned())
}
