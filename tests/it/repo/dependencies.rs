//! What Keyward is built from: where it comes from, and under which licence. Nothing is fetched here.

use std::process::Command;

use serde_json::Value;

use super::files::{files, root};

/// Licences that may be part of Keyward: all permissive.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that must not come in by a default feature of another one.
const REFUSED: [(&str, &str); 5] = [
    (
        "aws-lc-rs",
        "a second crypto provider: rustls panics at the first connection; ring is ours",
    ),
    ("aws-lc-sys", "as aws-lc-rs"),
    (
        "openssl",
        "rustls speaks TLS here; a system library would bind the binary to a machine",
    ),
    ("openssl-sys", "as openssl"),
    ("native-tls", "as openssl"),
];

/// Whether a licence expression can be satisfied with allowed licences alone.
fn is_allowed(expression: &str) -> bool {
    // Old manifests write `/` for OR. AND binds tighter.
    let expression = expression.replace('/', " OR ");
    split_outside(&expression, " OR ").iter().any(|choice| {
        split_outside(choice, " AND ").iter().all(|part| {
            let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
            match part.strip_prefix('(').and_then(|p| p.strip_suffix(')')) {
                Some(inner) => is_allowed(inner),
                None => ALLOWED.contains(&part.as_str()),
            }
        })
    })
}

/// Splits at a word, but not inside parentheses.
fn split_outside(text: &str, word: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_i32);
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 && text[at..].starts_with(word) {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    // What is left of the word itself stands at the beginning of each further part.
    let rest = word.len() - 1;
    parts
        .iter()
        .enumerate()
        .map(|(n, p)| p.chars().skip(if n == 0 { 0 } else { rest }).collect())
        .collect()
}

#[test]
fn expressions_are_read() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "LGPL-2.1-or-later OR MIT",
        "Apache-2.0 / MIT",
    ] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT AND GPL-3.0) OR LGPL-3.0",
        "",
        "MIT WITH x",
        "BSD-3-Clause AND (GPL-2.0)",
    ] {
        assert!(!is_allowed(bad), "{bad}");
    }
}

/// `cargo metadata`, of every platform; or of this one, where the others' crates were never fetched (`cargo fetch`).
fn metadata() -> Value {
    let ask = |more: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(more);
        cargo.current_dir(root()).output().unwrap()
    };
    let mut said = ask(&[]);
    if !said.status.success() {
        let rustc = Command::new("rustc").arg("-vV").output().unwrap();
        let version = String::from_utf8(rustc.stdout).unwrap();
        let host = version
            .lines()
            .find_map(|l| l.strip_prefix("host: "))
            .unwrap();
        eprintln!(
            "NOT CHECKED: licences of crates that only other platforms need; `cargo fetch --locked` gets them"
        );
        said = ask(&["--filter-platform", host]);
    }
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn crates_are_of_known_origin_and_licence() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = format!(
            "{} {}",
            package["name"].as_str().unwrap(),
            package["version"].as_str().unwrap()
        );
        let source = package["source"].as_str();
        if source.is_some_and(|s| s != CRATES_IO)
            || source.is_none() && package["name"] != "keyward"
        {
            wrong.push(format!("{name}: comes from {source:?}"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence) {
            wrong.push(format!("{name}: licence `{licence}`"));
        }
    }
    assert!(
        wrong.is_empty(),
        "crates that cannot be part of Keyward:\n{}",
        wrong.join("\n")
    );
}

/// The lock file knows every platform's crates, fetched or not.
#[test]
fn locked_crates_come_from_one_place_and_are_no_refused_ones() {
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock"))
        .unwrap()
        .parse()
        .unwrap();
    let mut wrong = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let source = package.get("source").and_then(toml::Value::as_str);
        if name != "keyward" && (source != Some(CRATES_IO) || package.get("checksum").is_none()) {
            wrong.push(format!("{name}: comes from {source:?}"));
        }
        wrong.extend(
            REFUSED
                .iter()
                .filter(|(n, _)| *n == name)
                .map(|(n, why)| format!("{n}: {why}")),
        );
    }
    assert!(wrong.is_empty(), "in Cargo.lock:\n{}", wrong.join("\n"));
}

#[test]
fn features_that_would_break_something_are_off() {
    let metadata = metadata();
    let features = |name: &str| -> Vec<String> {
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let of_name = nodes
            .iter()
            .filter(|n| n["id"].as_str().unwrap().contains(&format!("#{name}@")));
        of_name
            .flat_map(|n| n["features"].as_array().unwrap())
            .map(|f| f.as_str().unwrap().to_owned())
            .collect()
    };
    let sled = features("sled");
    assert!(
        !sled.contains(&"compression".to_owned()),
        "sled's compression brings a second zstd"
    );
    assert!(
        !sled.contains(&"no_logs".to_owned()),
        "sled's no_logs switches `log` off for the whole program"
    );
    let rustls = features("rustls");
    assert!(
        rustls.contains(&"ring".to_owned()) && !rustls.iter().any(|f| f.contains("aws")),
        "one provider: {rustls:?}"
    );
    let json = features("serde_json");
    for order in ["preserve_order", "arbitrary_precision"] {
        assert!(
            !json.contains(&order.to_owned()),
            "serde_json's {order} changes what a number or an order means"
        );
    }
}

/// Licences of what the tests run and nobody ships or changes.
const USED_AS_IT_IS: [&str; 1] = ["MPL-2.0"];

#[test]
fn packages_of_the_tests_may_be_used() {
    let mut wrong = Vec::new();
    for (file, text) in files(".")
        .into_iter()
        .filter(|(file, _)| file.ends_with("package-lock.json"))
    {
        let lock: Value = serde_json::from_str(&text).unwrap();
        for (name, package) in lock["packages"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| !name.is_empty())
        {
            let license = package["license"].as_str();
            if license.is_some_and(|l| !is_allowed(l) && !USED_AS_IT_IS.contains(&l)) {
                wrong.push(format!("{file}: {name}: {}", package["license"]));
            }
            if !package["integrity"].is_string() {
                wrong.push(format!("{file}: {name}: no checksum"));
            }
        }
    }
    assert!(wrong.is_empty(), "npm packages:\n{}", wrong.join("\n"));
}
