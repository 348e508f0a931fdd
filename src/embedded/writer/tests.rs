//! The writer with disks that wait, fail, and refuse.

use std::sync::mpsc as std_mpsc;

use super::super::ledger::MemoryLedger;
use super::*;
use crate::clock::Clock;
use crate::domain::plan::Devices;
use crate::domain::time::Timestamp;

fn clock() -> SteadyClock {
    SteadyClock::new(Clock::virtual_at(Timestamp::from_s(0)))
}

fn keys() -> (KeySecret, Option<String>) {
    (KeySecret::of(&[7; 32]), None)
}

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

/// A disk that refuses what the store would refuse, and outlives the writer.
#[derive(Clone, Default)]
struct Strict(Arc<std::sync::Mutex<MemoryLedger>>);

impl Ledger for Strict {
    fn load(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.0.lock().unwrap().load(each)
    }
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        self.0.lock().unwrap().get(key)
    }
    fn put(&mut self, writes: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LedgerError> {
        let too_long = |value: &Vec<u8>| value.len() > crate::store::MAX_VALUE;
        if writes.iter().any(|(_, value)| too_long(value)) {
            return Err(LedgerError::Broken("too long".into()));
        }
        self.0.lock().unwrap().put(writes)
    }
}

#[tokio::test]
async fn a_license_with_hundreds_of_devices_is_there_after_a_restart() {
    let (disk, clock) = (Strict::default(), clock());
    let (writer, _) = start(disk.clone(), clock.clone(), keys()).await.unwrap();
    let many = Order::Create {
        app_id: "app".into(),
        quantity: 1,
        expires_at: None,
        devices: Devices::Count(300),
        label: None,
        key: None,
    };
    let key = writer.order(many).await.unwrap()[0].key.clone();
    for n in 0..301 {
        let order = Order::Program {
            key: key.clone(),
            device: format!("{n:0>64}"),
            act: super::super::device::DeviceChange::Activate,
        };
        writer.order(order).await.unwrap();
    }
    let (again, _) = start(disk, clock, keys()).await.unwrap();
    let (before, after) = (
        writer.book().get(&key).cloned(),
        again.book().get(&key).cloned(),
    );
    assert_eq!(before.unwrap().hwids.len(), 300);
    assert_eq!(after, writer.book().get(&key).cloned());
}

fn create() -> Order {
    let expires_at = None;
    Order::Create {
        app_id: "app".into(),
        quantity: 1,
        expires_at,
        devices: Devices::Count(1),
        label: None,
        key: None,
    }
}

#[tokio::test]
async fn what_is_ordered_while_the_disk_is_busy_shares_the_next_write() {
    let (began, mut begun) = mpsc::unbounded_channel();
    let (go, gate) = std_mpsc::channel();
    let clock = clock();
    let (writer, ended) = start(Gated { began, go: gate }, clock, keys())
        .await
        .unwrap();
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
    let (writer, _) = start(ledger, clock(), keys()).await.unwrap();
    let mut batch = Batch {
        book: &writer.book,
        last_seq: 0,
        fresh: HashMap::new(),
    };
    let rules = WriterRules {
        clock: clock(),
        secret: keys().0,
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

/// A copy of the ledger that does not know a license makes it again with the same key, whatever else it made before.
#[tokio::test]
async fn a_license_that_is_made_again_in_an_earlier_copy_has_its_key() {
    let labelled = |label: &str| Order::Create {
        app_id: "app".into(),
        quantity: 1,
        expires_at: None,
        devices: Devices::Count(1),
        label: Some(label.into()),
        key: None,
    };
    let (disk, copy) = (Strict::default(), Strict::default());
    let (first, _) = start(disk, clock(), keys()).await.unwrap();
    let (second, _) = start(copy, clock(), keys()).await.unwrap();
    let mut made = Vec::new();
    for label in ["a", "b", "a"] {
        made.push(first.order(labelled(label)).await.unwrap()[0].key.clone());
    }
    assert!(made[0] != made[1] && made[0] != made[2] && made[1] != made[2]);
    for (label, key) in [("b", &made[1]), ("a", &made[0]), ("a", &made[2])] {
        let again = second.order(labelled(label)).await.unwrap();
        assert_eq!(again[0].key, *key);
    }
    let unnamed = [&first, &second].map(|writer| writer.order(create()));
    let [one, other] = unnamed;
    assert_ne!(one.await.unwrap()[0].key, other.await.unwrap()[0].key);
}
