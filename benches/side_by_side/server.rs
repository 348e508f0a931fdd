//! The servers under test: started on a free port in a folder of their own, ended when dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use keyward::clock::Stopwatch;
use tempfile::TempDir;

use crate::purchase::{APP, SECRET};
use crate::settings::Settings;

/// How long a server may take until it is ready.
const START_LIMIT: Duration = Duration::from_secs(300);
/// How long one may take to end; then it is killed.
const END_LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked; also the resolution of the time to open.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The guide's own handler (`benches/guide`).
    Guide,
    /// `keyward serve`.
    Keyward,
    /// The ceiling: verifies the signature and does nothing else.
    VerifyOnly,
}

impl Kind {
    /// As tables and messages call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Guide => "guide",
            Self::Keyward => "keyward",
            Self::VerifyOnly => "verify-only",
        }
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    child: Child,
    /// Where it takes deliveries.
    pub(crate) port: u16,
    folder: TempDir,
}

impl Server {
    /// Starts on an empty store and waits until it is ready.
    pub(crate) fn start(kind: Kind, settings: &Settings, api_port: u16) -> Result<Self> {
        Self::start_in(new_folder(kind, settings)?, kind, settings, api_port)
    }

    /// The same in a folder whose `keyward-data` may be filled.
    pub(crate) fn start_in(
        folder: TempDir,
        kind: Kind,
        settings: &Settings,
        api_port: u16,
    ) -> Result<Self> {
        let port = free_port()?;
        let api = format!("http://127.0.0.1:{api_port}");
        let command = match kind {
            Kind::Guide => guide(settings, folder.path(), port, &api),
            Kind::Keyward => {
                std::fs::write(
                    folder.path().join("keyward.toml"),
                    keyward_config(port, &api),
                )?;
                let new = !folder.path().join("keyward-data").exists();
                keyward(settings, folder.path(), new)
            }
            Kind::VerifyOnly => verify_only(port)?,
        };
        let child = spawn(command, folder.path())?;
        let mut server = Self {
            kind,
            child,
            port,
            folder,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts Keyward with the license service inside, and mail into a folder.
    pub(crate) fn start_embedded(settings: &Settings) -> Result<Self> {
        Self::start_with(settings, embedded_config)
    }

    /// Starts Keyward with mail to a server on this machine.
    pub(crate) fn start_mailing(settings: &Settings, api_port: u16, smtp: u16) -> Result<Self> {
        Self::start_with(settings, |port| mailing_config(port, api_port, smtp))
    }

    /// Starts Keyward on an empty store, with the config for a port.
    fn start_with(settings: &Settings, config: impl Fn(u16) -> String) -> Result<Self> {
        let folder = new_folder(Kind::Keyward, settings)?;
        let port = free_port()?;
        std::fs::write(folder.path().join("keyward.toml"), config(port))?;
        let child = spawn(keyward(settings, folder.path(), true), folder.path())?;
        let mut server = Self {
            kind: Kind::Keyward,
            child,
            port,
            folder,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it stores what it has.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills Keyward with SIGKILL, starts it again on what it left, and says how long it took to be ready.
    pub(crate) fn kill_and_reopen(&mut self, settings: &Settings) -> Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let watch = Stopwatch::start();
        self.child = spawn(
            keyward(settings, self.folder.path(), false),
            self.folder.path(),
        )?;
        self.wait_until_ready()?;
        Ok(watch.elapsed())
    }

    /// The process to look up in `/proc`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, and leaves what it stored to the caller.
    pub(crate) fn stop_and_keep(mut self) -> Result<TempDir> {
        self.child.kill()?;
        self.child.wait()?;
        let empty = tempfile::tempdir()?;
        Ok(std::mem::replace(&mut self.folder, empty))
    }

    /// What the store takes on disk.
    pub(crate) fn disk_mib(&self) -> f64 {
        bytes_in(self.folder.path()) as f64 / 1024.0 / 1024.0
    }

    /// The last lines that it wrote, for the message when something fails.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read(self.folder.path().join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let watch = Stopwatch::start();
        while watch.elapsed() < START_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                let signal = status
                    .signal()
                    .map(|s| format!(" by signal {s}"))
                    .unwrap_or_default();
                bail!(
                    "{} ended at its start ({status}{signal}):\n{}",
                    self.kind.name(),
                    self.last_words()
                );
            }
            match status_of(self.port, "/readyz") {
                Some(200) => return Ok(()),
                // The others have no such page: any answer shows that they listen.
                Some(_) if self.kind != Kind::Keyward => return Ok(()),
                _ => nap(ASK_EVERY),
            }
        }
        bail!(
            "{} was not ready within {START_LIMIT:?}:\n{}",
            self.kind.name(),
            self.last_words()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As an operator ends it: a program that counts what it does writes that down at its end.
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let watch = Stopwatch::start();
        while told.as_ref().is_ok_and(std::process::ExitStatus::success)
            && watch.elapsed() < END_LIMIT
            && matches!(self.child.try_wait(), Ok(None))
        {
            nap(ASK_EVERY);
        }
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of a server's own, gone with its handle.
pub(crate) fn new_folder(kind: Kind, settings: &Settings) -> Result<TempDir> {
    Ok(tempfile::Builder::new()
        .prefix(kind.name())
        .tempdir_in(&settings.scratch)?)
}

/// Waits, outside any runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench asks other processes how far they are; they ring no bell"
)]
pub(crate) fn nap(span: Duration) {
    std::thread::sleep(span);
}

fn guide(settings: &Settings, folder: &Path, port: u16, api: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(&settings.guide)
        .env("NODE_ENV", "production")
        .env("PORT", port.to_string());
    command
        .env("DATABASE", folder.join("guide.db"))
        .env("STRIPE_WEBHOOK_SECRET", SECRET);
    command
        .env("LICENSE_API_BASE", api)
        .env("LICENSE_API_KEY", "af_live_bench");
    command
}

fn keyward(settings: &Settings, folder: &Path, new: bool) -> Command {
    let mut command = Command::new(&settings.keyward);
    command.arg("serve");
    if new {
        command.arg("--new");
    }
    command.arg("--config").arg(folder.join("keyward.toml"));
    command
}

fn verify_only(port: u16) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(crate::verify_only::ARGUMENT)
        .arg(port.to_string());
    Ok(command)
}

