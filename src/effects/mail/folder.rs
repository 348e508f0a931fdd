//! Mail into a folder, one `.eml` file a message: for trying things out, and for a pick-up by something else.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::answer::MailAnswer;

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

async fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder).await?;
    let (temporary, path) = (folder.join(format!(".{name}.tmp")), folder.join(name));
    let mut file = fs::File::create(&temporary).await?;
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

    #[test]
    fn no_message_id_leaves_the_folder() {
        assert_eq!(file_stem("<../../etc/passwd@x>"), "_.._etc_passwd@x");
        assert_eq!(file_stem("<a\0b@x>"), "a_b@x");
    }
}
