//! What another binary makes of a history. It may be any program: one that hangs is ended.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde::Deserialize;

use super::Outcome;
use crate::admin::Failure;
use crate::clock::Stopwatch;

/// So long a binary may say nothing at least: it answers when it has played everything.
const SILENCE_MIN: Duration = Duration::from_secs(300);
/// And so many times as long as this version took for the same history.
const SILENCE_OF_OURS: u32 = 10;
/// Pieces of the answer that wait to be read.
const PIECES_MAX: usize = 4;
const PIECE_LEN: usize = 64 * 1024;
/// Nobody tells when a process has ended: it is looked at so often.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// What came of a history in one binary.
#[derive(Debug, Deserialize)]
struct Played {
    machines: Vec<Outcome>,
}

/// How long a binary may say nothing, where this version took so long.
pub(super) fn patience(ours: Duration) -> Duration {
    SILENCE_MIN.max(ours.saturating_mul(SILENCE_OF_OURS))
}

/// What a binary makes of the history. `patience` is how long it may say nothing; absent: as long as it likes.
///
/// # Errors
/// That it could not, or hangs.
pub(super) fn played(
    binary: &Path,
    config: &Path,
    history: &Path,
    patience: Option<Duration>,
) -> Result<Vec<Outcome>, Failure> {
    let cannot = |why: String| Failure::input(format!("{} {why}", binary.display()));
    let mut child = Command::new(binary)
        .args(["replay", "--format", "json", "--config"])
        .args([config, history])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| cannot(format!("cannot be run: {e}")))?;
    let out = child
        .stdout
        .take()
        .ok_or_else(|| cannot("gives nothing".to_owned()))?;
    let mut answer = SpokenAnswer::of(out, patience);
    let read: Result<Played, _> = serde_json::from_reader(BufReader::new(&mut answer));
    // What cannot be read is read to its end all the same, so that its writer is not stopped by that.
    let _ = io::copy(&mut answer, &mut io::sink());
    let ended = if answer.is_silent {
        None
    } else {
        ended(&mut child, patience).map_err(|e| cannot(format!("was lost: {e}")))?
    };
    let Some(ended) = ended else {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        let _ = child.wait();
        let s = patience.unwrap_or_default().as_secs();
        return Err(
            cannot(format!("said nothing for {s} s and did not end: it hangs")).hint(
                "it was ended. Is it a keyward? `--version` says so; this version played the same history in far less",
            ),
        );
    };
    if !ended.success() {
        return Err(cannot(
            "could not play the history; what it said stands above".to_owned(),
        ));
    }
    let played =
        read.map_err(|e| cannot(format!("answers in a form that is not read here: {e}")))?;
    Ok(played.machines)
}

/// Waits for a process that has said everything; `None`: it does not end.
fn ended(child: &mut Child, patience: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let Some(patience) = patience else {
        return child.wait().map(Some);
    };
    let waited = Stopwatch::start();
    loop {
        let ended = child.try_wait()?;
        if ended.is_some() || waited.elapsed() > patience {
            return Ok(ended);
        }
        std::thread::park_timeout(CHECK_EVERY);
    }
}

/// What a process says, piece by piece.
struct SpokenAnswer {
    pieces: Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
    patience: Option<Duration>,
    /// Whether it said nothing for too long.
    is_silent: bool,
}

impl SpokenAnswer {
    fn of(mut out: impl Read + Send + 'static, patience: Option<Duration>) -> Self {
        let (sender, pieces) = sync_channel(PIECES_MAX);
        // It ends with the process, or with whoever reads the answer.
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE_LEN];
            while let Ok(len @ 1..) = out.read(&mut piece) {
                if sender.send(piece[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            piece: io::Cursor::default(),
            patience,
            is_silent: false,
        }
    }

    /// The next piece; `None`: that was all.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let silent = || io::Error::from(io::ErrorKind::TimedOut);
        if self.is_silent {
            return Err(silent());
        }
        match self
            .patience
            .map(|patience| self.pieces.recv_timeout(patience))
        {
            None => Ok(self.pieces.recv().ok()),
            Some(Ok(piece)) => Ok(Some(piece)),
            Some(Err(RecvTimeoutError::Disconnected)) => Ok(None),
            Some(Err(RecvTimeoutError::Timeout)) => {
                self.is_silent = true;
                Err(silent())
            }
        }
    }
}

impl Read for SpokenAnswer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.piece.read(buffer)?;
            if len > 0 || buffer.is_empty() {
                return Ok(len);
            }
            match self.next()? {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(script: &str, patience: Duration) -> Result<Vec<Outcome>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("other");
        // Written by another process: a file that is open for writing here is so in whatever another test starts meanwhile, too,
        // and what is open for writing cannot be started.
        let writes = Command::new("sh")
            .args([
                "-c",
                "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"",
                "sh",
            ])
            .arg(format!("#!/bin/sh\n{script}\n"))
            .arg(&binary)
            .status();
        assert!(writes.unwrap().success());
        played(&binary, dir.path(), dir.path(), Some(patience))
    }

    #[test]
    fn a_binary_that_hangs_is_ended_and_told() {
        let hangs = [
            "exec sleep 100000",
            "printf '{\"machines\"'; exec sleep 100000",
            "printf '{\"machines\":[]}'; exec >&-; exec sleep 100000",
        ];
        for script in hangs {
            let told = made_of(script, Duration::from_millis(300)).unwrap_err();
            assert!(told.message.contains("it hangs"), "{script}: {told}");
        }
    }

    #[test]
    fn one_that_speaks_is_heard_to_its_end() {
        let patience = Duration::from_secs(600);
        assert_eq!(made_of("echo '{\"machines\":[]}'", patience), Ok(vec![]));
        for (script, says) in [
            ("echo no", "in a form that is not read here"),
            ("exit 3", "could not play the history"),
        ] {
            let told = made_of(script, patience).unwrap_err();
            assert!(told.message.contains(says), "{script}: {told}");
        }
        assert!(super::patience(Duration::from_secs(3600)) > Duration::from_secs(3600));
    }
}
