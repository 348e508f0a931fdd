//! Sources that the config names no more: their purchases are tended by nobody, or were renamed by mistake.

use super::StartError;
use crate::config::Config;
use crate::domain::id::SourceName;
use crate::engine::read::sources;
use crate::store::Read;

/// Refuses a config that gives a source another name, and warns of purchases that nobody tends.
///
/// # Errors
/// [`StartError::Renamed`]; the store's.
pub(super) fn judge(reader: &dyn Read, config: &Config) -> Result<(), StartError> {
    let named: Vec<SourceName> = config.sources.iter().map(|s| s.name.clone()).collect();
    let change = sources::change(reader, &named)?;
    if let Some(renamed) = change.renamed {
        return Err(StartError::Renamed { renamed });
    }
    for gone in change.gone {
        tracing::warn!(source.name = %gone.source, "{gone}");
    }
    Ok(())
}
