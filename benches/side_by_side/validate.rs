//! Programs that ask the embedded license service at a steady rate, while the shop goes on selling.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyward::clock::Stopwatch;

use crate::load::{Load, send, send_paced};
use crate::measure::wait_for_a_whole_second;
use crate::proc;
use crate::purchase::{self, APP};
use crate::report::{Limit, Report, figure, line};
use crate::server::{Server, nap};
use crate::settings::Settings;

/// Licenses that are asked about.
const LICENSES: usize = 1_000;
/// Questions a second.
const PER_S: u64 = 5_000;
/// Purchases a second beside them: a shop that sells four million licenses a day is busy.
const SALES_PER_S: u64 = 50;
/// Visitors that take turns: each may ask 20 times a second.
const VISITORS: usize = 10_000;
/// How long the licenses' mails are waited for.
const MAIL_LIMIT: Duration = Duration::from_secs(120);

/// Measures validations.
pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let server = Server::start_embedded(settings)?;
    wait_for_a_whole_second()?;
    send(purchase::requests(0, LICENSES)?, server.port)?;
    let keys = keys(&server.folder().join("mail"))?;
    let activate: Vec<_> = (0..LICENSES)
        .map(|n| question("activate", &keys, n))
        .collect();
    send(activate, server.port)?;
    let lasting = Duration::from_secs(settings.seconds);
    let alone = ask(&server, &keys, lasting)?;
    let port = server.port;
    let shop = std::thread::spawn(move || sell(port, lasting));
    let before = proc::cpu(server.pid())?;
    let beside = ask(&server, &keys, lasting);
    let cpu = proc::cpu(server.pid())?.saturating_sub(before);
    let sold = shop.join().ok().context("the shop's thread")??;
    let beside = beside?;
    line(&format!(
        "\n{} s of {PER_S} validations a second, {LICENSES} licenses; beside it {sold} purchases",
        settings.seconds
    ));
    for (name, load) in [("alone", &alone), ("beside sales", &beside)] {
        line(&format!(
            "  {name:<14} {:>8} a second, p50 {} ms, p99 {} ms",
            figure(load.acks_per_s()),
            figure(load.percentile_ms(50)),
            figure(load.percentile_ms(99))
        ));
    }
    line(&format!(
        "  CPU with the sales, of one core: {}",
        figure(cpu.as_secs_f64() / lasting.as_secs_f64())
    ));
    report.check(
        "validations a second beside sales / asked for",
        beside.acks_per_s() / PER_S as f64,
        Limit::AtLeast(0.99),
    );
    report.check(
        "validation beside sales: p99, ms",
        beside.percentile_ms(99),
        Limit::AtMost(2.0),
    );
    Ok(())
}

/// Asks at the rate for a time.
fn ask(server: &Server, keys: &[String], lasting: Duration) -> Result<Load> {
    let (keys, mut n) = (keys.to_vec(), 0);
    let next = move || {
        n += 1;
        Ok(Some(Rc::from(question("validate", &keys, n))))
    };
    send_paced(Box::new(next), server.port, PER_S, lasting)
}

/// Sells at a steady rate, as the customers of a busy shop come; how many.
fn sell(port: u16, lasting: Duration) -> Result<usize> {
    let mut purchases = purchase::endless(LICENSES);
    let next = move || purchases().map(|request| Some(Rc::from(request)));
    Ok(send_paced(Box::new(next), port, SALES_PER_S, lasting)?
        .latencies_us
        .len())
}

/// A question as a program asks it, behind a proxy that names its visitor.
fn question(call: &str, keys: &[String], n: usize) -> Vec<u8> {
    let (license, visitor) = (n % keys.len(), n % VISITORS);
    let body = format!(
        r#"{{"key":"{}","app":"{APP}","device":"bench-device-{license}","nonce":"bench-{n:020}"}}"#,
        keys[license]
    );
    let (high, low) = (visitor / 250, visitor % 250);
    format!(
        "POST /licenses/v1/{call} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 10.0.{high}.{low}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The keys that were mailed, once all are there.
fn keys(mails: &Path) -> Result<Vec<String>> {
    let watch = Stopwatch::start();
    loop {
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(mails).into_iter().flatten() {
            let mail = std::fs::read_to_string(entry?.path()).unwrap_or_default();
            keys.extend(mail.lines().find_map(key).map(str::to_owned));
        }
        if keys.len() >= LICENSES {
            return Ok(keys);
        }
        ensure!(
            watch.elapsed() < MAIL_LIMIT,
            "{} keys of {LICENSES} were mailed after {MAIL_LIMIT:?}",
            keys.len()
        );
        nap(Duration::from_millis(100));
    }
}

/// The key in a mail's line: five groups of four.
fn key(text: &str) -> Option<&str> {
    let word = text.trim();
    let group = |g: &str| g.len() == 4 && g.bytes().all(|b| b.is_ascii_alphanumeric());
    (word.split('-').count() == 5 && word.split('-').all(group)).then_some(word)
}
