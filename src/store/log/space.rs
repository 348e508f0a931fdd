//! Whether there is room on the disk, asked before each append: a full disk costs a restart, a refusal costs nothing.

use std::path::{Path, PathBuf};

use crate::store::FullCause;

/// The file system is asked again after this many bytes, or at once when room is short.
const ASK_EVERY_BYTES: u64 = 1 << 20;

/// What sled writes for each byte it is given (measured: up to 3.8), and the log's own copy.
const AMPLIFICATION: u64 = 5;

/// Counts down from what the file system said last.
#[derive(Debug)]
pub(in crate::store) struct Space {
    dir: PathBuf,
    min_free: u64,
    free: u64,
    until_asked: u64,
}

impl Space {
    pub(in crate::store) fn new(dir: &Path, min_free: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            min_free,
            free: 0,
            until_asked: 0,
        }
    }

    /// Asks for room for so many bytes of keys and values. A file system that gives no answer is taken to have room:
    /// the append itself will tell.
    pub(in crate::store) fn take(&mut self, bytes: u64) -> Result<(), FullCause> {
        let cost = bytes.saturating_mul(AMPLIFICATION);
        let needed = self.min_free.saturating_add(cost);
        if self.until_asked < cost || self.free < needed {
            self.free = free_bytes(&self.dir).unwrap_or(u64::MAX);
            self.until_asked = ASK_EVERY_BYTES.max(cost);
        }
        if self.free < needed {
            self.until_asked = 0;
            return Err(FullCause::FreeSpace {
                free_bytes: self.free,
                needed_bytes: needed,
            });
        }
        self.until_asked -= cost;
        self.free -= cost;
        Ok(())
    }
}

fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_below_the_bound_only() {
        let dir = std::env::temp_dir();
        assert!(Space::new(&dir, 0).take(1).is_ok());
        assert!(matches!(
            Space::new(&dir, u64::MAX / 2).take(1),
            Err(FullCause::FreeSpace { .. })
        ));
    }
}
