//! The vendor's own table of purchases and keys: CSV with a header, columns in any order.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::id::LicenseKey;

/// The largest table that is read, in bytes: some 400,000 lines.
pub const TABLE_BYTES_MAX: u64 = 32 << 20;
/// The longest id or key that can be meant, in bytes.
const FIELD_LEN_MAX: usize = 255;
/// Bad lines that are kept with their reasons; past that only their number.
const BAD_LINES_MAX: usize = 1_000;

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Its number in the file, from 1.
    pub line: u64,
    /// The session, subscription, invoice or payment at Stripe; empty where only an address is told.
    pub stripe_id: String,
    /// The key.
    pub key: LicenseKey,
    /// The customer's address: a suggestion, never used by itself.
    pub email: Option<String>,
}

/// What is wrong with a line, or with what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// It is no CSV.
    Unreadable(String),
    /// It names no purchase and no address.
    NoId,
    /// It names no key.
    NoKey,
    /// A field is too long to be meant.
    TooLong,
    /// It names a customer, who may have several purchases.
    Customer,
    /// An earlier line gives this key to another purchase.
    KeyTwice(u64),
    /// Stripe does not list the purchase, or nothing was paid for it.
    NotAtStripe,
    /// The license service does not list the key.
    NotAtService,
    /// Another purchase holds the key already.
    Held,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::NoId => f.write_str("it names no purchase: `stripe_id` is empty"),
            Self::NoKey => f.write_str("it names no key: `license_key` is empty"),
            Self::TooLong => write!(f, "a field is longer than {FIELD_LEN_MAX} bytes"),
            Self::Customer => f.write_str(
                "it names a customer, who may have several purchases: name the session or subscription",
            ),
            Self::KeyTwice(line) => {
                write!(f, "line {line} gives the same key to another purchase")
            }
            Self::NotAtStripe => f.write_str("Stripe lists no paid purchase of this id"),
            Self::NotAtService => f.write_str("the license service lists no such key"),
            Self::Held => f.write_str("another purchase holds this key already"),
        }
    }
}

/// A table as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTable {
    /// The lines that say something.
    pub rows: Vec<TableRow>,
    /// The others, by number.
    pub bad: Vec<(u64, BadLine)>,
}

impl KeyTable {
    /// Notes a bad line.
    pub fn refuse(&mut self, line: u64, why: BadLine) {
        if self.bad.len() < BAD_LINES_MAX {
            self.bad.push((line, why));
        }
    }
}

/// A table of which nothing can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The header.
    #[error("the first line must name the columns `stripe_id` and `license_key`; `{0}` is missing")]
    Column(&'static str),
    /// No CSV at all.
    #[error("it cannot be read as CSV: {0}")]
    Unreadable(String),
}

/// Where each column stands.
struct Columns {
    id: usize,
    key: usize,
    email: Option<usize>,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Self, TableError> {
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_lowercase())
            .collect();
        let at = |wanted: &str| names.iter().position(|name| name == wanted);
        Ok(Self {
            id: at("stripe_id").ok_or(TableError::Column("stripe_id"))?,
            key: at("license_key").ok_or(TableError::Column("license_key"))?,
            email: at("email"),
        })
    }
}

/// Reads a table: a byte order mark, CRLF, quotes, blank lines and further columns are all the same to it.
///
/// # Errors
/// When it has no usable header.
pub fn read(bytes: &[u8]) -> Result<KeyTable, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader
        .byte_headers()
        .map_err(|e| TableError::Unreadable(e.to_string()))?;
    let columns = Columns::of(header)?;
    let (mut table, mut given) = (KeyTable::default(), BTreeMap::new());
    let mut record = csv::ByteRecord::new();
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
    };
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(table),
            Ok(true) => {
                let line = lines.at(record.position());
                match row(&record, &columns, line, &mut given) {
                    Ok(row) => table.rows.extend(row),
                    Err(why) => table.refuse(line, why),
                }
            }
            Err(error) => {
                let line = lines.at(error.position());
                table.refuse(line, BadLine::Unreadable(error.to_string()));
            }
        }
    }
}

