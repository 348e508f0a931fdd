//! A mail server that takes everything and shows it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A part of a recipient's line, and the answer to it.
pub(crate) type Refused = (&'static str, &'static str);

/// The server.
pub(crate) struct MailSink {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
    /// What it answers to recipients that it refuses.
    pub(crate) refuses: Arc<Mutex<Vec<Refused>>>,
}

impl MailSink {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<String>>>::default();
        let into = Arc::clone(&taken);
        let refuses = Arc::<Mutex<Vec<Refused>>>::default();
        let refused = Arc::clone(&refuses);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let into = Arc::clone(&into);
                let refused = refused.lock().unwrap().clone();
                tokio::spawn(async move {
                    if let Ok(Some(mail)) = talk(stream, &refused).await {
                        into.lock().unwrap().push(mail);
                    }
                });
            }
        });
        Self {
            address,
            taken,
            refuses,
        }
    }

    /// Every mail so far, as it came, with soft line breaks taken out.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

/// One conversation, and the mail that was taken in it.
async fn talk(stream: TcpStream, refused: &[Refused]) -> std::io::Result<Option<String>> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let (mut line, mut mail, mut in_data) = (String::new(), None::<String>, false);
    while stream.read_line(&mut line).await? > 0 {
        let word = line.trim_end().to_ascii_uppercase();
        let reply = match word.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                "250 taken\r\n"
            }
            _ if in_data => {
                let mail = mail.get_or_insert_default();
                mail.push_str(line.trim_end_matches(['\r', '\n']).trim_end_matches('='));
                if !line.trim_end().ends_with('=') {
                    mail.push('\n');
                }
                ""
            }
            "RCPT" => refused
                .iter()
                .find(|(to, _)| line.contains(to))
                .map_or("250 ok\r\n", |(_, answer)| *answer),
            "DATA" => {
                in_data = true;
                "354 go on\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                break;
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(reply.as_bytes()).await?;
        line.clear();
    }
    Ok(mail)
}