/// The configuration of a vendor with one plan; the purchases name the application in their metadata as in the guide.
pub(crate) fn keyward_config(port: u16, api: &str) -> String {
    authforge_config(port, api, r#"transport = "none""#)
}

/// The same vendor, who writes to customers.
fn mailing_config(port: u16, api_port: u16, smtp: u16) -> String {
    let transport = format!("transport = \"smtp\"\nurl = \"smtp://127.0.0.1:{smtp}\"");
    authforge_config(port, &format!("http://127.0.0.1:{api_port}"), &transport)
}

fn authforge_config(port: u16, api: &str, transport: &str) -> String {
    let services = format!(
        r#"[licenses]
service = "authforge"
api_base = "{api}"
api_key = "af_live_bench"
app_id = "{APP}"
requests_per_s = 0
in_flight = 64

[mail]
{transport}
from = "Example <keys@example.com>"
"#
    );
    config(port, &services)
}

/// The same vendor with the license service inside. A proxy stands before it, so that visitors can be told apart.
fn embedded_config(port: u16) -> String {
    let services = format!(
        r#"[licenses]
service = "embedded"
app_id = "{APP}"

[mail]
transport = "folder"
path = "./mail"
from = "Example <keys@example.com>"

[http]
trusted_proxies = ["127.0.0.1"]
"#
    );
    config(port, &services)
}

fn config(port: u16, services: &str) -> String {
    format!(
        r#"listen = "127.0.0.1:{port}"
data_dir = "./keyward-data"
public_url = "http://127.0.0.1:{port}"

[[source]]
name = "stripe"
kind = "stripe"
signing_secrets = ["{SECRET}"]
livemode = "live"

{services}
[[plan]]
name = "pro"
prices = ["price_pro_monthly"]
policy = "standard"
license = {{ devices = 3 }}

[policy.standard]
grace = "16d"
reminders = ["0d", "7d", "14d"]
at_grace_end = "suspend"
"#
    )
}

fn spawn(mut command: Command, folder: &Path) -> Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("server.log"))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().to_string_lossy()))
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn status_of(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream
        .write_all(
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

/// Bytes of all files in a folder.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
