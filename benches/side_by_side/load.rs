//! The load generator: requests that are ready as bytes, over keep-alive connections, each answered before the next. It
//! speaks just enough HTTP/1.1 to cost little beside the server that it measures.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use keyward::clock::{Stopwatch, pause};
use keyward::domain::time::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proc;
use crate::purchase::Requests;

/// How many connections Stripe is played with.
pub(crate) const CONNECTIONS: usize = 64;
/// No answer for so long means that the server hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// A server may say 503 so often to one delivery before the run is given up.
const TRIES_MAX: u32 = 1_000;
/// A refused delivery comes again after this; Stripe would wait longer.
const COME_AGAIN: Span = Span::from_ms(20);
/// The head of an answer fits into this.
const ANSWER_MAX: usize = 32 * 1024;

/// What a run of requests showed.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// From the first byte sent to the last acknowledgement.
    pub(crate) elapsed: Duration,
    /// One per request, from its first sending to its 2xx.
    pub(crate) latencies_us: Vec<u32>,
    /// Deliveries that were told to come again (429 or 503).
    pub(crate) refused: usize,
    /// Acknowledgements in each second of the run.
    pub(crate) per_second: Vec<usize>,
    /// CPU that the load generator itself had used at the end of each second.
    pub(crate) own_cpu: Vec<Duration>,
}

/// Where requests come from: each is asked for once, when a connection is free.
pub(crate) type Next = Box<dyn FnMut() -> Result<Option<Rc<[u8]>>>>;

impl Load {
    /// Adds a later run's figures.
    pub(crate) fn add(&mut self, later: Self) {
        self.elapsed += later.elapsed;
        self.latencies_us.extend(later.latencies_us);
        self.refused += later.refused;
        let seconds = self.per_second.len().max(later.per_second.len());
        self.per_second.resize(seconds, 0);
        for (all, later) in self.per_second.iter_mut().zip(later.per_second) {
            *all += later;
        }
    }

    fn answered(&mut self, after: Duration, since_start: Duration) {
        let us = after.as_micros();
        self.latencies_us
            .push(u32::try_from(us).unwrap_or(u32::MAX));
        let second = usize::try_from(since_start.as_secs()).unwrap_or(usize::MAX);
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        self.per_second[second] += 1;
    }

    /// CPU that the load generator itself used for an acknowledgement in some seconds, in ms. Its work is the same from the
    /// first second to the last, so that what changes in this is the machine.
    pub(crate) fn own_ms(&self, seconds: Range<usize>) -> Option<f64> {
        let (from, to) = (seconds.start.checked_sub(1), seconds.end.checked_sub(1)?);
        let before = from.map_or(Some(&Duration::ZERO), |n| self.own_cpu.get(n))?;
        let used = self.own_cpu.get(to)?.checked_sub(*before)?;
        let acks: usize = self.per_second.get(seconds)?.iter().sum();
        Some(used.as_secs_f64() * 1e3 / acks as f64)
    }

    /// Acknowledgements a second.
    pub(crate) fn acks_per_s(&self) -> f64 {
        self.latencies_us.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// A latency in milliseconds that so many per cent do not exceed.
    pub(crate) fn percentile_ms(&self, per_cent: usize) -> f64 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * per_cent).div_ceil(100).saturating_sub(1);
        sorted.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1e3)
    }
}

/// Sends all requests and waits until each is acknowledged.
pub(crate) fn send(requests: Requests, port: u16) -> Result<Load> {
    let mut requests = requests.into_iter();
    send_all(Box::new(move || Ok(requests.next().map(Rc::from))), port)
}

/// Sends what it is given until that ends, and waits until each is acknowledged.
pub(crate) fn send_all(next: Next, port: u16) -> Result<Load> {
    let next = Rc::new(RefCell::new(next));
    on_connections(|_, watch| connection(Rc::clone(&next), watch, port))
}

/// Sends so many requests a second for a time, in turn over all connections. One that its connection could not send when it
/// was due, for the last answer was late, counts from when it was due.
pub(crate) fn send_paced(next: Next, port: u16, per_s: u64, lasting: Duration) -> Result<Load> {
    let next = Rc::new(RefCell::new(next));
    let due = move |n: u64| Duration::from_micros(n * 1_000_000 / per_s);
    on_connections(|first, watch| {
        let turns = (0_u64..).map(move |turn| due(first + turn * CONNECTIONS as u64));
        let dues = turns.take_while(move |due| *due < lasting);
        paced(Rc::clone(&next), watch, dues, port)
    })
}

