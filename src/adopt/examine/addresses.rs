//! E-mail addresses among the words of a label.

/// Every address in a text, in lower case: each sign of one with what may stand before and behind it.
pub(super) fn addresses_in(text: &str) -> impl Iterator<Item = String> {
    text.match_indices('@').filter_map(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + 1..]);
        let local = before.rfind(|c| !is_local(c)).map_or(before, |end| {
            let rest = &before[end..];
            rest.trim_start_matches(|c| !is_local(c))
        });
        let domain = behind.find(|c| !is_domain(c));
        let domain = domain.map_or(behind, |end| &behind[..end]);
        // A quote before an address, and a full stop behind it, are none of its own.
        let local = local.trim_start_matches(['\'', '.']);
        let domain = domain.trim_end_matches(['.', '-']);
        let is_one = !local.is_empty() && !domain.is_empty();
        is_one.then(|| format!("{local}@{domain}").to_lowercase())
    })
}

/// Whether it stands in the local part of addresses that are in use. `=`, `/` and `|` may by the letter of the standard;
/// in a label they part words, as in `mail=ada@example.com`.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-.?^_`{}~".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '.'
}

#[cfg(test)]
mod tests {
    use super::addresses_in;

    #[test]
    fn an_address_is_found_among_words() {
        for (text, addresses) in [
            ("ada@example.com", &["ada@example.com"][..]),
            ("Order by Ada@Example.com", &["ada@example.com"]),
            ("Pro (ada@example.com)", &["ada@example.com"]),
            ("Ada <ada@example.com>, pro", &["ada@example.com"]),
            ("'ada@example.com'.", &["ada@example.com"]),
            ("o'hara@example.com.", &["o'hara@example.com"]),
            ("mail=a.b+c@example.co.uk;x", &["a.b+c@example.co.uk"]),
            (
                "ada@example.com/bob@example.com",
                &["ada@example.com", "bob@example.com"],
            ),
            ("für jörg@bücher.example", &["jörg@bücher.example"]),
            ("3 seats @ 20", &[]),
            ("@ada, a@", &[]),
            ("", &[]),
        ] {
            let found: Vec<String> = addresses_in(text).collect();
            assert_eq!(found, addresses, "{text}");
        }
    }

    /// Another's address that ends, or begins, like it.
    #[test]
    fn an_address_is_found_whole() {
        for text in [
            "x.ada@example.com",
            "xada@example.com",
            "ada@example.com.au",
        ] {
            let found: Vec<String> = addresses_in(text).collect();
            assert_eq!(found, [text]);
        }
    }
}
