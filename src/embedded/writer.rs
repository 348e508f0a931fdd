//! The one writer: gathers what is ordered while the disk is busy, and writes it as one batch. Memory follows the disk,
//! so nobody reads what a crash could undo.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::ServeError;
use super::book::{Book, No, Order, changed, made_anew};
use super::device::device_changed;
use super::key_form::key_from;
use super::key_secret::KeySecret;
use super::ledger::{Ledger, LedgerError};
use super::record::{Record, SplitHead, Status};
use crate::clock::SteadyClock;
use crate::domain::id::LicenseKey;

/// How many orders may wait; past it, whoever orders waits to be heard.
const QUEUE_MAX: usize = 1024;
/// How many orders share one write at most.
const BATCH_MAX: usize = 512;

/// How many bytes go into one write. The store takes twice as many, and no license is that long.
const WRITE_LEN_MAX: usize = 2 << 20;

type OrderResult = Result<Vec<Arc<Record>>, No>;

struct PendingOrder {
    order: Order,
    reply: oneshot::Sender<OrderResult>,
}

/// The way to the writer, and to what it has written.
#[derive(Clone)]
pub(super) struct LedgerWriter {
    orders: mpsc::Sender<PendingOrder>,
    book: Arc<RwLock<Book>>,
}

impl LedgerWriter {
    /// Carries an order out; what it says was done is on disk.
    pub(super) async fn order(&self, order: Order) -> OrderResult {
        let (reply, outcome) = oneshot::channel();
        self.orders
            .send(PendingOrder { order, reply })
            .await
            .map_err(|_| No::Failed)?;
        outcome.await.map_err(|_| No::Failed)?
    }

    /// All that was written. Not to be held for longer than a look.
    pub(super) fn book(&self) -> RwLockReadGuard<'_, Book> {
        read(&self.book)
    }
}

/// The book after a panic elsewhere: each entry is whole, for `put` cannot fail half-way.
fn read(book: &RwLock<Book>) -> RwLockReadGuard<'_, Book> {
    book.read().unwrap_or_else(PoisonError::into_inner)
}

/// Reads every license of a ledger.
pub(super) fn each_license(
    ledger: &mut impl Ledger,
    mut each: impl FnMut(Record),
) -> Result<(), LedgerError> {
    let mut heads = Vec::new();
    ledger.load(&mut |bytes| {
        match SplitHead::of(bytes) {
            Some(head) => heads.push(head),
            None => each(Record::from_bytes(bytes)?),
        }
        Ok(())
    })?;
    for head in heads {
        each(head.join(ledger)?);
    }
    Ok(())
}

/// Reads the ledger and starts the writer. It ends, once the last [`LedgerWriter`] is dropped, with the ledger's last word.
pub(super) async fn start(
    mut ledger: impl Ledger,
    clock: SteadyClock,
    (secret, key_prefix): (KeySecret, Option<String>),
) -> Result<(LedgerWriter, JoinHandle<Result<(), LedgerError>>), ServeError> {
    let loaded: Result<_, JoinError> = spawn_blocking(move || {
        let mut book = Book::default();
        each_license(&mut ledger, |license| book.put(Arc::new(license)))?;
        Ok::<_, LedgerError>((ledger, book))
    })
    .await;
    let (ledger, book) = loaded??;
    let book = Arc::new(RwLock::new(book));
    let (orders, queue) = mpsc::channel(QUEUE_MAX);
    let writing = spawn_blocking({
        let book = Arc::clone(&book);
        let rules = WriterRules {
            clock,
            secret,
            key_prefix,
        };
        move || write(ledger, &book, queue, &rules)
    });
    Ok((LedgerWriter { orders, book }, writing))
}

/// What the writer needs beside the orders.
struct WriterRules {
    clock: SteadyClock,
    /// What new keys come from.
    secret: KeySecret,
    /// What new keys begin with.
    key_prefix: Option<String>,
}

fn write(
    mut ledger: impl Ledger,
    book: &RwLock<Book>,
    mut queue: mpsc::Receiver<PendingOrder>,
    rules: &WriterRules,
) -> Result<(), LedgerError> {
    let mut gathered = Vec::new();
    while queue.blocking_recv_many(&mut gathered, BATCH_MAX) > 0 {
        let mut batch = Batch {
            book,
            last_seq: read(book).last_seq(),
            fresh: HashMap::new(),
        };
        let answers: Vec<_> = gathered
            .drain(..)
            .map(|asked| (asked.reply, batch.carry_out(asked.order, rules)))
            .collect();
        let records: Vec<Arc<Record>> = batch.fresh.into_values().collect();
        let stored = match store(&mut ledger, book, &records) {
            Ok(()) => true,
            Err(LedgerError::Full(_)) => false,
            // Every asker is left without an answer, which they hear as a failure.
            Err(broken @ LedgerError::Broken(_)) => return Err(broken),
        };
        for (reply, outcome) in answers {
            // Whoever asked may have gone; what was done is done.
            let _ = reply.send(if stored { outcome } else { Err(No::Failed) });
        }
    }
    Ok(())
}

