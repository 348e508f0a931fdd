//! What slips in unseen: forgotten files, functions and files that creep, exceptions without a reason, and what belongs
//! to one person's machine. Needles are written in two halves, so that this file does not find itself.

use std::collections::BTreeSet;

use super::files::{code, files, files_ending, root};

/// A function is read in one look.
const FUNCTION_LINES_MAX: usize = 70;
/// A file has one subject.
const FILE_LINES_MAX: usize = 400;

/// Texts that look like secrets and are none.
const NO_SECRETS: [(&str, &str); 2] = [
    (
        "tests/smtp/tls/localhost.key",
        "made for the test mail server; nobody else trusts it",
    ),
    (
        "benches/side_by_side/purchase.rs",
        "signs the bench's own load",
    ),
];

fn none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

/// All Rust files, each with its code.
fn rust() -> Vec<(String, String, Vec<String>)> {
    files_ending(".", ".rs")
        .into_iter()
        .map(|(file, text)| {
            let code = code(&text);
            (file, text, code)
        })
        .collect()
}

#[test]
fn functions_are_short_or_say_why_not() {
    let mut wrong = Vec::new();
    for (file, _, code) in rust() {
        let excused = code
            .iter()
            .any(|l| l.starts_with("#![") && l.contains("too_many_lines"));
        for (at, line) in code.iter().enumerate().filter(|_| !excused) {
            let indent = line.len() - line.trim_start().len();
            // `fn name`, not a pointer's `fn(`.
            let named = |head: &str| head.contains("fn ") && head.split(' ').any(|w| w == "fn");
            if !line
                .trim_start()
                .split(['(', '<'])
                .next()
                .is_some_and(named)
            {
                continue;
            }
            // rustfmt closes a function where its line began.
            let close = format!("{}}}", " ".repeat(indent));
            let body = code[at..]
                .iter()
                .take_while(|l| **l != close && !(l.ends_with(';') && l.contains(" fn ")));
            let lines = body
                .filter(|l| !l.trim().is_empty())
                .count()
                .saturating_sub(1);
            // Comments are blank here, and an attribute may go on over several lines.
            let attributes = code[..at]
                .iter()
                .rev()
                .take_while(|l| !l.trim().is_empty() && !l.trim_end().ends_with(['}', ';', '{']));
            if lines > FUNCTION_LINES_MAX
                && !attributes.into_iter().any(|l| l.contains("too_many_lines"))
            {
                wrong.push(format!("{file}:{}: {lines} lines", at + 1));
            }
        }
    }
    none(
        &wrong,
        "functions over 70 lines; only a flat table may be, with `#[expect(clippy::too_many_lines, reason = …)]`",
    );
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for end in [".rs", ".py", ".mjs"] {
        for (file, text) in files_ending(".", end) {
            let lines = text.lines().count();
            if lines > FILE_LINES_MAX {
                wrong.push(format!("{file}: {lines} lines"));
            }
        }
    }
    none(&wrong, "files that should be split by subject");
}

#[test]
fn no_rust_file_is_forgotten() {
    let all: BTreeSet<String> = files_ending(".", ".rs")
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    let mut wrong = Vec::new();
    for file in &all {
        let module = file
            .strip_suffix("/mod.rs")
            .or(file.strip_suffix(".rs"))
            .unwrap_or(file);
        let (folder, name) = module.rsplit_once('/').unwrap_or_default();
        if ["lib", "main"].contains(&name) || file.starts_with("benches/") && !folder.contains('/')
        {
            continue;
        }
        let parents = ["/lib.rs", "/main.rs", "/mod.rs", ".rs"].map(|end| format!("{folder}{end}"));
        let named = parents.iter().filter(|p| all.contains(*p)).any(|parent| {
            let text = std::fs::read_to_string(root().join(parent)).unwrap();
            code(&text).iter().any(|l| {
                l.split(' ').skip_while(|w| *w != "mod").nth(1) == Some(&format!("{name};"))
            })
        });
        if !named {
            wrong.push(format!("{file}: no `mod {name};` names it"));
        }
    }
    none(&wrong, "files that nobody compiles");
}

#[test]
fn no_fixture_is_forgotten() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root().join("fixtures/histories")).unwrap() {
        let folder = entry.unwrap().path();
        let missing = [
            "about.txt",
            "expect.jsonl",
            "history.jsonl",
            "timeline.snap",
        ]
        .into_iter()
        .filter(|f| !folder.join(f).exists());
        wrong.extend(
            missing
                .filter(|_| folder.is_dir())
                .map(|f| format!("{}: no {f}", folder.display())),
        );
    }
    for (file, text) in files_ending("fixtures/config", ".toml") {
        let snap = file.replace(".toml", ".snap");
        if !root().join(&snap).exists() || text.is_empty() {
            wrong.push(format!("{file}: nothing says what is said about it"));
        }
    }
    for (file, text) in files_ending(".", ".snap") {
        let source = text.lines().find_map(|l| l.strip_prefix("source: "));
        if source.is_some_and(|source| !root().join(source).exists()) {
            wrong.push(format!("{file}: its test is gone"));
        }
    }
    none(&wrong, "fixtures without their other half");
}

