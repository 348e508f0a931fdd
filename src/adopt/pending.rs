//! From when on Stripe's events are still to be looked through for purchases that were taken in. It is kept on disk until
//! that is done: where a run is killed in between, the next one does it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::effects::license::sweep::hash;

/// The instant of one source, in a file of the data directory.
#[derive(Debug)]
pub struct PendingEvents {
    path: PathBuf,
}

impl PendingEvents {
    /// Of a source.
    #[must_use]
    pub fn of(data_dir: &Path, source: &SourceName) -> Self {
        // A name is text of the config: its digest is always a file's name.
        let name = format!("adopt.{:016x}.pending", hash(source.as_str()));
        let path = data_dir.join(name);
        Self { path }
    }

    /// The instant; `None`: nothing is pending, or the file cannot be read.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        let text = fs::read_to_string(&self.path).ok()?;
        text.trim().parse().ok().map(Timestamp::from_ms)
    }

    /// Keeps an instant, or an earlier one that is pending already. Returns the one that counts.
    ///
    /// # Errors
    /// The file's.
    pub fn keep(&self, since: Timestamp) -> io::Result<Timestamp> {
        let since = self.since().map_or(since, |kept| kept.min(since));
        let new = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).truncate(true).mode(0o600);
        let mut file: File = options.open(&new)?;
        writeln!(file, "{}", since.ms())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        Ok(since)
    }

    /// They were looked through.
    ///
    /// # Errors
    /// The file's.
    pub fn done(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_instant_stays_until_it_is_done_and_each_source_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| PendingEvents::of(dir.path(), &SourceName::from(name));
        let (one, other) = (of("stripe"), of("../eu"));
        assert_eq!(one.since(), None);
        let s = Timestamp::from_s;
        assert_eq!(one.keep(s(200)).unwrap(), s(200));
        assert_eq!(one.keep(s(300)).unwrap(), s(200), "the earlier one");
        assert_eq!(other.since(), None);
        other.keep(s(400)).unwrap();
        one.done().unwrap();
        one.done().unwrap();
        assert_eq!((one.since(), other.since()), (None, Some(s(400))));
    }
}
