//! One crypto provider for everything that speaks TLS.

/// Makes *ring* the process's provider. The first caller wins; later calls change nothing.
pub fn install() {
    // An error only says that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