/// Runs what each connection does, by its number and the watch that they share, and adds up what it showed.
fn on_connections<F>(does: impl Fn(u64, Rc<Stopwatch>) -> F) -> Result<Load>
where
    F: Future<Output = Result<Load>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let watch = Rc::new(Stopwatch::start());
        let connections: Vec<_> = (0..CONNECTIONS as u64)
            .map(|number| tokio::task::spawn_local(does(number, Rc::clone(&watch))))
            .collect();
        let used = Rc::new(RefCell::new(Vec::new()));
        let noting = tokio::task::spawn_local(note_own_cpu(Rc::clone(&used)));
        let mut load = Load::default();
        for connection in connections {
            load.add(connection.await.context("a connection's task")??);
        }
        load.elapsed = watch.elapsed();
        noting.abort();
        load.own_cpu = used.take();
        Ok(load)
    })
}

/// Notes at the end of each second what CPU this process has used since the first.
async fn note_own_cpu(used: Rc<RefCell<Vec<Duration>>>) -> Result<()> {
    let before = proc::own_cpu()?;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.tick().await;
    loop {
        seconds.tick().await;
        let now = proc::own_cpu()?;
        used.borrow_mut().push(now.saturating_sub(before));
    }
}

async fn paced(
    next: Rc<RefCell<Next>>,
    since: Rc<Stopwatch>,
    dues: impl Iterator<Item = Duration>,
    port: u16,
) -> Result<Load> {
    let mut load = Load::default();
    let mut stream = connect(port).await?;
    let mut buffer = vec![0; ANSWER_MAX];
    for due in dues {
        let Some(request) = (next.borrow_mut())()? else {
            return Ok(load);
        };
        let late = since.elapsed().saturating_sub(due);
        if late.is_zero() {
            let ms = due.saturating_sub(since.elapsed()).as_millis();
            pause(Span::from_ms(i64::try_from(ms)?)).await;
        }
        let watch = Stopwatch::start();
        let answer = exchange(&mut stream, &request, &mut buffer);
        let answer = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        let answer = answer.context("the server did not answer")??;
        ensure!(
            answer.status == 200,
            "a question was answered with {}",
            answer.status
        );
        ensure!(!answer.close, "the server closed a connection");
        load.answered(watch.elapsed() + late, since.elapsed());
    }
    Ok(load)
}

async fn connection(next: Rc<RefCell<Next>>, since: Rc<Stopwatch>, port: u16) -> Result<Load> {
    let mut load = Load::default();
    let mut stream = connect(port).await?;
    let mut buffer = vec![0; ANSWER_MAX];
    loop {
        let request = (next.borrow_mut())()?;
        let Some(request) = request else {
            return Ok(load);
        };
        let watch = Stopwatch::start();
        let mut tries = 0;
        loop {
            let answer =
                tokio::time::timeout(ANSWER_LIMIT, exchange(&mut stream, &request, &mut buffer));
            let answer = answer
                .await
                .context("the server did not answer")?
                .context("the server broke a connection")?;
            if answer.close {
                stream = connect(port).await?;
            }
            match answer.status {
                200..=299 => break,
                429 | 503 if tries < TRIES_MAX => {
                    tries += 1;
                    load.refused += 1;
                    pause(COME_AGAIN).await;
                }
                status => bail!("a delivery was answered with {status} (try {})", tries + 1),
            }
        }
        load.answered(watch.elapsed(), since.elapsed());
    }
}

async fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .context("connecting to the server")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[derive(Debug)]
struct Answer {
    status: u16,
    close: bool,
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> Result<Answer> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        ensure!(
            filled < buffer.len(),
            "an answer of more than {ANSWER_MAX} bytes"
        );
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "closed before the answer was whole");
        filled += read;
        if let Some(answer) = whole(&buffer[..filled])? {
            return Ok(answer);
        }
    }
}

/// The answer, if all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("the answer's head")?;
    let status = head
        .get(9..12)
        .and_then(|s| s.parse().ok())
        .with_context(|| format!("not a status line: {head}"))?;
    let (mut length, mut close, mut chunked) = (0, false, false);
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value
                .parse()
                .with_context(|| format!("not a length: {value}"))?;
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let body = &bytes[end + 4..];
    let complete = if chunked {
        body.ends_with(b"0\r\n\r\n")
    } else {
        body.len() >= length
    };
    Ok(complete.then_some(Answer { status, close }))
}
