//! The vendor's own table of purchases and keys: CSV with a header, columns in any order, separated by commas, semicolons or tabs.

mod encoding;
mod header;
mod quotes;

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::id::LicenseKey;
use encoding::plain;
use header::{Columns, separator_of};
use quotes::closed;

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
    /// Why the sources that were asked so far have no use for it: another one may.
    pub unused: Option<BadLine>,
}

/// What is wrong with a line, or with what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// It is no CSV.
    Unreadable(String),
    /// A quote opens on it and does not close.
    Unclosed,
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
    /// Stripe lists the purchase, and it is not paid.
    NotPaid,
    /// The license service does not list the key.
    NotAtService,
    /// Another purchase holds the key already.
    Held,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::Unclosed => f.write_str("a quote opens on it and does not close"),
            Self::NoId => f.write_str("it names no purchase: `stripe_id` is empty"),
            Self::NoKey => f.write_str("it names no key: `license_key` is empty"),
            Self::TooLong => write!(f, "a field is longer than {FIELD_LEN_MAX} bytes"),
            Self::Customer => f.write_str(
                "it names a customer, who may have several purchases: name the session or subscription",
            ),
            Self::KeyTwice(line) => {
                write!(f, "line {line} gives the same key to another id")
            }
            Self::NotAtStripe => f.write_str("Stripe lists no paid purchase of this id"),
            Self::NotPaid => f.write_str("Stripe lists the purchase, and it is not paid"),
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
    /// The others, by number: the first of them.
    pub bad: Vec<(u64, BadLine)>,
    /// How many further ones there are.
    pub more_bad: usize,
    /// How many lines there are, the header and blank ones aside.
    pub lines: usize,
}

impl KeyTable {
    /// Notes a bad line.
    pub fn refuse(&mut self, line: u64, why: BadLine) {
        if self.bad.len() < BAD_LINES_MAX {
            self.bad.push((line, why));
        } else {
            self.more_bad += 1;
        }
    }

    /// Refuses the lines for which no source had a use. After that every bad line is known.
    pub fn close(&mut self) {
        for row in std::mem::take(&mut self.rows) {
            if let Some(why) = row.unused {
                self.refuse(row.line, why);
            }
        }
    }

    /// How many lines cannot be used, as far as is known.
    #[must_use]
    pub fn bad_lines(&self) -> usize {
        self.bad.len() + self.more_bad
    }
}

/// A table of which nothing can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The header.
    #[error("the first line must name the columns `stripe_id` and `license_key`; `{0}` is missing")]
    Column(&'static str),
    /// The header names a column twice: which one is meant cannot be known.
    #[error("the first line names `{name}` twice, as column {first} and as column {second}")]
    Doubled {
        /// The column.
        name: &'static str,
        /// Where it stands first, from 1.
        first: usize,
        /// Where it stands again.
        second: usize,
    },
    /// No CSV at all.
    #[error("it cannot be read as CSV: {0}")]
    Unreadable(String),
}

/// Reads a table: a byte order mark, UTF-16, CRLF, quotes, blank lines, further columns, semicolons or tabs between them and a
/// spreadsheet's `sep=;` before the header are all the same to it.
///
/// # Errors
/// When it has no usable header.
pub fn read(bytes: &[u8]) -> Result<KeyTable, TableError> {
    let bytes = &plain(bytes)?[..];
    let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let header = bytes[blank..].split(|b| *b == b'\n').next();
    let separator = separator_of(&String::from_utf8_lossy(header.unwrap_or_default()));
    let closed = closed(bytes, separator);
    let bytes = &closed.bytes[..];
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader
        .byte_headers()
        .map_err(|e| TableError::Unreadable(e.to_string()))?;
    let columns = Columns::of(header)?;
    let (mut table, mut given) = (KeyTable::default(), BTreeMap::new());
    for line in closed.unclosed {
        table.lines += 1;
        table.refuse(line, BadLine::Unclosed);
    }
    let mut record = csv::ByteRecord::new();
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
    };
    loop {
        let read = reader.read_byte_record(&mut record);
        table.lines += usize::from(!matches!(read, Ok(false)));
        match read {
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
    // A purchase may be named as every list here names it: `stripe/sub_123`.
    let stripe_id = stripe_id.rsplit('/').next().unwrap_or_default().to_owned();
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
        unused: None,
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
            "stripe_id;license_key;\"note, of ours\"\nsub_1;AAAA;\"a;b\"\ncs_2;BBBB;c,d\n",
            "\"license_key\"\t\"stripe_id\"\r\nAAAA\tsub_1\r\nBBBB\tcs_2\r\n",
            "stripe_id,license_key\nstripe/sub_1,AAAA\nstripe/acct_1/cs_2,BBBB\n",
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
            ("stripe_id|license_key\n", "stripe_id"),
            ("stripe_id;key\n", "license_key"),
            ("stripe_id,key\n", "license_key"),
        ] {
            assert_eq!(
                read(text.as_bytes()),
                Err(TableError::Column(missing)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_quote_that_does_not_close_swallows_nothing_but_its_line() {
        for (text, line, left) in [
            (
                "stripe_id,license_key\nsub_1,\"AAAA\nsub_2,BBBB\nsub_3,CCCC\n",
                2,
                [3, 4],
            ),
            (
                "stripe_id,license_key\nsub_1,AAAA\nsub_2,\"BBBB\nsub_3,\"CCCC\"\n",
                3,
                [2, 4],
            ),
        ] {
            let table = read(text.as_bytes()).unwrap();
            assert_eq!(table.bad, [(line, BadLine::Unclosed)]);
            let lines: Vec<u64> = table.rows.iter().map(|r| r.line).collect();
            assert_eq!(lines, left);
        }
    }

    #[test]
    fn a_column_that_is_named_twice_is_refused_with_both_places() {
        let refused = read(b"stripe_id,license_key,note,License_Key\nsub_1,AAAA,,BBBB\n");
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the first line names `license_key` twice, as column 2 and as column 4"
        );
        assert_eq!(
            rows(b"note,stripe_id,license_key,note\n,sub_1,AAAA,\n").len(),
            1
        );
    }

    #[test]
    fn bad_lines_that_are_not_kept_are_counted() {
        let mut text = "stripe_id,license_key\n".to_owned();
        text.extend((0..1_003).map(|_| "sub_1,\n"));
        let table = read(text.as_bytes()).unwrap();
        assert_eq!((table.bad.len(), table.bad_lines()), (1_000, 1_003));
    }
}
