//! Quotes that open and do not close: to a reader of CSV the rest of the file is one field.

/// A text without the records in which a quote opens and does not close. Their line ends stay, so that every line keeps its
/// number.
pub(super) struct Closed {
    /// The rest.
    pub(super) bytes: Vec<u8>,
    /// The lines on which such a quote opens.
    pub(super) unclosed: Vec<u64>,
}

/// Leaves out what cannot be meant: a quote opens where a field begins, and closes where one ends. Where the next one stands
/// in the midst of a field, it opens one itself, or nobody meant it: the line is left out, and the next one is read.
pub(super) fn closed(bytes: &[u8], separator: u8) -> Closed {
    let (mut out, mut unclosed) = (Vec::with_capacity(bytes.len()), Vec::new());
    let (mut at, mut line, mut record) = (0, 1, 0);
    let mut begins = true;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' && begins {
            let field = quoted(&bytes[at..], separator);
            let len = field.unwrap_or_else(|| rest_of_line(&bytes[at..]));
            let field_bytes = &bytes[at..at + len];
            if field.is_some() {
                out.extend_from_slice(field_bytes);
            } else {
                unclosed.push(line);
                let ends = lines(&out[record..]);
                out.truncate(record);
                out.resize(record + ends, b'\n');
            }
            (at, line, begins) = (at + len, line + lines(field_bytes) as u64, false);
            continue;
        }
        out.push(*byte);
        (at, line) = (at + 1, line + u64::from(*byte == b'\n'));
        begins = *byte == separator || matches!(byte, b'\n' | b'\r');
        if *byte == b'\n' {
            record = out.len();
        }
    }
    Closed {
        bytes: out,
        unclosed,
    }
}

/// The length of a field in quotes; `None`: it does not close.
fn quoted(bytes: &[u8], separator: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b'"')? + 1;
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            continue;
        }
        let is_blank = |b: &&u8| matches!(b, b' ' | b'\t') && **b != separator;
        let blanks = bytes[at..].iter().take_while(is_blank).count();
        let next = bytes.get(at + blanks);
        let ends = next.is_none_or(|b| *b == separator || matches!(b, b'\n' | b'\r'));
        return ends.then_some(at);
    }
}

fn rest_of_line(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|b| *b == b'\n');
    end.unwrap_or(bytes.len())
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_does_not_close_costs_its_own_record_alone() {
        for (text, left, unclosed) in [
            ("a,\"b\"\nc", "a,\"b\"\nc", &[][..]),
            ("a,\"b\"\"c\n,\"\nd", "a,\"b\"\"c\n,\"\nd", &[]),
            ("a,b\"\nc,5\"\n", "a,b\"\nc,5\"\n", &[]),
            ("a,\"b\" ,c\n", "a,\"b\" ,c\n", &[]),
            ("a,\"b\nc,d\ne,f\n", "\nc,d\ne,f\n", &[1]),
            ("a,\"b\nc,\"d\"\ne,f", "\nc,\"d\"\ne,f", &[1]),
            ("a,\"b\n\"c\",d\n", "\n\"c\",d\n", &[1]),
            ("\"x\ny\",\"b\nc,d\n", "\n\nc,d\n", &[2]),
            ("a\n\"", "a\n", &[2]),
            ("\"\"\"", "", &[1]),
        ] {
            let is = closed(text.as_bytes(), b',');
            let bytes = String::from_utf8(is.bytes).unwrap();
            assert_eq!(
                (bytes.as_str(), &is.unclosed[..]),
                (left, unclosed),
                "{text:?}"
            );
        }
    }
}
