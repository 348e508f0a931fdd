//! The header of the vendor's table: where each column stands, and what separates them.

use super::TableError;

/// Where each column stands.
pub(super) struct Columns {
    pub(super) id: usize,
    pub(super) key: usize,
    pub(super) email: Option<usize>,
}

impl Columns {
    pub(super) fn of(header: &csv::ByteRecord) -> Result<Self, TableError> {
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_lowercase())
            .collect();
        let at = |name: &'static str| {
            let mut all = names.iter().enumerate().filter(|(_, n)| *n == name);
            match (all.next(), all.next()) {
                (Some((first, _)), Some((second, _))) => Err(TableError::Doubled {
                    name,
                    first: first + 1,
                    second: second + 1,
                }),
                (found, _) => Ok(found.map(|(n, _)| n)),
            }
        };
        Ok(Self {
            id: at("stripe_id")?.ok_or(TableError::Column("stripe_id"))?,
            key: at("license_key")?.ok_or(TableError::Column("license_key"))?,
            email: at("email")?,
        })
    }
}

/// What separates the columns: that by which the header names the most of them, a comma before others.
pub(super) fn separator_of(header: &str) -> u8 {
    let named = |separator: &u8| {
        let names = header.split(char::from(*separator));
        let names = names.map(|n| n.trim_matches(|c: char| c == '"' || c.is_whitespace()));
        let is_one =
            |n: &&str| ["stripe_id", "license_key", "email"].contains(&n.to_lowercase().as_str());
        names.filter(is_one).count()
    };
    // Of equals `max_by_key` takes the last one.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(named)
        .unwrap_or(b',')
}
