//! The control socket: newline-delimited JSON on a Unix socket in the data directory, for its owner only.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::failure::Failure;
use super::request::Request;
use super::response::Response;
use super::service::Service;

/// The socket's name in the data directory.
pub const NAME: &str = "control.sock";
/// The longest request, in bytes: adopted purchases come with all their events.
const REQUEST_BYTES_MAX: u64 = 8 << 20;
/// The longest answer that a command takes in, in bytes.
const RESPONSE_BYTES_MAX: u64 = 256 << 20;
/// Commands that are served at one time; further ones wait.
const CLIENTS_MAX: usize = 8;
/// How long a client may be silent, or not read, before it is let go.
const CLIENT_PATIENCE: Duration = Duration::from_secs(60);
/// How long a command waits for the server's answer, and for one that goes through the whole store.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);
const LONG_PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// A path to a file in a directory that fits into a socket's address (108 bytes), however deep the directory lies.
fn short(dir: &Path, open: &File, name: &str) -> PathBuf {
    let through = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
    if through.exists() {
        through.join(name)
    } else {
        dir.join(name)
    }
}

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds the socket: first in a directory that only we can enter, so that nobody else can reach it before its mode is set,
/// then moved to its place, which also replaces one that a dead server left.
///
/// # Errors
/// When the data directory does not take it.
pub fn bind(data_dir: &Path) -> io::Result<Socket> {
    let dir = File::open(data_dir)?;
    let inner = format!(".control-{}", std::process::id());
    let private = data_dir.join(&inner);
    let _ = fs::remove_dir_all(&private);
    DirBuilder::new().mode(0o700).create(&private)?;
    let bound =
        UnixListener::bind(short(data_dir, &dir, &format!("{inner}/s"))).and_then(|listener| {
            fs::set_permissions(private.join("s"), Permissions::from_mode(0o600))?;
            fs::rename(private.join("s"), data_dir.join(NAME))?;
            Ok(listener)
        });
    let _ = fs::remove_dir_all(&private);
    Ok(Socket {
        listener: bound?,
        path: data_dir.join(NAME),
    })
}

impl Socket {
    /// Serves until the token is cancelled; returns when the last answer is out.
    pub async fn serve(self, service: Service, stop: CancellationToken) {
        let (clients, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CLIENTS_MAX)));
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                () = stop.cancelled() => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (service, stop) = (service.clone(), stop.clone());
                    clients.spawn(async move {
                        if let Err(error) = client(stream, &service, &stop).await {
                            tracing::debug!(%error, "a control client went away");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket took no client");
                    crate::clock::pause(crate::domain::time::Span::from_s(1)).await;
                }
            }
        }
        let _ = fs::remove_file(&self.path);
        clients.close();
        clients.wait().await;
    }
}

async fn client(
    stream: tokio::net::UnixStream,
    service: &Service,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = tokio::io::BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut read).take(REQUEST_BYTES_MAX);
        let heard = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            heard = tokio::time::timeout(CLIENT_PATIENCE, limited.read_until(b'\n', &mut line)) => heard,
        };
        if heard?? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) if whole => service.answer(request).await,
            Ok(_) => Response::Failed(Failure::input("the request is cut off or too long")),
            Err(e) => Response::Failed(
                Failure::input(format!("the server does not understand the request: {e}"))
                    .hint("is the server of the same version as this command?"),
            ),
        };
        let mut out = serde_json::to_vec(&response)?;
        out.push(b'\n');
        tokio::time::timeout(CLIENT_PATIENCE, write.write_all(&out)).await??;
        if !whole {
            return Ok(());
        }
    }
}

/// How long the answer to a request may take.
const fn patience(request: &Request) -> Duration {
    if matches!(request, Request::Backup { .. } | Request::Verify { .. }) {
        LONG_PATIENCE
    } else {
        ANSWER_PATIENCE
    }
}

/// Asks the server, if one answers in that data directory: `None` when none does.
///
/// # Errors
/// When one does, and the conversation fails.
pub fn ask(data_dir: &Path, request: &Request) -> Result<Option<Response>, Failure> {
    let Ok(dir) = File::open(data_dir) else {
        return Ok(None);
    };
    let mut stream = match UnixStream::connect(short(data_dir, &dir, NAME)) {
        Ok(stream) => stream,
        // None was there, or its server died.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Failure::input(format!(
                "the server's control socket in {} is not for you",
                data_dir.display()
            ))
            .hint("run the command as the user that the server runs as"));
        }
        Err(e) => {
            return Err(Failure::ours(format!(
                "the control socket cannot be used: {e}"
            )));
        }
    };
    let lost = |e: io::Error| {
        let hint = "whether an order was carried out is not known: look, then repeat it";
        Failure::ours(format!("the conversation with the server broke off: {e}")).hint(hint)
    };
    stream
        .set_read_timeout(Some(patience(request)))
        .map_err(lost)?;
    stream
        .set_write_timeout(Some(CLIENT_PATIENCE))
        .map_err(lost)?;
    let mut line = serde_json::to_vec(request).map_err(|e| Failure::ours(e.to_string()))?;
    line.push(b'\n');
    if line.len() as u64 > REQUEST_BYTES_MAX {
        return Err(Failure::input("that is too long a text to ask for"));
    }
    stream.write_all(&line).map_err(lost)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(RESPONSE_BYTES_MAX))
        .read_until(b'\n', &mut answer)
        .map_err(lost)?;
    if !answer.ends_with(b"\n") {
        return Err(lost(io::ErrorKind::UnexpectedEof.into()));
    }
    let response = serde_json::from_slice(&answer);
    response.map(Some).map_err(|e| {
        Failure::ours(format!("the server's answer makes no sense: {e}"))
            .hint("is the server of the same version as this command?")
    })
}
