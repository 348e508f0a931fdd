//! One crypto provider, and one set of roots, for everything that speaks TLS.

/// Makes *ring* the process's provider. The first caller wins; later calls change nothing.
pub fn install() {
    // An error only says that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Mozilla's root certificates, to be merged with the system's: on a bare container there are none, and then reqwest
/// builds no client at all, not even for `http://` (seanmonstar/reqwest#2988).
pub fn mozilla_roots() -> impl Iterator<Item = reqwest::Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| reqwest::Certificate::from_der(der).ok())
}
