//! The fake as a process of its own.

use super::Fake;
use super::faults::Faults;

/// A fake in a process of its own, so that it outlives whoever is killed. It ends when this is dropped or the caller
/// dies, for then its standard input closes.
pub struct Process {
    child: std::process::Child,
    base: String,
}

/// Where a process of its own reads its faults from, as JSON, and its address.
const FAULTS_VAR: &str = "FAKE_LICENSES_FAULTS";
const ADDR_VAR: &str = "FAKE_LICENSES_ADDR";

impl Process {
    /// Runs `command`, which must call [`serve_until_stdin_closes`], with these faults at this address (port 0: free).
    pub fn start(mut command: std::process::Command, addr: &str, faults: &Faults) -> Self {
        use std::io::BufRead;
        use std::process::Stdio;
        command
            .env(FAULTS_VAR, serde_json::to_string(faults).unwrap())
            .env(ADDR_VAR, addr);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let base = lines.find_map(|l| Some(l.split_once("listening on ")?.1.to_owned()));
        // What it says later is heard, for else its pipe would break.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            base: base.unwrap(),
            child,
        }
    }

    /// The base address of its API; what it holds is at `../_fake/licenses`, `counters` and `faults`.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The other side of [`Process`].
#[allow(
    clippy::print_stdout,
    reason = "this is how the caller learns the port"
)]
pub async fn serve_until_stdin_closes() {
    let faults = std::env::var(FAULTS_VAR)
        .map_or_else(|_| Faults::default(), |f| serde_json::from_str(&f).unwrap());
    let addr = std::env::var(ADDR_VAR).unwrap_or_else(|_| "127.0.0.1:0".into());
    let fake = Fake::start_at(&addr, faults).await;
    println!("listening on {}", fake.base());
    let closed =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = closed.await;
}
