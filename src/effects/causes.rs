//! What went wrong with a request, in words.

/// An error with its causes, for reqwest's own text stops before the telling part; and without the address, which may hold a
/// license key.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
