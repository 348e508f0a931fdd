//! What people read, held against the program: commands, config keys, metrics, variables, and the printed pages.

use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use keyward::config::{Config, Env};
use keyward::domain::lifecycle::diagram;

use super::files::{files, files_ending, root};

/// The pages that are written by hand.
fn pages() -> Vec<(String, String)> {
    let printed = ["docs/cli.md", "docs/config.md"];
    let of_docs = files_ending("docs", ".md")
        .into_iter()
        .filter(|(file, _)| !printed.contains(&file.as_str()) && !file.starts_with("docs/states/"));
    let at_the_top = ["README.md", "CONTRIBUTING.md", "benches/README.md"];
    let read = |file: &&str| {
        (
            (*file).to_owned(),
            std::fs::read_to_string(root().join(file)).unwrap(),
        )
    };
    at_the_top.iter().map(read).chain(of_docs).collect()
}

/// The fenced blocks of a page in one language, each with the number of its first line.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let (mut found, mut open): (Vec<(usize, String)>, Option<bool>) = (Vec::new(), None);
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(_), Some(_)) => open = None,
            (Some(said), None) => {
                open = Some(said == language);
                if said == language {
                    found.push((at + 2, String::new()));
                }
            }
            (None, Some(true)) => {
                let block = &mut found.last_mut().unwrap().1;
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

/// The texts between backticks outside of blocks.
fn named(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut in_block) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        in_block ^= line.starts_with("```");
        if !in_block {
            found.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|name| (at + 1, name.to_owned())),
            );
        }
    }
    found
}

/// A line's words as a shell has them, without a comment.
pub(super) fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let pieces = line.split(['"', '\'']).enumerate();
    pieces
        .flat_map(|(n, piece)| {
            let quoted = n % 2 == 1;
            let words: Vec<String> = if quoted {
                vec![piece.to_owned()]
            } else {
                piece.split_whitespace().map(str::to_owned).collect()
            };
            words
        })
        .collect()
}

/// The arguments for keyward in a line that runs it.
fn arguments(line: &str) -> Option<Vec<String>> {
    let mut words = words(line);
    while words
        .first()
        .is_some_and(|w| w == "sudo" || w == "$" || w.contains('='))
    {
        words.remove(0);
        if words.first().is_some_and(|w| w == "-u") {
            words.drain(..2);
        }
    }
    if words.starts_with(&["cargo".to_owned(), "run".to_owned()]) {
        let start = words.iter().position(|w| w == "--")?;
        return Some(words.split_off(start + 1));
    }
    if words.first().is_some_and(|w| w == "systemd-run") {
        words.drain(..words.iter().position(|w| w.ends_with("/keyward"))?);
    }
    let first = words.first()?;
    (first == "keyward" || first.ends_with("/keyward")).then(|| words.split_off(1))
}

/// What is wrong with a line that runs keyward, or a script of ours. A mention in the text needs not be complete.
fn wrong_with(line: &str, complete: bool) -> Option<String> {
    if let Some(arguments) = arguments(line) {
        let parsed = keyward::cli::args::Cli::command().try_get_matches_from(
            std::iter::once("keyward".to_owned())
                .chain(arguments.into_iter().take_while(|w| w != "|" && w != ">")),
        );
        return parsed
            .err()
            .filter(|e| {
                e.use_stderr() && (complete || e.kind() != ErrorKind::MissingRequiredArgument)
            })
            .map(|e| e.to_string());
    }
    let script = words(line).into_iter().next()?;
    let script = script.trim_start_matches("./");
    let ours = ["tests/", "benches/", ".ci/", "fixtures/"]
        .iter()
        .any(|folder| script.starts_with(folder));
    (ours && !root().join(script).exists()).then(|| format!("there is no {script}"))
}

