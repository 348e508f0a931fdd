//! Plans or policies of a revision, key by key.

use std::collections::BTreeMap;

/// Values of a plan or policy by dotted key.
pub(super) type Keys = BTreeMap<String, serde_json::Value>;
