//! Licenses that are read by themselves, for what a list does not tell of them.

use super::examine::Matches;
use super::licenses::{Crawl, LicenseIndex, found};
use super::run::{LicenseList, LookError, Question};
use crate::domain::adoption::FoundLicense;
use crate::effects::license::sweep::hash;

/// Keys without a purchase whose labels are read once more, where only their digests are remembered.
const STRAYS_MAX: usize = 1_000;

/// Whether a working key belongs to no purchase, neither by what was read nor here.
fn is_stray(question: &Question<'_>, matched: &Matches, n: usize, license: &FoundLicense) -> bool {
    let is_held = question.known.holder(&license.key).is_some();
    !matched.has(n) && !is_held && license.is_live(question.now)
}

/// Reads the labels of such keys once more where only their digests are remembered: what they say is told to people.
pub(super) async fn read_strays(
    question: &Question<'_>,
    licenses: &mut LicenseIndex,
    matched: &Matches,
    crawl: &mut Crawl<'_>,
) -> Result<(), LookError> {
    let Some(list) = &question.licenses else {
        return Ok(());
    };
    let mut read = 0;
    for (n, listed) in licenses.all.iter_mut().enumerate() {
        let license = found(&listed.license);
        let is_unread = license.label.is_none() && listed.label != hash("");
        if !is_unread || !is_stray(question, matched, n, &license) {
            continue;
        }
        if read == STRAYS_MAX {
            break;
        }
        read += 1;
        let app = license.app_id.clone().unwrap_or_else(|| list.app.clone());
        let read = crawl.read_one(&app, &license.key).await?;
        listed.license.label = read.and_then(|license| license.label);
    }
    Ok(())
}

/// Reads by themselves the licenses of which a purchase has more than it bought: which one is in use, a list may not show.
pub(super) async fn read_doubled(
    list: &LicenseList,
    licenses: &mut LicenseIndex,
    doubled: &[usize],
    crawl: &mut Crawl<'_>,
) -> Result<(), LookError> {
    for n in doubled {
        let license = &mut licenses.all[*n].license;
        if license.bound.is_some() {
            continue;
        }
        let app = license.app_id.clone().unwrap_or_else(|| list.app.clone());
        let read = crawl.read_one(&app, &license.key).await?;
        license.bound = read.and_then(|license| license.bound);
    }
    Ok(())
}
