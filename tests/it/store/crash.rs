//! Writers that die: killed, and cut off from their disk. What they acknowledged is there, and whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a panic is the finding"
)]

mod full;

use keyward::store::Commit;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use keyward::store::Options;
use keyward::store::sled::Store;

use super::support::{
    assert_holds, batch, copy, noise, number, open, open_sound, options, rounds, settle, write,
};

const CHILD: &str = "KEYWARD_TEST_STORE_CHILD";

/// Not a test of its own: the writer that the others start, and that says after each commit that it is synced.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let (mut writer, reader) = Store::open(Path::new(&dir), options()).unwrap();
    let mut stdout = std::io::stdout();
    for n in number(&reader) + 1.. {
        if writer.commit(&batch(n)).is_err() {
            // As the program does it: no answer, and out at once.
            std::process::exit(2);
        }
        writeln!(stdout, "\nsynced {n}")
            .and_then(|()| stdout.flush())
            .unwrap();
    }
}

/// A child that writes, and what it has said.
struct Writing {
    child: Child,
    synced: Receiver<u64>,
    newest: u64,
}

impl Writing {
    fn start(store: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::crash::child", "--nocapture"])
            .env(CHILD, store)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, synced) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let synced = line.strip_prefix("synced ").and_then(|n| n.parse().ok());
                if synced.is_some_and(|n| send.send(n).is_err()) {
                    return;
                }
            }
        });
        Self {
            child,
            synced,
            newest: 0,
        }
    }

    /// Lets it write some batches more, so that it is struck in the middle of things.
    fn run(&mut self, batches: u64) {
        for _ in 0..batches {
            self.newest = self
                .synced
                .recv_timeout(Duration::from_secs(60))
                .expect("the child writes nothing");
        }
    }

    /// Kills it and says which batch it acknowledged last.
    fn kill(mut self) -> u64 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.synced.iter().last().unwrap_or(self.newest)
    }
}

/// All of `acknowledged` batches, and of the next one all or nothing. Returns how many there are.
fn check(store: &Path, acknowledged: u64) -> u64 {
    let (writer, reader) = open(store).unwrap();
    let found = number(&reader);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&found),
        "{acknowledged} acknowledged, {found} found"
    );
    assert_holds(&reader, found);
    assert!(
        writer
            .report()
            .repaired
            .iter()
            .all(|what| what.contains("never acknowledged")),
        "{:?}",
        writer.report()
    );
    found
}

#[test]
fn killed_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    for round in 0..rounds(5, 50) {
        let mut writing = Writing::start(&store);
        writing.run(5 + round * 37 % 120);
        let acknowledged = writing.kill();
        check(&store, acknowledged);
    }
    drop(open_sound(&store));
}

/// An ext4 of its own that can be cut off from its disk.
struct Cuttable {
    image: PathBuf,
    mount: PathBuf,
}

/// Past the test harness, which hides what passing tests print: what was not tested shall be seen.
fn say(what: &str) {
    std::io::stderr()
        .write_all(format!("{what}\n").as_bytes())
        .unwrap();
}

fn run(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output();
    output.is_ok_and(|output| output.status.success())
}

impl Cuttable {
    /// `None` if this machine does not allow it.
    fn make(dir: &Path) -> Option<Self> {
        let (image, mount) = (dir.join("image"), dir.join("mount"));
        fs::create_dir(&mount).unwrap();
        fs::File::create(&image).unwrap().set_len(1 << 30).unwrap();
        let this = Self { image, mount };
        let made = run("mkfs.ext4", &["-q", "-F", this.image.to_str()?]) && this.attach();
        // A file system that cannot be cut is of no use either.
        let usable = made && this.cut() && this.detach() && this.attach();
        usable.then_some(this)
    }

    fn attach(&self) -> bool {
        run(
            "mount",
            &[
                "-o",
                "loop",
                self.image.to_str().unwrap(),
                self.mount.to_str().unwrap(),
            ],
        )
    }

    fn detach(&self) -> bool {
        (0..100).any(|_| {
            let done = run("umount", &[self.mount.to_str().unwrap()]);
            if !done {
                std::thread::park_timeout(Duration::from_millis(50));
            }
            done
        })
    }

