//! The repository as text: its files, and Rust code without what is not code.

use std::path::Path;

/// Folders that are not the repository's: built, installed, or made by running it.
const NOT_OURS: [&str; 6] = [
    ".git",
    ".venv",
    "__pycache__",
    "keyward-data",
    "node_modules",
    "target",
];

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below a folder: its path from the repository's root, with `/`, and its text; sorted.
pub(crate) fn files(below: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(below)]);
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        {
            let path = entry.unwrap().path();
            if NOT_OURS.contains(&path.file_name().unwrap().to_str().unwrap()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && ![".snap.new", ".pending-snap"]
                    .iter()
                    .any(|end| name_of(&path).ends_with(end))
            {
                found.push((name_of(&path), text));
            }
        }
    }
    found.sort();
    found
}

/// Those of [`files`] that end so.
pub(crate) fn files_ending(below: &str, end: &str) -> Vec<(String, String)> {
    files(below)
        .into_iter()
        .filter(|(name, _)| name.ends_with(end))
        .collect()
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// Rust code line by line, without its comments and with its texts emptied.
pub(crate) fn code(source: &str) -> Vec<String> {
    let (mut lines, mut line, mut rest) = (Vec::new(), String::new(), source);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(end) = raw_text(rest) {
            end
        } else if c == '"' {
            text(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').unwrap() + 2
        } else {
            if c == '\n' {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(c);
            }
            rest = &rest[c.len_utf8()..];
            continue;
        };
        // A text of several lines keeps them, so that line numbers hold.
        for _ in rest[..skipped].matches('\n') {
            lines.push(std::mem::take(&mut line));
        }
        rest = &rest[skipped..];
    }
    lines.push(line);
    lines
}

/// The length of a plain text at the beginning.
fn text(source: &str) -> usize {
    let mut escaped = false;
    let end = source.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(source.len(), |(at, _)| at + 1)
}

/// The length of a raw text at the beginning, if there is one.
fn raw_text(source: &str) -> Option<usize> {
    let after = source.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    Some(
        source[start..]
            .find(&close)
            .map_or(source.len(), |at| start + at + close.len()),
    )
}

#[test]
fn code_is_told_from_what_is_not() {
    let source = "a(\"x // \\\" y\"); // b\nr#\"c\n\"d\"#; for e in '\"' {}\n";
    assert_eq!(code(source), ["a(); ", "", "; for e in  {}", ""]);
}