/// To disk, then to memory, in pieces that the store takes.
fn store(
    ledger: &mut impl Ledger,
    book: &RwLock<Book>,
    records: &[Arc<Record>],
) -> Result<(), LedgerError> {
    let (mut piece, mut writes, mut len) = (Vec::new(), Vec::new(), 0);
    for record in records {
        let own = record.to_writes()?;
        let own_len: usize = own.iter().map(|(key, value)| key.len() + value.len()).sum();
        if len + own_len > WRITE_LEN_MAX && !piece.is_empty() {
            store_piece(
                ledger,
                book,
                &std::mem::take(&mut piece),
                std::mem::take(&mut writes),
            )?;
            len = 0;
        }
        piece.push(Arc::clone(record));
        writes.extend(own);
        len += own_len;
    }
    if piece.is_empty() {
        return Ok(());
    }
    store_piece(ledger, book, &piece, writes)
}

fn store_piece(
    ledger: &mut impl Ledger,
    book: &RwLock<Book>,
    piece: &[Arc<Record>],
    writes: Vec<(Vec<u8>, Vec<u8>)>,
) -> Result<(), LedgerError> {
    ledger.put(writes)?;
    let mut book = book.write().unwrap_or_else(PoisonError::into_inner);
    piece.iter().for_each(|record| book.put(Arc::clone(record)));
    Ok(())
}

/// What one write will change, seen by the orders that come after in the same batch.
struct Batch<'a> {
    book: &'a RwLock<Book>,
    last_seq: u64,
    fresh: HashMap<LicenseKey, Arc<Record>>,
}

impl Batch<'_> {
    fn get(&self, key: &LicenseKey) -> Option<Arc<Record>> {
        self.fresh
            .get(key)
            .cloned()
            .or_else(|| read(self.book).get(key).cloned())
    }

    fn carry_out(&mut self, order: Order, rules: &WriterRules) -> OrderResult {
        match order {
            Order::Update { key, act } => {
                let record = Arc::new(changed(&*self.get(&key).ok_or(No::NotFound)?, act)?);
                self.fresh.insert(key, Arc::clone(&record));
                Ok(vec![record])
            }
            Order::Program { key, device, act } => {
                let record = self.get(&key).ok_or(No::NotFound)?;
                let changed = device_changed(&record, &device, act, rules.clock.now());
                let record = changed.map_or(record, |changed| {
                    let changed = Arc::new(changed);
                    self.fresh.insert(key, Arc::clone(&changed));
                    changed
                });
                Ok(vec![record])
            }
            Order::Create {
                app_id,
                quantity,
                expires_at,
                devices,
                label,
                key,
            } => {
                if let Some(there) = key.as_ref().and_then(|key| self.get(key)) {
                    let record = Arc::new(made_anew(&there, &app_id, expires_at, devices)?);
                    self.fresh.insert(record.key.clone(), Arc::clone(&record));
                    return Ok(vec![record]);
                }
                let mut made = Vec::new();
                for _ in 0..quantity {
                    self.last_seq += 1;
                    let new_key = || self.new_key(rules, &app_id, label.as_deref());
                    let record = Arc::new(Record {
                        seq: self.last_seq,
                        key: key.clone().unwrap_or_else(new_key),
                        app_id: app_id.clone(),
                        status: Status::Active,
                        expires_at,
                        devices,
                        hwids: Vec::new(),
                        label: label.clone(),
                        created_at: rules.clock.now(),
                        offline: None,
                    });
                    self.fresh.insert(record.key.clone(), Arc::clone(&record));
                    made.push(record);
                }
                Ok(made)
            }
        }
    }

    /// A key that nobody has. By its label it is the same in every copy of the store that does not have the license.
    fn new_key(&self, rules: &WriterRules, app: &str, label: Option<&str>) -> LicenseKey {
        let prefix = rules.key_prefix.as_deref();
        let made = (0..).map(|nth| match label {
            Some(label) => rules.secret.key(prefix, (app, label), nth),
            None => key_from(prefix, rand::random()),
        });
        let mut free = made.filter(|key| self.get(key).is_none());
        // So many keys are in no book.
        free.next()
            .unwrap_or_else(|| key_from(prefix, rand::random()))
    }
}

#[cfg(test)]
mod tests;
