//! The license service as a process of its own, so that what it costs is not the generator's, and with an answer that takes
//! as long as a real one's.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use keyward::clock::Stopwatch;

use crate::api::{Api, STATS, Stats};
use crate::server::{free_port, nap};

/// With this first argument the bench program is this service.
pub(crate) const ARGUMENT: &str = "license-service";
/// How long it may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Serves until killed.
pub(crate) fn run(port: &str, delay_ms: &str) -> Result<()> {
    let delay = Duration::from_millis(delay_ms.parse().context("the delay")?);
    Api::serve_for_ever(port.parse().context("the port")?, delay)
}

/// The running process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    port: u16,
}

impl Service {
    /// Starts it on a port and waits until it listens.
    pub(crate) fn start(port: u16, delay: Duration) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(ARGUMENT)
            .arg(port.to_string())
            .arg(delay.as_millis().to_string())
            .stdin(Stdio::null());
        let child = command.spawn().context("starting the license service")?;
        let service = Self { child, port };
        let watch = Stopwatch::start();
        while service.stats("").is_err() {
            if watch.elapsed() > START_LIMIT {
                bail!("the license service did not start");
            }
            nap(Duration::from_millis(5));
        }
        Ok(service)
    }

    /// On a port that was free.
    pub(crate) fn start_anywhere(delay: Duration) -> Result<Self> {
        Self::start(free_port()?, delay)
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// How many licenses it has made.
    pub(crate) fn made(&self) -> Result<usize> {
        Ok(self.stats("")?.made)
    }

    /// The same, with how many labels they have.
    pub(crate) fn counted(&self) -> Result<Stats> {
        self.stats("?labels")
    }

    fn stats(&self, query: &str) -> Result<Stats> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(stream, "GET {STATS}{query} HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer)?;
            answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answer);
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
            if let Some(stats) = body.and_then(|body| serde_json::from_str(body).ok()) {
                return Ok(stats);
            }
            if read == 0 {
                bail!("the license service's figures cannot be read: {text}");
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
