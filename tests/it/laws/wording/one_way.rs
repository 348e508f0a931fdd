//! Every sentence of the domain has one way out, and the source is searched for others.

/// Files with errors that are shown where they happen, and kept nowhere.
const ERRORS: &[(&str, &str)] = &[
    ("id/machine.rs", "a text that is no id"),
    ("time.rs", "a text that is no instant"),
    ("adoption/labels.rs", "an error in a config"),
    ("self_service.rs", "an error in a config"),
    ("policy_override.rs", "an error in a command's arguments"),
    (
        "service.rs",
        "what the model of a service says, in the service's stead",
    ),
];

/// Types of the domain whose `Display` is a code, a name or a value and no sentence: it is kept, compared and parsed.
const NO_SENTENCES: &[(&str, &str)] = &[
    ("$name", "an id"),
    ("Scope", "part of an id"),
    ("MachineId", "an id"),
    ("LicenseStatus", "a code"),
    ("PurchaseStatus", "a code"),
    ("Money", "a value"),
    ("Devices", "a value"),
    ("Timestamp", "a value"),
    ("Span", "a value"),
    ("NotASpan", "an error in a config, which is shown and gone"),
    ("OnPartialRefund", "a value of a config"),
    ("PolicyOverride", "values of a config"),
    ("Cause", "an id: what an episode is named by"),
    ("About", "an id: what a notice is named by"),
    ("Part", "an id: what a notice is named by"),
    ("Class", "a word that programs read"),
];

#[test]
fn every_sentence_of_the_domain_has_one_way_out() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain");
    let (mut folders, mut sentences) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            sentences += text.matches("impl Sentence for ").count();
            let listed = ERRORS.iter().any(|(file, _)| path.ends_with(file));
            assert!(
                listed || !text.contains("#[error("),
                "{}: an error's sentence does not go through domain::words",
                path.display()
            );
            for rest in text.split("Display for ").skip(1) {
                let name = rest.split([' ', '<']).next().unwrap();
                let known = NO_SENTENCES.iter().any(|(n, _)| *n == name);
                assert!(
                    known || path.ends_with("words.rs"),
                    "{}: the Display of {name} does not go through domain::words",
                    path.display()
                );
            }
        }
    }
    assert!(sentences >= 16, "{sentences} sentences");
}
