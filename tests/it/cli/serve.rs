//! The running server: its control socket, its end, and what commands do beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};

use keyward::cli::store::open_store;
use keyward::engine::record::key::Table;
use keyward::store::{Direction, KeyRange, Read as _};

use super::support::{CONFIG, Place, Said, willing};

/// A server that is killed when the test ends.
pub(crate) struct Server {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    heard: String,
}

impl Server {
    /// Starts one and waits until it listens.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Self {
        Self::from(&mut place.command(&[&["serve"], args].concat()))
    }

    /// The same from a command.
    pub(crate) fn from(command: &mut std::process::Command) -> Self {
        command
            .env("STRIPE_WEBHOOK_SECRET", "whsec_1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            log,
            heard: String::new(),
        };
        server.hears("listening");
        server
    }

    /// Waits until its log says something, after what was waited for before.
    pub(crate) fn hears(&mut self, text: &str) {
        loop {
            let from = self.heard.len();
            let read = self.log.read_line(&mut self.heard).unwrap();
            assert!(read > 0, "the server ended: {}", self.heard);
            if self.heard[from..].contains(text) {
                return;
            }
        }
    }

    /// All that its log said so far.
    pub(crate) fn heard(&self) -> &str {
        &self.heard
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Said {
        self.log.read_to_string(&mut self.heard).unwrap();
        let code = self.child.wait().unwrap().code();
        Said {
            code,
            out: String::new(),
            err: std::mem::take(&mut self.heard),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_ask_the_running_server_and_say_the_same_as_without_it() {
    let place = Place::with(CONFIG);
    place.fill(&["cancel-now", "refund-never-linked"], willing);
    let questions: [&[&str]; 5] = [
        &["find", "ada@example.com", "--json"],
        &["show", "stripe/sub_CancelNow01"],
        &["events"],
        &["refused", "--json"],
        &["actions"],
    ];
    let alone = questions.map(|q| place.run(q).to_string());
    let server = Server::start(&place, &[]);
    let socket = place.path("data/control.sock").symlink_metadata().unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    for (question, alone) in questions.iter().zip(alone) {
        assert_eq!(place.run(question).to_string(), alone, "{question:?}");
    }
    let said = place.run(&[
        "keep",
        "sub_CancelNow01",
        "--reason",
        "asked by mail",
        "--json",
    ]);
    assert!(
        said.json()["decision"]
            .as_str()
            .is_some_and(|id| id.starts_with("dec_")),
        "{said}"
    );
    let shown = place.run(&["show", "sub_CancelNow01"]);
    assert!(
        shown.out.contains("ada decided: keep (asked by mail)"),
        "{shown}"
    );
    let second = place.run_with_secret(&["serve"]);
    assert!(
        second.code == Some(1) && second.err.contains("is in use by process"),
        "{second}"
    );
    server.signal("-TERM");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.err.contains("the store is closed"), "{ended}");
    assert!(!place.path("data/control.sock").exists());
    assert_eq!(
        place.run(&["show", "sub_CancelNow01"]).out,
        shown.out,
        "the decision was kept"
    );
}

#[test]
fn a_socket_that_a_dead_server_left_is_stepped_over() {
    let place = Place::with(CONFIG);
    let server = Server::start(&place, &["--new"]);
    server.signal("-KILL");
    assert_eq!(server.end().code, None);
    assert!(place.path("data/control.sock").exists());
    assert_eq!(place.run(&["events", "--json"]).out, "[]\n");
    let server = Server::start(&place, &[]);
    assert_eq!(place.run(&["events", "--json"]).out, "[]\n");
    server.signal("-INT");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_locked_store_without_a_socket_says_what_to_do() {
    let place = Place::with(CONFIG);
    let server = Server::start(&place, &["--new"]);
    std::fs::remove_file(place.path("data/control.sock")).unwrap();
    let said = place.run(&["events"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.err.contains("in use by process")
            && said.err.contains("hint: is a server running there?"),
        "{said}"
    );
    drop(server);
}

#[test]
fn clients_that_talk_nonsense_are_answered_and_let_go() {
    let place = Place::with(CONFIG);
    let server = Server::start(&place, &["--new"]);
    let ask = |line: &[u8]| {
        let mut stream = UnixStream::connect(place.path("data/control.sock")).unwrap();
        // A server that has heard enough may close before all is written.
        let _ = stream.write_all(line);
        let mut answer = String::new();
        BufReader::new(stream)
            .read_line(&mut answer)
            .unwrap_or_else(|e| panic!("{e}"));
        answer
    };
    assert!(ask(b"hello\n").contains("does not understand"));
    assert!(ask(b"{\"find\": 5}\n").contains("does not understand"));
    let long = [vec![b'['; 70_000], vec![b'\n']].concat();
    let answer = ask(&long);
    assert!(answer.contains("failed"), "{answer}");
    // More silent clients than are served at one time: the server still ends.
    let silent: Vec<_> = (0..20)
        .map(|_| UnixStream::connect(place.path("data/control.sock")).unwrap())
        .collect();
    server.signal("-TERM");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended}");
    drop(silent);
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    let place = Place::with(CONFIG);
    std::fs::create_dir(place.path("data")).unwrap();
    let listener = UnixListener::bind(place.path("data/control.sock")).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"{\"found\":").unwrap();
    });
    let said = place.run(&["find", "x"]);
    thread.join().unwrap();
    assert!(
        said.code == Some(2) && said.err.contains("broke off"),
        "{said}"
    );
}

#[test]
fn deep_data_directories_have_a_socket_too() {
    let deep = format!("./{}/data", "a-long-name-of-a-directory/".repeat(8));
    let place = Place::with(&CONFIG.replace("./data", &deep));
    let server = Server::start(&place, &["--new"]);
    assert_eq!(place.run(&["events", "--json"]).out, "[]\n");
    drop(server);
}

#[test]
fn a_taken_port_and_an_edited_config_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let place = Place::with(&CONFIG.replace("127.0.0.1:0", &listen));
    let said = place.run_with_secret(&["serve", "--new"]);
    assert!(
        said.code == Some(1) && said.err.contains("cannot listen on"),
        "{said}"
    );
    drop(taken);
    assert!(
        !place.path("data").exists(),
        "the port comes before the store"
    );
    // The same config adds no revision, another one does.
    let revisions = |config: &str| {
        std::fs::write(place.path("keyward.toml"), config).unwrap();
        let server = Server::start(&place, &["--new"]);
        server.signal("-TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended}");
        let (_writer, reader) =
            open_store(&place.config(), keyward::store::Verify::default()).unwrap();
        let range = KeyRange::prefix(&[Table::Revision as u8]);
        reader.range(&range, Direction::Forward, 9).unwrap().len()
    };
    let edited = CONFIG.replace("devices = 3", "devices = 4");
    assert_eq!(
        [CONFIG, CONFIG, &edited, &edited, CONFIG].map(revisions),
        [1, 1, 2, 2, 3]
    );
}
