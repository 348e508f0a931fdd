//! What is not taken now: a full queue, an end under way, a full disk.

use keyward::store::memory::Memory;
use keyward::store::{Batch, Commit, CommitError, FullCause, Seq};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::purchase;
use crate::http::support::{Gate, Server, answer, config, in_time, request};

fn gate() -> (
    Gate,
    Memory,
    tokio::sync::mpsc::UnboundedReceiver<()>,
    std::sync::mpsc::Sender<()>,
) {
    let memory = Memory::new();
    let (arrived, arrivals) = tokio::sync::mpsc::unbounded_channel();
    let (release, go) = std::sync::mpsc::channel();
    (
        Gate {
            inner: memory.clone(),
            arrived,
            go,
        },
        memory,
        arrivals,
        release,
    )
}

#[tokio::test]
async fn a_full_queue_says_come_again() {
    let mut config = config();
    config.http.queue_len_max = 1;
    let (gate, memory, mut arrivals, release) = gate();
    let server = Server::over(config, Box::new(gate), memory).await;
    let mut waiting = Vec::new();
    for n in 1..=2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let body = purchase(n);
        let signature = server.signature(&body);
        stream
            .write_all(&request(
                "stripe",
                &body,
                &[("Stripe-Signature", &signature)],
            ))
            .await
            .unwrap();
        if n == 1 {
            // Its commit waits; whatever comes now stays in the queue.
            in_time(arrivals.recv()).await.unwrap();
        } else {
            in_time(async {
                while server.handle.queue_len() == 0 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        waiting.push(stream);
    }
    let refused = server.post(&purchase(3)).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5"))
    );
    assert_eq!(refused.json()["error"], "busy");
    release.send(()).unwrap();
    release.send(()).unwrap();
    for mut stream in waiting {
        assert_eq!(answer(&mut stream).await.status, 200);
    }
    server.end().await;
}

#[tokio::test]
async fn a_drain_answers_what_was_asked_and_takes_nothing_new() {
    let (gate, memory, mut arrivals, release) = gate();
    let server = Server::over(config(), Box::new(gate), memory).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Keep-alive: the drain has to close it.
    let body = purchase(1);
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: {}\r\n",
        server.signature(&body)
    );
    stream
        .write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .await
        .unwrap();
    let idle = TcpStream::connect(server.address).await.unwrap();
    in_time(arrivals.recv()).await.unwrap();
    server.stop.cancel();
    in_time(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    release.send(()).unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    drop(idle);
    server.end().await;
}

struct Fails(fn() -> CommitError);

impl Commit for Fails {
    fn commit(&mut self, _: &Batch) -> Result<Seq, CommitError> {
        Err(self.0())
    }
}

#[tokio::test]
async fn a_full_disk_says_come_again_and_a_broken_store_says_stop() {
    let full = || {
        CommitError::Full(FullCause::FreeSpace {
            free_bytes: 1,
            needed_bytes: 2,
        })
    };
    let server = Server::over(config(), Box::new(Fails(full)), Memory::new()).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    let refused = server.post(&purchase(1)).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (503, &json!("busy"))
    );
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["full"]), (503, &json!(true)));
    server.end().await;

    let broken = || CommitError::BadKey { key: Vec::new() };
    let server = Server::over(config(), Box::new(Fails(broken)), Memory::new()).await;
    let refused = server.post(&purchase(1)).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (503, &json!("stopping"))
    );
    let ready = server.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["store_open"]),
        (503, &json!(false))
    );
    assert_eq!(server.get("/healthz").await.text, "ok\n");
    server.stop.cancel();
    in_time(server.task).await.unwrap();
}
