//! Fields that decide: absent or null they have a meaning of their own, so one of another type is not read as absent.

use crate::domain::time::Timestamp;

use super::super::json::Json;
use super::super::reason::Reason;

/// Where a field stands: its object, its key, and how the object is called.
#[derive(Clone, Copy)]
pub(super) struct Given<'s, 'a> {
    object: &'s Json<'a>,
    of: &'static str,
}

impl<'s, 'a> Given<'s, 'a> {
    /// Of the event's own object.
    pub(super) const fn of(object: &'s Json<'a>) -> Self {
        Self {
            object,
            of: "data.object",
        }
    }

    /// Of one that it lists.
    pub(super) const fn within(object: &'s Json<'a>, of: &'static str) -> Self {
        Self { object, of }
    }

    fn wrong(&self, key: &str) -> Reason {
        Reason::unreadable(&format!("{}.{key}", self.of), self.object.get(key))
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'s str>, Reason> {
        match self.object.get(key) {
            Json::Null => Ok(None),
            it @ Json::Text(_) => Ok(it.text()),
            Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::List(_) | Json::Map(_) => {
                Err(self.wrong(key))
            }
        }
    }

    /// A reference: an id, or an object that has one.
    pub(super) fn reference<T: for<'t> From<&'t str>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, Reason> {
        match self.object.get(key) {
            Json::Null => Ok(None),
            it @ Json::Text(_) => Ok(it.id().map(T::from)),
            it @ Json::Map(_) => it
                .id()
                .map(T::from)
                .map(Some)
                .ok_or_else(|| self.wrong(key)),
            Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::List(_) => Err(self.wrong(key)),
        }
    }

    /// True or false.
    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, Reason> {
        let it = self.object.get(key);
        if says_nothing(it) {
            return Ok(None);
        }
        it.bool().map(Some).ok_or_else(|| self.wrong(key))
    }

    /// A whole number.
    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, Reason> {
        let it = self.object.get(key);
        if says_nothing(it) {
            return Ok(None);
        }
        it.int().map(Some).ok_or_else(|| self.wrong(key))
    }

    /// An instant.
    pub(super) fn time(&self, key: &str) -> Result<Option<Timestamp>, Reason> {
        let it = self.object.get(key);
        if says_nothing(it) {
            return Ok(None);
        }
        it.time().map(Some).ok_or_else(|| self.wrong(key))
    }

    /// An object, or nothing.
    pub(super) fn is_map(&self, key: &str) -> Result<bool, Reason> {
        match self.object.get(key) {
            Json::Null => Ok(false),
            Json::Map(_) => Ok(true),
            Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::Text(_) | Json::List(_) => {
                Err(self.wrong(key))
            }
        }
    }

    /// Whether a list is a list of objects, or absent: Stripe's `{"data": […], "has_more": …}`, or a plain one.
    pub(super) fn list(&self, key: &str) -> Result<(), Reason> {
        let list = self.object.get(key);
        let is_list = match list {
            Json::Null | Json::List(_) => true,
            Json::Map(_) => {
                let more = list.get("has_more");
                let data = list.get("data");
                (data.is_null() || matches!(data, Json::List(_)))
                    && (more.is_null() || more.bool().is_some())
            }
            Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::Text(_) => false,
        };
        if is_list && list.data().iter().all(Json::is_map) {
            Ok(())
        } else {
            Err(self.wrong(key))
        }
    }
}

/// Null, absent, or an empty text.
fn says_nothing(it: &Json<'_>) -> bool {
    it.is_null() || matches!(it, Json::Text(_)) && it.text().is_none()
}