    /// `EXT4_IOC_SHUTDOWN` without flushing the journal: all that was not synced is gone. Perl, because a system call
    /// of one's own needs `unsafe` in Rust, and perl-base is on every Debian.
    fn cut(&self) -> bool {
        let script = "open(my $d, '<', $ARGV[0]) or die; my $f = pack('L', 2); ioctl($d, 0x8004587d, $f) or die";
        let file = self.mount.join("lost+found");
        run("perl", &["-e", script, file.to_str().unwrap()])
    }
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        run("umount", &["-l", self.mount.to_str().unwrap()]);
    }
}

#[test]
fn power_cuts_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Cuttable::make(dir.path()) else {
        let must = std::env::var_os("KEYWARD_POWER_CUTS").is_some_and(|v| v == "required");
        assert!(
            !must,
            "no ext4 can be loop-mounted and shut down here: no power cut was tried"
        );
        eprintln!(
            "POWER CUTS WERE NOT TESTED: no ext4 can be loop-mounted and shut down here; only the replay of torn writes was"
        );
        return;
    };
    let store = disk.mount.join("store");
    let cuts = rounds(10, 50);
    for cut in 0..cuts {
        let mut writing = Writing::start(&store);
        writing.run(3 + cut * 53 % 150);
        assert!(disk.cut());
        let acknowledged = writing.kill();
        assert!(disk.detach() && disk.attach());
        check(&store, acknowledged);
    }
    drop(open_sound(&store));
    say(&format!(
        "power cuts: {cuts} on a loop-mounted ext4, nothing lost"
    ));
}

/// Where each record of a log file begins, by its length field, whose highest bit says that it is packed; and where the last
/// one ends.
fn boundaries(log: &[u8]) -> Vec<usize> {
    let mut at = 44;
    let mut found = vec![at];
    while let Some(len) = log.get(at..at + 4) {
        match u32::from_be_bytes(len.try_into().unwrap()) {
            0 => break,
            len => at += 32 + (len & !(1 << 31)) as usize,
        }
        found.push(at);
    }
    found
}

/// What a power cut may leave, made by hand: the log up to some record and a torn piece of the next, with sled and
/// checkpoint as they were at some sync before.
#[test]
fn torn_writes_at_every_record_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let running = dir.path().join("running");
    let (mut writer, reader) = Store::open(
        &running,
        Options {
            log_file_bytes: 1 << 30,
            ..options()
        },
    )
    .unwrap();
    let mut snapshots = Vec::new();
    for n in [0, 15, 30] {
        write(&mut writer, number(&reader) + 1, n);
        settle(&reader);
        let kept = dir.path().join(format!("at-{n}"));
        copy(&running, &kept);
        snapshots.push((n, kept));
    }
    write(&mut writer, 31, 45);
    let log = fs::read(running.join("log/00000001")).unwrap();
    let records = boundaries(&log);
    assert_eq!(
        records.len(),
        47,
        "the schema's record, 45 of ours, and the end"
    );
    for cut in 0..45 {
        // Record 0 is the schema's, so `records[cut + 1]` is where batch `cut + 1` begins.
        let (begin, end) = (records[cut as usize + 1], records[cut as usize + 2]);
        let torn = begin
            + noise(cut, 1, 2)
                .iter()
                .map(|byte| usize::from(*byte))
                .sum::<usize>()
                * (end - begin)
                / 512;
        let (_, base) = snapshots.iter().rev().find(|(n, _)| *n <= cut).unwrap();
        let store = dir.path().join("store");
        copy(base, &store);
        let mut bytes = log[..torn].to_vec();
        if cut % 2 == 0 {
            // The file was extended, and a page in the middle never arrived.
            bytes.resize(end + 4096, 0);
        }
        fs::write(store.join("log/00000001"), bytes).unwrap();
        let (writer, reader) = open(&store).unwrap();
        assert_holds(&reader, cut);
        drop((writer, reader));
        fs::remove_dir_all(&store).unwrap();
    }
}