/// Counts lines as an editor does: a record's own position is that of the line's end before it.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a record, which never lies before the last one that was asked for.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let begin = position.map_or(0, csv::Position::byte);
        let begin = usize::try_from(begin).unwrap_or(usize::MAX);
        let is_blank = |b: Option<&u8>| b.is_some_and(u8::is_ascii_whitespace);
        while self.at < self.bytes.len() && (self.at < begin || is_blank(self.bytes.get(self.at))) {
            self.line += u64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// One line; nothing for one that says again what an earlier one said.
fn row(
    record: &csv::ByteRecord,
    columns: &Columns,
    line: u64,
    given: &mut BTreeMap<String, (u64, String)>,
) -> Result<Option<TableRow>, BadLine> {
    let field = |at: usize| {
        let bytes = record.get(at).unwrap_or_default();
        let text = std::str::from_utf8(bytes)
            .map_err(|_| BadLine::Unreadable("it is not UTF-8".to_owned()))?;
        if text.len() > FIELD_LEN_MAX {
            return Err(BadLine::TooLong);
        }
        Ok(text.trim().to_owned())
    };
    let (stripe_id, key) = (field(columns.id)?, field(columns.key)?);
    let email = columns.email.map(field).transpose()?;
    let email = email.filter(|text| !text.is_empty());
    if stripe_id.is_empty() && email.is_none() {
        return Err(BadLine::NoId);
    }
    if key.is_empty() {
        return Err(BadLine::NoKey);
    }
    if stripe_id.starts_with("cus_") {
        return Err(BadLine::Customer);
    }
    match given.get(&key) {
        Some((_, id)) if *id == stripe_id => return Ok(None),
        Some((earlier, _)) => return Err(BadLine::KeyTwice(*earlier)),
        None => {}
    }
    given.insert(key.clone(), (line, stripe_id.clone()));
    Ok(Some(TableRow {
        line,
        stripe_id,
        key: LicenseKey::new(key),
        email,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, String, String)> {
        let table = read(text).unwrap();
        assert_eq!(table.bad, [], "{}", String::from_utf8_lossy(text));
        let row = |r: TableRow| (r.line, r.stripe_id, r.key.reveal().to_owned());
        table.rows.into_iter().map(row).collect()
    }

    #[test]
    fn columns_may_stand_in_any_order_and_quotes_marks_and_line_ends_do_not_matter() {
        let expected = [
            (2, "sub_1".to_owned(), "AAAA".to_owned()),
            (3, "cs_2".to_owned(), "BBBB".to_owned()),
        ];
        for text in [
            "stripe_id,license_key\nsub_1,AAAA\ncs_2,BBBB\n",
            "stripe_id,license_key\r\nsub_1,AAAA\r\ncs_2,BBBB\r\n",
            "\u{feff}\"License_Key\", Stripe_ID ,note\nAAAA,sub_1,\"a, \"\"b\"\"\"\n\"BBBB\",cs_2",
            "email,license_key,stripe_id\na@b.c,AAAA,sub_1\n,BBBB,cs_2\n",
        ] {
            assert_eq!(rows(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(rows(b"stripe_id,license_key\n"), []);
        let again = rows(b"stripe_id,license_key\nsub_1,AAAA\n\nsub_1,AAAA\n");
        assert_eq!(again.len(), 1);
    }

    #[test]
    fn every_bad_line_is_named_by_its_number() {
        let long = "x".repeat(300);
        let text = format!(
            "stripe_id,license_key,email\n,AAAA\nsub_1,\ncus_1,BBBB\nsub_2,CCCC\nsub_3,CCCC\n{long},DDDD\n,EEEE,a@b.c\n"
        );
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"sub_\xff,FFFF\n");
        let table = read(&bytes).unwrap();
        let expected = [
            (2, BadLine::NoId),
            (3, BadLine::NoKey),
            (4, BadLine::Customer),
            (6, BadLine::KeyTwice(5)),
            (7, BadLine::TooLong),
            (9, BadLine::Unreadable("it is not UTF-8".to_owned())),
        ];
        assert_eq!(table.bad, expected);
        assert_eq!(table.rows.len(), 2);
    }

    #[test]
    fn without_its_columns_it_is_no_table() {
        for (text, missing) in [
            ("", "stripe_id"),
            ("sub_1,AAAA\n", "stripe_id"),
            ("stripe_id;license_key\n", "stripe_id"),
            ("stripe_id,key\n", "license_key"),
        ] {
            assert_eq!(
                read(text.as_bytes()),
                Err(TableError::Column(missing)),
                "{text}"
            );
        }
    }
}
