//! Who may import whom. Imports point one way; a new module fails here until somebody says what it may know.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{code, files_ending};

/// Each module and those that it may know.
const MAY_IMPORT: [(&str, &str); 16] = [
    ("domain", ""),
    ("store", ""),
    ("secret", ""),
    ("measure", ""),
    ("clock", "domain"),
    ("config", "domain secret"),
    ("engine", "domain store clock"),
    ("sources", "domain secret engine"),
    (
        "effects",
        "domain engine sources config secret clock measure",
    ),
    ("embedded", "domain store clock secret"),
    ("scheduler", "domain engine config clock"),
    (
        "http",
        "domain engine sources config secret clock measure embedded",
    ),
    ("sim", "domain store engine sources effects clock"),
    ("admin", "domain store engine effects sim clock"),
    // Put the modules together, so they know them; the server does not know who puts it to use.
    (
        "server",
        "domain store secret clock config engine sources effects embedded scheduler http",
    ),
    (
        "cli",
        "domain store secret clock config engine sources effects embedded scheduler http sim server admin",
    ),
];

/// What the rules must not know, so that the same facts mean the same for ever and everywhere.
const NOT_IN_DOMAIN: [&str; 15] = [
    "tokio",
    "sled",
    "axum",
    "reqwest",
    "rand",
    "tracing",
    "lettre",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::io",
];

/// The module that a file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(file: &str) -> Option<&str> {
    let module = file.strip_prefix("src/")?.split('/').next()?;
    let module = module.strip_suffix(".rs").unwrap_or(module);
    (module != "lib" && module != "main").then_some(module)
}

/// Every path in a file that begins with one of the heads, groups spelled out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(source: &str, head: &str) -> BTreeSet<String> {
    let code = code(source).join(" ");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(head) {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
            spell_out("", &code[at..], &mut found);
        }
    }
    found
}

/// Reads one path at the beginning of a text, and returns what follows it.
fn spell_out<'a>(before: &str, text: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let text = text.trim_start();
    let Some(mut group) = text.strip_prefix('{') else {
        let end = text
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        let path = format!("{before}{}", &text[..end]);
        return match text[end..].strip_prefix("::") {
            Some(rest) => spell_out(&format!("{path}::"), rest, found),
            None => {
                found.insert(path);
                &text[end..]
            }
        };
    };
    loop {
        group = spell_out(before, group, found);
        let Some(end) = group.find([',', '}']) else {
            return "";
        };
        let last = group[end..].starts_with('}');
        group = &group[end + 1..];
        if last {
            return group;
        }
    }
}

#[test]
fn imports_point_one_way() {
    let modules: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    let (files, mut wrong, mut seen) = (files_ending("src", ".rs"), Vec::new(), BTreeSet::new());
    for (file, source) in &files {
        let Some(module) = module_of(file).map(str::to_owned) else {
            continue;
        };
        let Some(may) = modules.get(module.as_str()) else {
            panic!(
                "{file}: the module `{module}` is not in the table of tests/it/repo/architecture.rs: say what it may import"
            );
        };
        for path in paths(source, "crate::") {
            let other = path.split("::").nth(1).unwrap_or_default();
            if other != module && !may.split(' ').any(|m| m == other) {
                wrong.push(format!("{file}: {path}"));
            }
        }
        // `super::` past the module's own door would be a way around the table.
        for path in paths(source, "super::") {
            let other = path
                .split("::")
                .find(|part| *part != "super")
                .unwrap_or_default();
            let own = format!("src/{module}/");
            let is_own = files.iter().any(|(f, _)| {
                f.strip_prefix(&own).is_some_and(|f| {
                    f.split('/')
                        .any(|part| part.trim_end_matches(".rs") == other)
                })
            });
            if modules.contains_key(other) && !may.split(' ').any(|m| m == other) && !is_own {
                wrong.push(format!("{file}: {path}"));
            }
        }
        seen.insert(module);
    }
    assert!(
        wrong.is_empty(),
        "imports that the table does not allow:\n{}",
        wrong.join("\n")
    );
    let gone: Vec<_> = modules
        .keys()
        .filter(|module| !seen.contains(**module))
        .collect();
    assert!(
        gone.is_empty(),
        "modules of the table that do not exist: {gone:?}"
    );
}

#[test]
fn the_rules_know_nothing_of_the_world() {
    let mut wrong = Vec::new();
    for (file, source) in files_ending("src/domain", ".rs") {
        for banned in NOT_IN_DOMAIN {
            let head = banned.split("::").next().unwrap_or_default();
            let used = paths(&source, &format!("{head}::"));
            wrong.extend(
                used.iter()
                    .filter(|p| {
                        p.strip_prefix(banned)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                    })
                    .map(|path| format!("{file}: {path}")),
            );
        }
    }
    assert!(wrong.is_empty(), "not in domain/:\n{}", wrong.join("\n"));
}

#[test]
fn groups_are_spelled_out() {
    let found = paths(
        "use crate::{a, b::{c, d as e}, f}; mycrate::g; // crate::h\n",
        "crate::",
    );
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["crate::a", "crate::b::c", "crate::b::d", "crate::f"]
    );
}