#[test]
fn every_command_in_the_pages_exists() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (file, text) in pages() {
        let mut lines: Vec<(usize, String, bool)> = Vec::new();
        for (first, block) in blocks(&text, "sh") {
            lines.extend(
                block
                    .replace("\\\n", " ")
                    .lines()
                    .enumerate()
                    .map(|(n, l)| (first + n, l.to_owned(), true)),
            );
        }
        let mentions = named(&text)
            .into_iter()
            .filter(|(_, name)| name.starts_with("keyward ") && !name.contains('…'));
        lines.extend(mentions.map(|(at, name)| (at, name, false)));
        for (at, line, complete) in lines {
            seen += 1;
            wrong.extend(
                wrong_with(&line, complete).map(|why| format!("{file}:{at}: {line}\n{why}")),
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "commands that would fail:\n{}",
        wrong.join("\n")
    );
    assert!(
        seen > 20,
        "the pages have commands, but only {seen} were found"
    );
}

#[test]
fn every_config_in_the_pages_is_valid() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (file, text) in pages() {
        for (at, mut block) in blocks(&text, "toml") {
            seen += 1;
            if !block.contains("[[source]]") {
                block.push_str("[[source]]\nname = \"stripe\"\nsigning_secrets = [\"whsec_x\"]\n");
            }
            // Each variable is set, to what such a variable holds.
            let env = Env::new(|name| {
                Some(
                    if name.ends_with("WEBHOOK_SECRET") {
                        "whsec_x"
                    } else {
                        "secret"
                    }
                    .to_owned(),
                )
            });
            if let Err(mistakes) = Config::parse(&block, Path::new("keyward.toml"), &env) {
                wrong.push(format!("{file}:{at}:\n{mistakes}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "configs that are refused:\n{}",
        wrong.join("\n")
    );
    assert!(
        seen > 2,
        "the pages have configs, but only {seen} were found"
    );
}

#[test]
fn every_name_in_the_pages_exists() {
    let keys = std::fs::read_to_string(root().join("docs/config.md")).unwrap();
    let sources: String = ["src", "tests", "benches"]
        .iter()
        .flat_map(|f| files(f))
        .map(|(_, text)| text)
        .collect();
    let mut wrong = Vec::new();
    for (file, text) in pages() {
        for (at, name) in named(&text) {
            let key = name
                .split(" = ")
                .next()
                .filter(|_| name.contains(" = "))
                .filter(|key| !key.contains([' ', '.']));
            if key.is_some_and(|key| !keys.contains(&format!("| `{key}` |"))) {
                wrong.push(format!("{file}:{at}: `{name}` is no key of the config"));
            }
        }
        for (at, line) in text.lines().enumerate() {
            for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let ours = word.starts_with("KEYWARD_") || word.starts_with("keyward_");
                let of_vendors = ["STRIPE", "deliver_to"]
                    .iter()
                    .any(|known| word.contains(known));
                if ours && !of_vendors && !sources.contains(word) {
                    wrong.push(format!("{file}:{}: nothing is called {word}", at + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "names that nothing has:\n{}",
        wrong.join("\n")
    );
}

/// `docs/states/`, printed from the tables. `docs/config.md` and `docs/cli.md` are compared where they are printed.
/// A page that customers are sent to, and that the proxy of the docs does not let through, is not there.
#[test]
fn the_proxy_of_the_pages_lets_every_public_route_through() {
    let router = std::fs::read_to_string(root().join("src/http/mod.rs")).unwrap();
    let of_this_machine = ["/healthz", "/readyz", "/metrics"];
    let paths = |call: &str, below: &str| -> Vec<String> {
        let found = router.split(call).skip(1);
        let path = found.map(|rest| rest.split('"').next().unwrap());
        path.map(|path| format!("{path}{below}")).collect()
    };
    let mut routes = paths(".route(\"", "");
    routes.extend(paths(".nest(\"", "/x"));
    assert!(routes.len() > 8, "{routes:?}");
    for (page, text) in pages() {
        for (line, block) in blocks(&text, "caddyfile") {
            let through: Vec<&str> = block
                .lines()
                .filter_map(|l| l.trim().strip_prefix("@public path "))
                .flat_map(str::split_whitespace)
                .collect();
            let is_through = |route: &str| {
                through.iter().any(|t| match t.strip_suffix('*') {
                    Some(start) => route.starts_with(start),
                    None => route == *t,
                })
            };
            for route in &routes {
                let public = !of_this_machine.contains(&route.as_str());
                assert_eq!(is_through(route), public, "{page}:{line}: {route}");
            }
        }
    }
}

#[test]
fn the_state_diagrams_are_current() {
    let pages = [
        ("payment", diagram::payment()),
        ("subscription", diagram::subscription()),
        ("entitlement", keyward::domain::entitlement::printed::page()),
    ];
    for (name, text) in pages {
        let file = root().join(format!("docs/states/{name}.md"));
        if std::env::var_os("KEYWARD_BLESS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == text,
            "docs/states/{name}.md is old: KEYWARD_BLESS=1 cargo test --test it docs"
        );
    }
}

/// The table of metrics in `docs/operating.md`, against what the program has: names, labels and types.
#[test]
fn the_table_of_metrics_is_complete() {
    use keyward::measure::{ALL, MetricKind};
    let page = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `keyward_"));
    let told: Vec<(Vec<&str>, &str)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[0].split('`').skip(1).step_by(2).collect(), cells[1])
        })
        .collect();
    let known = ALL.iter().map(|metric| {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        (
            std::iter::once(metric.name)
                .chain(metric.labels.iter().copied())
                .collect(),
            kind,
        )
    });
    assert_eq!(told, known.collect::<Vec<_>>());
}
