//! `docs/rules.md`: every rule has its line, and every test that a line names is there.

use std::collections::{BTreeMap, BTreeSet};

use keyward::config::markdown;

use super::files::{files_ending, root};

/// How many rules there are.
const RULES: u32 = 55;

/// The rows of the page's tables: the first cell, and the names in the last.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "three cells: {line}");
        let tests = cells[2]
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        (cells[0].trim_matches('`').to_owned(), tests)
    };
    page.lines()
        .filter(|l| l.starts_with("| ") && !l.contains("what holds | tests"))
        .map(cells)
        .collect()
}

/// The names of the test functions of each module, as the page writes the module.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in files_ending("src", ".rs")
        .into_iter()
        .chain(files_ending("tests/it", ".rs"))
    {
        let path = file
            .trim_start_matches("src/")
            .trim_start_matches("tests/it/")
            .trim_end_matches(".rs");
        let module = path.trim_end_matches("/mod").replace('/', "::");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(at) = line.find("fn ").filter(|_| is_test) {
                let name = line[at + 3..].split(['(', '<']).next().unwrap();
                found
                    .entry(module.clone())
                    .or_default()
                    .insert(name.to_owned());
                is_test = false;
            }
        }
    }
    found
}

#[test]
fn every_rule_is_held_by_tests_that_are_there() {
    let (rows, tests) = (rows(), tests());
    let mut wrong = Vec::new();
    for (rule, named) in &rows {
        if named.is_empty() {
            wrong.push(format!("{rule}: no test"));
        }
        for name in named {
            let there = match name.rsplit_once("::") {
                Some((module, test)) => tests.get(module).is_some_and(|all| all.contains(test)),
                None => root()
                    .join("fixtures/histories")
                    .join(name)
                    .join("history.jsonl")
                    .exists(),
            };
            if !there {
                wrong.push(format!("{rule}: there is no {name}"));
            }
        }
    }
    let numbers: Vec<u32> = rows
        .iter()
        .filter_map(|(rule, _)| rule.parse().ok())
        .collect();
    if numbers != (1..=RULES).collect::<Vec<_>>() {
        wrong.push(format!(
            "the rules are not 1 to {RULES}, each once and in order: {numbers:?}"
        ));
    }
    assert!(wrong.is_empty(), "docs/rules.md:\n{}", wrong.join("\n"));
}

/// The numbers that follow a word like `rule` or `rules`: `rules 4, 9 and 11`.
fn numbers_after(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let lower = text.to_lowercase();
    for after in lower.split("rule").skip(1) {
        let mut more = true;
        for word in after.trim_start_matches('s').split([' ', '\n']).skip(1) {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            match bare.parse() {
                Ok(number) if more => found.insert(number),
                Err(_) if bare == "and" => true,
                Ok(_) | Err(_) => break,
            };
            more = bare == "and" || word.ends_with(',');
        }
    }
    found
}

/// Whoever reads a branch is told which rule it keeps, and finds the branch by the rule's number.
#[test]
fn every_rule_is_named_where_it_is_kept() {
    let mut named = BTreeSet::new();
    for (file, text) in files_ending("src", ".rs") {
        if !file.contains("/cases") && !file.ends_with("tests.rs") {
            named.extend(numbers_after(text.split("\nmod tests {").next().unwrap()));
        }
    }
    let missing: Vec<u32> = (1..=RULES).filter(|n| !named.contains(n)).collect();
    assert!(
        missing.is_empty(),
        "no line of src/ names the rules {missing:?}"
    );
    assert_eq!(
        numbers_after("(rules 4, 9 and 11). A rule is 5; Rule 28: 7")
            .into_iter()
            .collect::<Vec<_>>(),
        [4, 9, 11, 28]
    );
}

/// Each key of a policy or plan that the config has stands in the table.
#[test]
fn every_key_of_policies_and_plans_has_its_line() {
    let rows: BTreeSet<String> = rows().into_iter().map(|(key, _)| key).collect();
    let page = markdown();
    let of_purchases = ["`[[plan]]`", "`license = {", "`[policy.NAME]`"];
    let sections = page
        .split("\n## ")
        .filter(|s| of_purchases.iter().any(|title| s.starts_with(title)));
    let of_section = |s: &str| -> Vec<String> {
        let keys = s
            .lines()
            .filter_map(|l| l.strip_prefix("| `"))
            .filter_map(|l| l.split('`').next());
        keys.map(str::to_owned).collect()
    };
    let keys: Vec<String> = sections.flat_map(of_section).collect();
    assert!(
        keys.len() > 20,
        "the page of the config has another form: {keys:?}"
    );
    let missing: Vec<&String> = keys
        .iter()
        // A table in a plan has its own keys; how a plan is sold decides nothing of what was bought.
        .filter(|k| !rows.contains(*k) && !["license", "buy"].contains(&k.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/rules.md says nothing of {missing:?}"
    );
}
