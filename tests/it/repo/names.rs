//! A type's name says what it is: one that many modules define says nothing where it is imported bare.

use std::collections::BTreeMap;

use super::files::{code, files_ending};

/// In how many files of the source a type of one name may be defined.
const DEFINED_IN_MAX: usize = 2;

/// The name of the type that a line of code defines.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub(") {
        Some(seen_in) => seen_in.split_once(')')?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    let mut words = line.trim_start().split([' ', '<', '(', ';', ':']);
    let (kind, name) = (words.next()?, words.next()?);
    (["struct", "enum", "trait", "type", "union"].contains(&kind)).then_some(name)
}

#[test]
fn no_type_name_stands_in_more_than_two_files() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in files_ending("src", ".rs") {
        let code = code(&text);
        // An associated type's name is its trait's.
        let lines = code
            .iter()
            .filter(|l| !l.trim_start().starts_with("type ") || !l.starts_with(' '));
        let mut names: Vec<&str> = lines.filter_map(|l| defined(l)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            found.entry(name.to_owned()).or_default().push(file.clone());
        }
    }
    assert!(found.len() > 300, "types are found: {}", found.len());
    let wrong: Vec<String> = found
        .iter()
        .filter(|(_, files)| files.len() > DEFINED_IN_MAX)
        .map(|(name, files)| format!("{name}: {}", files.join(" ")))
        .collect();
    assert!(
        wrong.is_empty(),
        "names that say too little; put what it belongs to in front:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn definitions_are_told_from_uses() {
    assert_eq!(defined("pub(crate) struct Grant {"), Some("Grant"));
    assert_eq!(defined("pub enum State<T> {"), Some("State"));
    assert_eq!(defined("pub(in crate::engine) struct Seen;"), Some("Seen"));
    assert_eq!(defined("    type Item = u8;"), Some("Item"));
    assert_eq!(defined("let structure = 1;"), None);
}
