//! The one writer: gathers what is ordered while the disk is busy, and writes it as one batch. Memory follows the disk,
//! so nobody reads what a crash could undo.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::ServeError;
use super::book::{Book, No, Order, changed};
use super::device::device_changed;
use super::key_form::key_from;
use super::ledger::{Ledger, LedgerError};
use super::record::{Record, Status};
use crate::clock::Clock;
use crate::domain::id::LicenseKey;

/// How many orders may wait; past it, whoever orders waits to be heard.
const QUEUE_MAX: usize = 1024;
/// How many orders share one write at most.
const BATCH_MAX: usize = 512;

/// How many licenses go into one write: below 1 KB each, so that 4 MiB are never reached.
const WRITE_MAX: usize = 4000;

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

/// Reads the ledger and starts the writer. It ends, once the last [`LedgerWriter`] is dropped, with the ledger's last word.
pub(super) async fn start(
    mut ledger: impl Ledger,
    clock: Clock,
    key_prefix: Option<String>,
) -> Result<(LedgerWriter, JoinHandle<Result<(), LedgerError>>), ServeError> {
    let loaded: Result<_, JoinError> = spawn_blocking(move || {
        let mut book = Book::default();
        let read = ledger.load(&mut |bytes| {
            book.put(Arc::new(Record::from_bytes(bytes)?));
            Ok(())
        });
        read.map(|()| (ledger, book))
    })
    .await;
    let (ledger, book) = loaded??;
    let book = Arc::new(RwLock::new(book));
    let (orders, queue) = mpsc::channel(QUEUE_MAX);
    let writing = spawn_blocking({
        let book = Arc::clone(&book);
        let rules = WriterRules { clock, key_prefix };
        move || write(ledger, &book, queue, &rules)
    });
    Ok((LedgerWriter { orders, book }, writing))
}

/// What the writer needs beside the orders.
struct WriterRules {
    clock: Clock,
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
    for piece in records.chunks(WRITE_MAX) {
        let writes = piece.iter().map(|r| Ok((r.store_key(), r.to_bytes()?)));
        ledger.put(writes.collect::<Result<_, LedgerError>>()?)?;
        let mut book = book.write().unwrap_or_else(PoisonError::into_inner);
        piece.iter().for_each(|record| book.put(Arc::clone(record)));
    }
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
            } => {
                let mut made = Vec::new();
                for _ in 0..quantity {
                    self.last_seq += 1;
                    let record = Arc::new(Record {
                        seq: self.last_seq,
                        key: self.new_key(rules.key_prefix.as_deref()),
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

    fn new_key(&self, prefix: Option<&str>) -> LicenseKey {
        loop {
            let key = key_from(prefix, rand::random());
            if self.get(&key).is_none() {
                return key;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::super::ledger::MemoryLedger;
    use super::*;
    use crate::domain::plan::Devices;
    use crate::domain::time::Timestamp;

    /// Says when a write begins, and writes when told whether it goes well.
    struct Gated {
        began: mpsc::UnboundedSender<usize>,
        go: std_mpsc::Receiver<bool>,
    }

    impl Ledger for Gated {
        fn load(
            &mut self,
            _: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
        ) -> Result<(), LedgerError> {
            Ok(())
        }
        fn get(&mut self, _: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
            Ok(None)
        }
        fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
            self.began.send(writes.len()).unwrap();
            if self.go.recv().unwrap() {
                Ok(())
            } else {
                Err(LedgerError::Broken("the disk failed".into()))
            }
        }
    }

    fn create() -> Order {
        let expires_at = None;
        Order::Create {
            app_id: "app".into(),
            quantity: 1,
            expires_at,
            devices: Devices::Count(1),
            label: None,
        }
    }

    #[tokio::test]
    async fn what_is_ordered_while_the_disk_is_busy_shares_the_next_write() {
        let (began, mut begun) = mpsc::unbounded_channel();
        let (go, gate) = std_mpsc::channel();
        let clock = Clock::virtual_at(Timestamp::from_s(0));
        let (writer, ended) = start(Gated { began, go: gate }, clock, None).await.unwrap();
        let order = || {
            tokio::spawn({
                let writer = writer.clone();
                async move { writer.order(create()).await }
            })
        };
        let first = order();
        assert_eq!(begun.recv().await, Some(1));
        let rest: Vec<_> = (0..50).map(|_| order()).collect();
        // On this runtime of one thread each of them runs up to its wait for the reply.
        tokio::task::yield_now().await;
        assert!(
            !first.is_finished(),
            "nobody is answered before the disk has it"
        );
        assert!(
            writer.book().page("app", None, 0, 9).0.is_empty(),
            "and nobody reads it"
        );
        go.send(true).unwrap();
        assert_eq!(begun.recv().await, Some(50));
        let made = first.await.unwrap().unwrap();
        assert_eq!(writer.book().page("app", None, 0, 9).0, made);
        go.send(false).unwrap();
        for one in rest {
            assert_eq!(one.await.unwrap(), Err(No::Failed));
        }
        assert_eq!(
            writer.order(create()).await,
            Err(No::Failed),
            "after a failed write there is no other"
        );
        assert_eq!(
            ended.await.unwrap(),
            Err(LedgerError::Broken("the disk failed".into()))
        );
    }

    #[tokio::test]
    async fn orders_of_one_batch_see_each_other() {
        let ledger = MemoryLedger::default();
        let (writer, _) = start(ledger, Clock::virtual_at(Timestamp::from_s(0)), None)
            .await
            .unwrap();
        let mut batch = Batch {
            book: &writer.book,
            last_seq: 0,
            fresh: HashMap::new(),
        };
        let rules = WriterRules {
            clock: Clock::virtual_at(Timestamp::from_s(0)),
            key_prefix: Some("ACME".into()),
        };
        let key = batch.carry_out(create(), &rules).unwrap()[0].key.clone();
        assert!(key.reveal().starts_with("ACME-"));
        let revoke = Order::Update {
            key,
            act: super::super::book::Change::Revoke,
        };
        assert_eq!(
            batch.carry_out(revoke, &rules).unwrap()[0].status,
            Status::Revoked
        );
        assert_eq!(batch.carry_out(create(), &rules).unwrap()[0].seq, 2);
        assert_eq!(batch.fresh.len(), 2);
    }
}
