//! Whether there is room on the disk, asked before each append: a refusal loses nothing, and a disk without any room costs a
//! restart. sled keeps the first error of its file for good, so that only opening it anew mends that, and the log has what
//! was acknowledged.

use std::fmt;
use std::path::Path;

use crate::store::FullCause;

/// What sled writes for each byte it is given (measured: up to 3.8), and the log's own copy.
const AMPLIFICATION: u64 = 5;

/// Asks the file system, once for each append. Others write to it, too: what it said a moment ago says little. The question
/// takes one to two microseconds (measured on ext4), the sync that follows about a thousand times as long; all that wait for
/// one commit share both.
pub(in crate::store) struct Space {
    min_free: u64,
    free: Box<dyn Fn() -> Option<u64> + Send>,
    /// The last answer was that there is no room. Then there is room again only with a margin, so that what others write near
    /// the bound does not refuse every second append.
    full: bool,
}

impl Space {
    pub(in crate::store) fn new(dir: &Path, min_free: u64) -> Self {
        let dir = dir.to_owned();
        Self {
            min_free,
            free: Box::new(move || free_bytes(&dir)),
            full: false,
        }
    }

    /// Asks for room for so many bytes of keys and values. A file system that gives no answer is taken to have room:
    /// the append itself will tell.
    pub(in crate::store) fn take(&mut self, bytes: u64) -> Result<(), FullCause> {
        let margin = if self.full { self.min_free / 4 } else { 0 };
        let needed_bytes = self
            .min_free
            .saturating_add(margin)
            .saturating_add(bytes.saturating_mul(AMPLIFICATION));
        let free_bytes = (self.free)().unwrap_or(u64::MAX);
        self.full = free_bytes < needed_bytes;
        if self.full {
            return Err(FullCause::FreeSpace {
                free_bytes,
                needed_bytes,
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space")
            .field("min_free", &self.min_free)
            .finish_non_exhaustive()
    }
}

fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Our own writes say nothing of the room that others take.
    #[test]
    fn what_others_write_is_noticed_at_the_next_append() {
        let free = Arc::new(AtomicU64::new(100 << 20));
        let shown = Arc::clone(&free);
        let mut space = Space {
            min_free: 16 << 20,
            free: Box::new(move || Some(shown.load(Ordering::Relaxed))),
            full: false,
        };
        assert!(space.take(100).is_ok());
        free.store(14 << 20, Ordering::Relaxed);
        assert!(matches!(
            space.take(100),
            Err(FullCause::FreeSpace { free_bytes, .. }) if free_bytes == 14 << 20
        ));
        free.store(100 << 20, Ordering::Relaxed);
        assert!(space.take(100).is_ok());
    }

    /// What others write and delete near the bound is one outage, not one for each append.
    #[test]
    fn room_that_comes_and_goes_near_the_bound_is_none() {
        let free = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&free);
        let mut space = Space {
            min_free: 16 << 20,
            free: Box::new(move || Some(shown.load(Ordering::Relaxed))),
            full: false,
        };
        let takes = [17, 15, 17, 15, 19, 21, 17, 15, 19].map(|mib: u64| {
            free.store(mib << 20, Ordering::Relaxed);
            space.take(100).is_ok()
        });
        let expected = [true, false, false, false, false, true, true, false, false];
        assert_eq!(takes, expected);
    }
}
