//! Mail into a folder, one `.eml` file a message: for trying things out, and for a pick-up by something else.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::answer::MailAnswer;

/// The mode of a mail, which holds keys and an address.
const OWNER_S_FILE: u32 = 0o600;
/// The mode of their folder.
const OWNER_S_FOLDER: u32 = 0o700;

/// Writes the message so that nobody ever sees half of it. Its name comes from the Message-ID: a mail that is sent again
/// replaces itself.
pub(super) async fn deliver(folder: &Path, message_id: &str, bytes: &[u8]) -> MailAnswer {
    let name = format!("{}.eml", file_stem(message_id));
    match write(folder, &name, bytes).await {
        Ok(path) => MailAnswer::Sent {
            response: path.display().to_string(),
        },
        Err(why) => failed(folder, &why),
    }
}

/// Whether mail could be written there.
pub(super) async fn check(folder: &Path) -> Result<(), io::Error> {
    let probe = write(folder, ".keyward-check", b"").await?;
    fs::remove_file(probe).await
}

/// Makes the folder if it is missing, for nobody but us to look into. One that was made for this keeps its mode: somebody may
/// have chosen who picks the mails up.
async fn make(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).await?;
    }
    match fs::DirBuilder::new()
        .mode(OWNER_S_FOLDER)
        .create(folder)
        .await
    {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

async fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    make(folder).await?;
    let (temporary, path) = (folder.join(format!(".{name}.tmp")), folder.join(name));
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    let mut file = options.mode(OWNER_S_FILE).open(&temporary).await?;
    // One that a crash left keeps the mode that it had.
    let owner_s = std::fs::Permissions::from_mode(OWNER_S_FILE);
    file.set_permissions(owner_s).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    drop(file);
    fs::rename(&temporary, &path).await?;
    // The name itself is on the disk only when its folder is.
    fs::File::open(folder).await?.sync_all().await?;
    Ok(path)
}

fn failed(folder: &Path, why: &io::Error) -> MailAnswer {
    use io::ErrorKind as Kind;
    let told = format!("cannot write to {}: {why}", folder.display());
    let operator = [
        Kind::PermissionDenied,
        Kind::NotADirectory,
        Kind::AlreadyExists,
        Kind::ReadOnlyFilesystem,
    ];
    if operator.contains(&why.kind()) {
        MailAnswer::Refused { why: told }
    } else {
        MailAnswer::Again {
            after: None,
            why: told,
        }
    }
}

/// The Message-ID without what file names do not like.
fn file_stem(message_id: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@') {
            c
        } else {
            '_'
        }
    };
    let stem: String = message_id
        .trim_matches(['<', '>'])
        .chars()
        .map(plain)
        .take(120)
        .collect();
    stem.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_sent_again_replaces_itself() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("mail/out");
        for text in ["first", "second"] {
            let answer = deliver(&folder, "<abc@example.com>", text.as_bytes()).await;
            assert!(matches!(answer, MailAnswer::Sent { .. }), "{answer:?}");
        }
        assert_eq!(
            std::fs::read_to_string(folder.join("abc@example.com.eml")).unwrap(),
            "second"
        );
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing else is left"
        );
        check(&folder).await.unwrap();
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().count(),
            1,
            "the check cleans up"
        );
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_the_operator_s() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        let answer = deliver(&home.path().join("file"), "<abc@example.com>", b"").await;
        assert!(matches!(answer, MailAnswer::Refused { .. }), "{answer:?}");
    }

    /// Whatever the umask, which here can only be more generous than the modes.
    #[tokio::test]
    async fn mails_are_nobody_else_s_to_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("mail/out");
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        deliver(&folder, "<abc@example.com>", b"").await;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("abc@example.com.eml")), 0o600);
        let left = folder.join(".abc@example.com.eml.tmp");
        std::fs::write(&left, "").unwrap();
        std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
        deliver(&folder, "<abc@example.com>", b"").await;
        assert_eq!(mode(&folder.join("abc@example.com.eml")), 0o600);
    }

    #[test]
    fn no_message_id_leaves_the_folder() {
        assert_eq!(file_stem("<../../etc/passwd@x>"), "_.._etc_passwd@x");
        assert_eq!(file_stem("<a\0b@x>"), "a_b@x");
    }
}
