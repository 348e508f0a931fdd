//! The config from outside: its fixtures, the file that `init` writes, and its page in the docs.

use std::fs;
use std::path::{Path, PathBuf};

use keyward::config::{Config, Env, Mistakes, RenderStyle, TEMPLATE, Warning, markdown, render};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/config")
        .join(name)
}

fn env() -> Env<'static> {
    Env::new(|name| {
        let value = match name {
            "STRIPE_WEBHOOK_SECRET" => "whsec_1",
            "AUTHFORGE_API_KEY" => "af_live_1",
            "SMTP_PASSWORD" => "p%40ss",
            "EMPTY" => "",
            "NEWLINE" => "whsec_1\n",
            _ => return None,
        };
        Some(value.to_owned())
    })
}

fn read(text: &str) -> Result<(Config, Vec<Warning>), Mistakes> {
    Config::parse(text, Path::new("shop/keyward.toml"), &env())
}

/// Runs every file of a folder, and compares what comes of it with the snapshot beside it.
fn each(name: &str, said: impl Fn(&str) -> String) {
    let folder = folder(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in &files {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            if file.extension().is_some_and(|e| e == "toml") {
                insta::assert_snapshot!(stem, said(&fs::read_to_string(file).unwrap()));
            } else {
                assert!(
                    file.with_extension("toml").exists() || stem.ends_with(".snap"),
                    "no fixture beside {file:?}"
                );
            }
        }
    });
}

#[test]
fn each_mistake_is_told_with_its_place_and_a_hint() {
    each("invalid", |text| {
        let mistakes = read(text).expect_err(text);
        let whole = mistakes
            .mistakes
            .iter()
            .chain(&mistakes.warnings)
            .all(|m| m.hint.is_some());
        assert!(whole, "a mistake without a hint: {mistakes}");
        mistakes.to_string()
    });
}

#[test]
fn what_is_unwise_is_told_and_stops_nothing() {
    each("unwise", |text| {
        let (_, warnings) = read(text).unwrap_or_else(|e| panic!("{e}"));
        assert!(!warnings.is_empty(), "nothing is said about:\n{text}");
        render(&warnings, RenderStyle::Plain)
    });
}

#[test]
fn valid_files_become_configs_without_a_word() {
    each("valid", |text| {
        let (config, warnings) = read(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(render(&warnings, RenderStyle::Plain), "");
        format!("{config:#?}")
    });
}

#[test]
fn the_file_that_init_writes_is_valid() {
    let (config, warnings) = read(TEMPLATE).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(render(&warnings, RenderStyle::Plain), "");
    assert_eq!(config.data_dir, Path::new("shop/keyward-data"));
}

#[test]
fn the_docs_are_printed_from_the_keys() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    if std::env::var_os("KEYWARD_BLESS").is_some() {
        fs::write(&page, markdown()).unwrap();
    }
    let current = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        current == markdown(),
        "docs/config.md is old: KEYWARD_BLESS=1 cargo test --test it config"
    );
}

