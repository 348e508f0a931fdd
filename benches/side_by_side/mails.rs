//! Mails that wait for a mail server must cost nothing but room, and a slow one must not hold up what is sold meanwhile.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyward::clock::Stopwatch;

use crate::backlog::{ratios, sell, stretches};
use crate::measure::{memory_at_rest, wait_for_a_whole_second};
use crate::proc;
use crate::report::{Limit, Report, figure, line};
use crate::server::{Server, free_port, nap};
use crate::service::Service;
use crate::settings::Settings;

/// What the slow server takes for a mail.
const SLOW: Duration = Duration::from_millis(200);
/// Mails that Keyward hands over side by side.
const AT_ONCE: f64 = 4.0;
/// How long the idle server is watched.
const IDLE: Duration = Duration::from_secs(60);
/// How long a slow mail server is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// How long the licenses are waited for, whose mails are to wait.
const LICENSES_LIMIT: Duration = Duration::from_secs(600);

/// Measures.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let waiting = settings.waiting;
    line(&format!(
        "\nMails: {waiting} wait for a mail server that is down"
    ));
    let (service, smtp) = (Service::start_anywhere(Duration::ZERO)?, free_port()?);
    let server = Server::start_mailing(settings, service.port(), smtp)?;
    wait_for_a_whole_second()?;
    let mut sold = 0;
    let none = stretches(&server, &mut sold)?;
    all_made(&service, sold)?;
    let (at_first, memory_before) = (sold, memory_at_rest(&server)?);
    sell(&server, &mut sold, waiting - at_first)?;
    all_made(&service, sold)?;
    let memory_after = memory_at_rest(&server)?;
    let many = stretches(&server, &mut sold)?;
    ratios(report, &format!("{waiting} mails waiting"), &none, &many);
    let grown = (memory_after.now_mib - memory_before.now_mib) * 1024.0 * 1024.0;
    line(&format!(
        "  memory: {} MiB with {at_first} waiting, {} MiB with {waiting}: {} bytes each",
        figure(memory_before.now_mib),
        figure(memory_after.now_mib),
        figure(grown / (waiting - at_first) as f64)
    ));
    all_made(&service, sold)?;
    let idle_before = proc::cpu(server.pid())?;
    nap(IDLE);
    let idle = proc::cpu(server.pid())?.saturating_sub(idle_before);
    report.check(
        "CPU while the mail server is down, share of a core",
        idle.as_secs_f64() / IDLE.as_secs_f64(),
        Limit::AtMost(0.02),
    );
    slow(&server, smtp, &mut sold, report, &none)
}

/// The mail server comes back, slow: it is kept busy, and sales cost what they did.
fn slow(
    server: &Server,
    smtp: u16,
    sold: &mut usize,
    report: &mut Report,
    none: &[[f64; 2]],
) -> Result<()> {
    let mails = MailServer::start(smtp)?;
    let watch = Stopwatch::start();
    // It is tried again by itself, at the latest after so long.
    while mails.taken() == 0 {
        ensure!(watch.elapsed() < LICENSES_LIMIT, "no mail came");
        nap(Duration::from_millis(50));
    }
    let (before, watch) = (mails.taken(), Stopwatch::start());
    nap(WATCHED);
    let taken = (mails.taken() - before) as f64;
    report.check(
        "a mail server of 200 ms: how busy it is kept",
        taken * SLOW.as_secs_f64() / (AT_ONCE * watch.elapsed().as_secs_f64()),
        Limit::AtLeast(0.9),
    );
    let meanwhile = stretches(server, sold)?;
    ratios(report, "mails going out slowly", none, &meanwhile);
    Ok(())
}

fn all_made(service: &Service, sold: usize) -> Result<()> {
    let watch = Stopwatch::start();
    while service.made()? < sold {
        ensure!(
            watch.elapsed() < LICENSES_LIMIT,
            "{} licenses of {sold}",
            service.made()?
        );
        nap(Duration::from_millis(20));
    }
    Ok(())
}

/// A mail server that takes everything, slowly. It lives as long as the bench.
struct MailServer(Arc<AtomicUsize>);

impl MailServer {
    fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // Whoever hangs up has what he wanted.
                std::thread::spawn(move || serve(&stream, &counter).ok());
            }
        });
        Ok(Self(taken))
    }

    fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn serve(stream: &TcpStream, taken: &AtomicUsize) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut lines, mut out) = (BufReader::new(stream.try_clone()?).lines(), stream);
    out.write_all(b"220 bench\r\n")?;
    while let Some(said) = lines.next().transpose()? {
        let verb = said.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                while lines.next().context("the mail was cut off")?? != "." {}
                nap(SLOW);
                taken.fetch_add(1, Ordering::Relaxed);
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        out.write_all(answer)?;
    }
    Ok(())
}
