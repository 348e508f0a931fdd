//! What sled said instead of doing what it was asked.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What sled said instead of doing what it was asked.
#[derive(Clone, Debug)]
pub(in crate::store::sled) struct DiskError {
    pub(in crate::store::sled) why: String,
    /// Its data are not to be trusted any more, as opposed to the disk being full or away.
    pub(in crate::store::sled) damaged: bool,
}

impl DiskError {
    pub(super) fn damaged(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            damaged: true,
        }
    }

    pub(super) fn undamaged(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            damaged: false,
        }
    }
}

impl From<::sled::Error> for DiskError {
    fn from(error: ::sled::Error) -> Self {
        Self {
            damaged: !matches!(error, ::sled::Error::Io(_)),
            why: error.to_string(),
        }
    }
}

/// Calls into sled, which panics where others return errors.
pub(super) fn catch_panics<T>(call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, DiskError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(DiskError::from),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(DiskError::damaged(format!("sled panicked: {text}")))
        }
    }
}