#[test]
fn replay_needs_neither_secrets_nor_sources() {
    let lenient = || Env::new(|_| None).lenient();
    let at = Path::new("keyward.toml");
    for file in ["issue", "everything", "least"] {
        let text = fs::read_to_string(folder("valid").join(file).with_extension("toml")).unwrap();
        Config::parse(&text, at, &lenient()).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    let (config, warnings) =
        Config::parse("[policy.standard]\ngrace = \"20d\"\n", at, &lenient()).unwrap();
    assert_eq!(config.sources, Config::for_replay().sources);
    assert_eq!(warnings, []);
    let bare = "[[source]]\nname = \"s\"\n[licenses]\nservice = \"authforge\"\n[mail]\ntransport = \"smtp\"\nfrom = \"a@b.c\"\n";
    Config::parse(bare, at, &lenient()).unwrap_or_else(|e| panic!("{e}"));
    assert!(
        Config::parse("[policy.x]\ngrce = 1\n", at, &lenient()).is_err(),
        "what is wrong stays wrong"
    );
}

#[test]
fn secrets_are_never_shown() {
    let text = "public_url = 1\n[[source]]\nname = \"s\"\nsigning_secrets = [\"whsec_hush1\", 5]\napi_key = \"pk_hush2\"\n\
        [licenses]\nservice = \"authforge\"\napi_key = 'hüsh3\u{7f}'\napp_id = \"a\"\n\
        [mail]\ntransport = \"smtp\"\nfrom = \"a@b.c\"\nurl = \"http://user:hush4@host\"\n";
    let said = read(text).unwrap_err().to_string();
    assert_eq!(said.matches("error").count(), 5, "{said}");
    assert!(!said.contains("ush"), "{said}");
    let broken = "[licenses]\napi_key = 5hush_hush\n[mail]\nurl = smtp://u:hush@h\nfrom = \n";
    let said = read(broken).unwrap_err().to_string();
    assert!(
        said.contains("put the value in quotes") && !said.contains("ush"),
        "{said}"
    );
    let config = fs::read_to_string(folder("valid").join("everything.toml")).unwrap();
    let shown = format!("{:?}", read(&config).unwrap());
    for secret in ["whsec_", "rk_live_1", "af_live_1", "p%40ss"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keyward.toml");
    let said = |file: &Path| Config::load(file, &env()).unwrap_err().to_string();
    assert!(said(&file).contains("keyward init"), "{}", said(&file));
    fs::write(&file, b"a = 1\nb = \"\xff\"\n").unwrap();
    assert!(
        said(&file).contains("not UTF-8: see line 2"),
        "{}",
        said(&file)
    );
    fs::write(&file, vec![b'#'; 5 << 20]).unwrap();
    assert!(said(&file).contains("too large"), "{}", said(&file));
    fs::write(&file, TEMPLATE).unwrap();
    let (config, _) = Config::load(&file, &env()).unwrap();
    assert_eq!(config.data_dir, dir.path().join("keyward-data"));
}

/// Whatever a file holds, it is judged and printed, never a reason to fall over.
#[test]
fn no_text_makes_it_fall_over() {
    let whole = fs::read_to_string(folder("valid").join("everything.toml")).unwrap();
    let mut at = 0;
    while at < whole.len() {
        let rest = &whole[at..];
        for text in [
            whole[..at].to_owned(),
            rest.to_owned(),
            format!("{}ß{}", &whole[..at], &rest[1..]),
            format!("{}\"{rest}", &whole[..at]),
            format!("{}[[{rest}", &whole[..at]),
        ] {
            match read(&text) {
                Ok((_, warnings)) => drop(render(&warnings, RenderStyle::Colour)),
                Err(mistakes) => drop(mistakes.render(RenderStyle::Plain)),
            }
        }
        at += 7;
    }
    assert!(read(&"[".repeat(10_000)).is_err());
    assert!(read(&format!("a = {}", "[".repeat(10_000))).is_err());
}

/// Under a key that is mistyped, in a value that cannot be, and where a variable brought it.
#[test]
fn no_secret_is_shown_whichever_key_it_stands_under() {
    let text = "public_url = \"https://shop.example\"
[[source]]
name = \"stripe\"
signing_secret = \"whsec_HUSHHUSHHUSH1\"
signing_secrets = [\"sk_live_HUSHHUSH2\"]
apikey = \"HUSHHUSH3\"
hook = \"rk_test_HUSHHUSH4\"
[licenses]
service = \"af_live_HUSHHUSH5\"
[mail]
transport = \"smtp\"
url = \"http://bob:HUSHHUSH6@smtp.example\"
uri = \"smtp://bob:HUSHHUSH6@smtp.example\"
[vendor]
color = \"${COLOR}\"
[alert]
url = \"htps://hooks.example/HUSHHUSH8\"
heartbeat_url = \"hooks.example/HUSHHUSH9\"
";
    let env = Env::new(|name| (name == "COLOR").then(|| "HUSH7".to_owned()));
    let mistakes = Config::parse(text, Path::new("keyward.toml"), &env).unwrap_err();
    let shown = mistakes.render(RenderStyle::Plain);
    let as_json = serde_json::to_string(&mistakes.mistakes).unwrap();
    assert!(shown.contains("\"${COLOR}\" is not a colour"), "{shown}");
    assert!(!shown.contains("HUSH"), "{shown}");
    assert!(!as_json.contains("HUSH"), "{as_json}");
}
