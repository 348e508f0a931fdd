//! One process per store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::store::OpenError;
use crate::store::fault::Doing;

/// Held as long as it lives; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is just being started has a copy of it until it runs its program, and
    /// the lock would live as long.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Takes the lock of a store's directory, and writes this process's id into it.
pub(super) fn take(store: &Path) -> Result<Lock, OpenError> {
    let path = store.join("lock");
    let options = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
    };
    let mut file = options().doing("opening the lock file", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message: if it cannot be read, the refusal stands all the same.
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "unknown".to_owned(),
                pid => pid.to_owned(),
            };
            return Err(OpenError::Locked {
                dir: store.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(error).doing("locking the store", &path),
    }
    file.set_len(0).doing("writing the lock file", &path)?;
    writeln!(file, "{}", std::process::id()).doing("writing the lock file", &path)?;
    Ok(Lock { file })
}
