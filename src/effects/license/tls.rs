//! Whom we trust: one crypto provider for the process, the system's certificates with Mozilla's as the floor.

use reqwest::Certificate;

/// Installs ring as the process's crypto provider. The first line of `main` and of the test support; calling it again
/// changes nothing. Without a provider the first HTTP client panics (seanmonstar/reqwest#2924).
pub fn install_default() {
    // Refused only when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Mozilla's root certificates, to be merged with the system's: on a bare container there are none, and then reqwest
/// builds no client at all, not even for `http://` (seanmonstar/reqwest#2988).
pub(crate) fn mozilla_roots() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok())
}
