//! What a spreadsheet puts around a table: a byte order mark, UTF-16, a first line that names the separator.

use std::borrow::Cow;

use super::TableError;

/// The table as plain text. A line that only names the separator is left blank, so that lines keep their numbers.
pub(super) fn plain(bytes: &[u8]) -> Result<Cow<'_, [u8]>, TableError> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2);
        let whole = pairs.remainder().is_empty();
        let text = String::from_utf16(&pairs.map(|p| unit([p[0], p[1]])).collect::<Vec<_>>());
        let text = text.ok().filter(|_| whole);
        text.ok_or_else(|| TableError::Unreadable("it begins as UTF-16 and is none".to_owned()))
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(units(rest, u16::from_le_bytes)?.into_bytes()),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(units(rest, u16::from_be_bytes)?.into_bytes()),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        _ => Cow::Borrowed(bytes),
    };
    let is_hint = text.len() > 4 && text[..4].eq_ignore_ascii_case(b"sep=");
    let ends = text.iter().position(|b| *b == b'\n' || *b == b'\r');
    Ok(match ends.filter(|_| is_hint) {
        Some(ends) => Cow::Owned(text[ends..].to_vec()),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(unit)
            .collect()
    }

    #[test]
    fn a_spreadsheet_s_table_is_read_line_by_line_as_it_is() {
        let text = "stripe_id\tlicense_key\r\nsub_1\tAAAA\r\nsub_2\t\r\n";
        let with_hint = format!("sep=;\r\n{}", text.replace('\t', ";"));
        let mut all = vec![text.as_bytes().to_vec(), with_hint.into_bytes()];
        all.extend([u16::to_le_bytes, u16::to_be_bytes].map(|unit| utf16(text, unit)));
        for (n, bytes) in all.iter().enumerate() {
            let table = read(bytes).unwrap();
            let row = &table.rows[0];
            assert_eq!(
                (row.stripe_id.as_str(), row.key.reveal()),
                ("sub_1", "AAAA")
            );
            let line = if n == 1 { 4 } else { 3 };
            assert_eq!((row.line, table.bad[0].0), (line - 1, line), "table {n}");
        }
        let mut odd = utf16(text, u16::to_le_bytes);
        odd.push(b'x');
        assert!(matches!(read(&odd), Err(TableError::Unreadable(_))));
    }
}
