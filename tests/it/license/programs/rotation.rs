//! The signing key is replaced, step by step as docs/operating.md says: which programs work at each step, with saved answers
//! and offline files, in all three languages.

use std::path::PathBuf;

use super::clients::{Language, Program, public_keys, shop};
use super::kill::buy;
use crate::support::app::TestApp;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// Programs of one language, by the public keys that were built into them.
struct Releases<'a> {
    app: TestApp,
    language: &'a Language,
    dir: PathBuf,
    key: String,
}

/// A release: its name, and its public keys.
type Release = (&'static str, Vec<String>);

impl Releases<'_> {
    fn program(&self, keys: &[String], server: &str, file: &str) -> Program<'_> {
        Program {
            language: self.language,
            server: server.to_owned(),
            public_keys: keys.to_vec(),
            file: self.dir.join(file),
        }
    }

    /// Restarts the server with these settings of keys; the public keys that it lists then.
    async fn restart(&mut self, keys: &str) -> Vec<String> {
        let licenses = format!("service = \"embedded\"\nkey_prefix = \"ACME\"\n{keys}");
        self.app.configure_licenses(&licenses).await;
        self.app.restart().await;
        public_keys(&self.app).await
    }

    /// Starts each release, with the answer that it saved, with and without a connection.
    async fn start(&self, releases: &[(&Release, &str, &str)]) {
        let key = self.key.as_str();
        for ((name, keys), online, offline) in releases {
            let saved = format!("saved-{name}");
            let offline_one = self.program(keys, NOBODY, &saved);
            if !offline.is_empty() {
                offline_one.expect(&[("start", key, "a", offline)]).await;
            }
            let online_one = self.program(keys, self.app.base(), &saved);
            online_one.expect(&[("start", key, "a", online)]).await;
        }
    }

    /// Lets releases read an offline file.
    async fn read(&self, file: &str, releases: &[(&Release, &str)]) {
        for ((_, keys), expected) in releases {
            let program = self.program(keys, NOBODY, file);
            let key = self.key.as_str();
            program.expect(&[("check", key, "a", expected)]).await;
        }
    }

    async fn hand_out(&self, (_, keys): &Release, file: &str) {
        let program = self.program(keys, self.app.base(), file);
        let key = self.key.as_str();
        program.expect(&[("offline", key, "a", "live")]).await;
    }
}

const FORGED: &str = "Forged: a wrong signature";

async fn rotate(language: &Language, name: &str) {
    let app = shop().await;
    let dir = tempfile::tempdir().unwrap();
    let key = buy(&app, name, &[("plan", "pro")]).await;
    let first = public_keys(&app).await;
    let old: Release = ("old", first.clone());
    let mut releases = Releases {
        app,
        language,
        dir: dir.path().to_owned(),
        key,
    };
    releases.start(&[(&old, "live", "")]).await;
    releases.hand_out(&old, "first-file").await;

    // The next pair is listed; the old one signs.
    let listed = releases.restart("second_signing_key = 2\n").await;
    assert_eq!((listed.len(), &listed[0]), (2, &first[0]));
    let both: Release = ("both", listed.clone());
    let new: Release = ("new", vec![listed[1].clone()]);
    let step = [
        (&old, "live", "live"),
        (&both, "live", ""),
        (&new, FORGED, ""),
    ];
    releases.start(&step).await;

    // The new pair signs; what the old one signed counts on.
    let listed = releases
        .restart("signing_key = 2\nsecond_signing_key = 1\n")
        .await;
    assert_eq!(listed, [new.1[0].clone(), first[0].clone()]);
    releases.hand_out(&both, "second-file").await;
    let step = [(&old, "live"), (&both, "live"), (&new, FORGED)];
    releases.read("first-file", &step).await;
    let step = [(&old, FORGED), (&both, "live"), (&new, "live")];
    releases.read("second-file", &step).await;
    let step = [
        (&old, FORGED, "live"),
        (&both, "live", "live"),
        (&new, "live", ""),
    ];
    releases.start(&step).await;

    // The old pair is listed no more.
    assert_eq!(releases.restart("signing_key = 2\n").await, new.1);
    let step = [(&both, "live"), (&new, FORGED)];
    releases.read("first-file", &step).await;
    let step = [(&both, "live", "live"), (&new, "live", "live")];
    releases.start(&step).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_pair_is_replaced_under_programs_in_rust() {
    rotate(&Language::Rust, "RotateRust").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_pair_is_replaced_under_programs_in_python() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(python) = Language::python(dir.path()) {
        rotate(&python, "RotatePython").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_pair_is_replaced_under_programs_in_javascript() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(node) = Language::node(dir.path()) {
        rotate(&node, "RotateNode").await;
    }
}