#[test]
fn every_exception_has_its_reason() {
    let mut wrong = Vec::new();
    for (file, _, code) in rust() {
        for (at, line) in code.iter().enumerate() {
            let mut tell = |what: &str| wrong.push(format!("{file}:{}: {what}", at + 1));
            if line.contains("todo!") || line.contains("unimplemented!") {
                tell("not written yet");
            }
            if line.contains("#[ignore]") {
                tell("`#[ignore]` without a reason");
            }
            let allows = ["#[allow(", "#![allow(", "#[expect(", "#![expect("]
                .iter()
                .any(|a| line.contains(a));
            // The attribute may go on over several lines.
            let attribute = code[at..]
                .iter()
                .take(8)
                .map_while(|l| (l != ")]").then_some(l.as_str()));
            let first_only = if line.contains(")]") { 1 } else { 8 };
            if allows && !attribute.take(first_only).any(|l| l.contains("reason = ")) {
                tell("an exception to a lint without a reason");
            }
        }
    }
    none(&wrong, "exceptions without a reason");
}

#[test]
fn nothing_belongs_to_one_machine() {
    let homes = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
    ];
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut wrong = Vec::new();
    for (file, text) in files(".") {
        for (at, line) in text.lines().enumerate() {
            let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if homes.iter().any(|home| line.contains(home)) {
                wrong.push(format!("{file}:{}: a path of one machine", at + 1));
            }
            if ["<<<<<<< ", ">>>>>>> "]
                .iter()
                .any(|mark| line.starts_with(mark))
            {
                wrong.push(format!("{file}:{}: half a merge", at + 1));
            }
            if words().any(|word| notes.contains(&word)) {
                wrong.push(format!(
                    "{file}:{}: a note to oneself; open an issue",
                    at + 1
                ));
            }
            if !file.starts_with("fixtures/")
                && !NO_SECRETS.iter().any(|(name, _)| *name == file)
                && (words().any(looks_secret) || line.contains(concat!("PRIVATE", " KEY-----")))
            {
                wrong.push(format!("{file}:{}: looks like a secret", at + 1));
            }
        }
    }
    none(&wrong, "not for a repository");
}

/// A key of Stripe's, of AuthForge's, or a signing secret, of the length that real ones have.
fn looks_secret(word: &str) -> bool {
    let prefixes = [
        "sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_", "af_live_",
    ];
    let rest = prefixes.iter().find_map(|prefix| word.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.len() >= 24 && rest.chars().all(char::is_alphanumeric))
}

#[test]
fn lock_files_name_no_mirror() {
    let mut wrong = Vec::new();
    for (file, text) in files(".") {
        let name = file.rsplit('/').next().unwrap_or_default();
        let bad: &[&str] = match name {
            "package-lock.json" => &["\"resolved\""],
            ".npmrc" | "pip.conf" => &["registry=", "index-url"],
            "config.toml" if file.contains(".cargo/") => &["registry", "replace-with"],
            _ => continue,
        };
        wrong.extend(
            bad.iter()
                .filter(|b| text.contains(*b))
                .map(|b| format!("{file}: {b}")),
        );
    }
    none(
        &wrong,
        "a registry's address in a lock file or setting; whoever installs has their own",
    );
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    for (file, text) in files_ending(".", ".md") {
        let folder = root().join(&file).parent().unwrap().to_owned();
        for (at, line) in text.lines().enumerate() {
            let links = line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = if path.is_empty() {
                    root().join(&file)
                } else {
                    folder.join(path)
                };
                let found = target.is_dir() && anchor.is_empty()
                    || std::fs::read_to_string(&target)
                        .is_ok_and(|t| anchor.is_empty() || has_heading(&t, anchor));
                if !found {
                    wrong.push(format!("{file}:{}: {link}", at + 1));
                }
            }
            // A file of ours that is named in the text must be there too.
            let named = line
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|name| !name.contains(['<', '*', '{', ' ', '…', ':']));
            let ours = ["src/", "docs/", "tests/", "fixtures/", "benches/", ".ci/"];
            let gone = named.filter(|name| {
                ours.iter().any(|o| name.starts_with(o)) && !root().join(name).exists()
            });
            wrong.extend(gone.map(|name| format!("{file}:{}: `{name}` is not there", at + 1)));
        }
    }
    none(&wrong, "links that lead nowhere");
}

/// Whether a page has a heading that an anchor means, in the manner of GitHub.
fn has_heading(page: &str, anchor: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    page.lines()
        .filter(|l| l.starts_with('#'))
        .any(|heading| slug(heading) == anchor)
}
