//! What the dispatcher does with what cannot be written down, or read: tried over a store in memory whose reads are counted,
//! that may be full, and that a test spoils behind the engine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Json;
use serde_json::{Value as Object, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stopwatch, pause};
use crate::config::{Config, Env};
use crate::domain::action::ActionOutcome;
use crate::domain::id::{CustomerId, MachineId, Scope, SourceName};
use crate::domain::machine::Machine;
use crate::domain::notice::NoticeStatus;
use crate::domain::time::{Span, Timestamp};
use crate::effects::dispatcher::{self, Pulse};
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::input::{Input, Rules};
use crate::engine::read::view;
use crate::engine::record::key::{self, Item};
use crate::engine::record::{RecordError, body_codec};
use crate::engine::write::committer;
use crate::engine::write::outbox::Slots;
use crate::server::source_rules;
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event;
use crate::store::memory::Memory;
use crate::store::{
    Batch, Commit, CommitError, Direction, FullCause, KeyRange, Read, ReadError, Seq, Value,
};

const NOW: Timestamp = Timestamp::from_s(1_767_607_200);
/// Looks at a condition before it is given up: a minute.
const LOOKS_MAX: usize = 6_000;

/// A store that counts how often each key is read, and is full when told so.
#[derive(Clone, Default)]
struct DispatchedStore {
    memory: Memory,
    reads: Arc<Mutex<BTreeMap<Vec<u8>, u64>>>,
    full: Arc<AtomicBool>,
}

impl DispatchedStore {
    fn reads(&self, key: &[u8]) -> u64 {
        self.reads.lock().unwrap().get(key).copied().unwrap_or(0)
    }

    /// Writes past the engine.
    fn put(&self, key: Vec<u8>, value: &[u8]) {
        let mut batch = Batch::new();
        batch.put(key, value.to_vec());
        self.memory.clone().commit(&batch).unwrap();
    }
}

impl Read for DispatchedStore {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, ReadError> {
        *self.reads.lock().unwrap().entry(key.to_vec()).or_default() += 1;
        self.memory.get(key)
    }

    fn range(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, ReadError> {
        self.memory.range(range, direction, limit)
    }

    fn seq(&self) -> Result<Seq, ReadError> {
        self.memory.seq()
    }
}

impl Commit for DispatchedStore {
    fn commit(&mut self, batch: &Batch) -> Result<Seq, CommitError> {
        if self.full.load(Ordering::SeqCst) {
            let (free_bytes, needed_bytes) = (0, 1);
            let full = FullCause::FreeSpace {
                free_bytes,
                needed_bytes,
            };
            return Err(CommitError::Full(full));
        }
        self.memory.commit(batch)
    }
}

/// An engine over it, with a license service that makes whatever it is asked for.
struct Bench {
    store: DispatchedStore,
    handle: Handle,
    config: Config,
    mail: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

/// A dispatcher under way.
struct Dispatched {
    due: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RecordError>>,
}

impl Dispatched {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Answers each create with a license of its own.
async fn service() -> String {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let create = async || {
        let key = format!("KEY-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let license = json!({
            "licenseKey": key, "appId": "app_test", "status": "active", "expiresAt": null,
            "maxHwidSlots": 1, "unlimitedHwidSlots": false,
        });
        Json(json!({ "licenses": [license] }))
    };
    let app = axum::Router::new().route("/v1/licenses", axum::routing::post(create));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

impl Bench {
    async fn new() -> Self {
        crate::effects::tls::install();
        let (dir, base) = (tempfile::tempdir().unwrap(), service().await);
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\npublic_url = \"https://buy.example.com\"\n\
             [[source]]\nname = \"stripe\"\nsigning_secrets = [\"whsec_test\"]\n\
             [licenses]\nservice = \"authforge\"\napi_base = \"{base}\"\napi_key = \"af_live_test\"\napp_id = \"app_test\"\n\
             [mail]\ntransport = \"folder\"\npath = \"mail\"\nfrom = \"Example <keys@example.com>\"\n"
        );
        let file = dir.path().join("keyward.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file, &Env::new(|_| None)).unwrap().0;
        let store = DispatchedStore::default();
        let rules = Rules {
            revisions: Default::default(),
            sources: source_rules(&config),
            store_since: None,
            guard: None,
        };
        let (writer, reader) = (Box::new(store.clone()), Arc::new(store.clone()));
        let clock = Clock::virtual_at(NOW);
        let (handle, _) = committer::start(writer, reader, rules, clock, 16).unwrap();
        Self {
            store,
            handle,
            config,
            mail: dir.path().join("mail"),
            _dir: dir,
        }
    }

    fn dispatch(&self) -> Dispatched {
        let (due, stop) = (Arc::<Notify>::default(), CancellationToken::new());
        let services = Arc::new(Services::new(&self.config, None).unwrap());
        let pulse = Arc::<Pulse>::default();
        let (handle, rings, stops) = (self.handle.clone(), Arc::clone(&due), stop.clone());
        let task = tokio::spawn(dispatcher::run(handle, services, rings, pulse, stops));
        Dispatched { due, stop, task }
    }

    /// Sells to a customer of its own.
    async fn sell(&self, name: &str) -> MachineId {
        let object: Object = json!({
            "id": format!("cs_{name}"), "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "amount_total": 4900, "currency": "usd", "customer": format!("cus_{name}"),
            "customer_details": { "email": format!("{name}@customer.example") }, "created": NOW.s(), "livemode": true,
            "payment_intent": format!("pi_{name}"), "metadata": { "authforge_app_id": "app_test" },
        });
        let body = json!({
            "id": format!("evt_{name}"), "object": "event", "created": NOW.s(), "livemode": true,
            "type": "checkout.session.completed", "data": { "object": object },
        });
        let body = body.to_string();
        let read = event::read(body.as_bytes(), NOW).unwrap();
        let (source, raw) = (
            SourceName::from("stripe"),
            body_codec::pack(body.as_bytes()),
        );
        let input = Input::Delivery(Box::new(delivery(read, &source, raw, NOW)));
        self.handle.submit(input).await.unwrap();
        format!("stripe/cs_{name}").parse().unwrap()
    }

    /// No input about a customer's purchase can be carried out from now on, though the purchase itself can be read.
    fn spoil_customer(&self, name: &str) -> Vec<u8> {
        let customer = CustomerId::from(format!("cus_{name}").as_str());
        let key = key::customer(&Scope::of("stripe"), &customer);
        self.store.put(key.clone(), b"no record");
        key
    }

    fn machine(&self, id: &MachineId) -> Machine {
        view::machine(self.handle.reader(), id).unwrap().unwrap()
    }

    fn has_key(&self, id: &MachineId) -> bool {
        !self.machine(id).grants.is_empty()
    }

    /// Serves others meanwhile: the dispatcher goes round often.
    async fn serve_others(&self, names: [&str; 3]) {
        for name in names {
            let id = self.sell(name).await;
            until("another one has its key", || self.has_key(&id)).await;
        }
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        pause(Span::from_ms(10)).await;
    }
    panic!("not within a minute: {what}");
}

#[tokio::test]
async fn an_outcome_of_the_last_run_waits_for_room_on_the_disk() {
    let bench = Bench::new().await;
    // A create whose attempt was on disk when the process ended.
    let slots = Arc::new(Slots::new(1));
    slots.set_open(true);
    let of_source = [(SourceName::from("stripe"), slots)].into();
    bench.handle.set_slots(of_source);
    let id = bench.sell("ada").await;
    drop(bench.handle.collect_due());
    let attempts = || view::attempts(bench.handle.reader()).unwrap();
    assert_eq!(attempts().len(), 1);
    bench.store.full.store(true, Ordering::SeqCst);
    let dispatched = bench.dispatch();
    until("the outcome met the full disk", || bench.handle.is_full()).await;
    assert_eq!(attempts().len(), 1);
    bench.store.full.store(false, Ordering::SeqCst);
    until("it is taken", || attempts().is_empty()).await;
    let create = &bench.machine(&id).actions[0];
    assert!(
        !create.is_ready_create(),
        "it is looked for first: {create:?}"
    );
    dispatched.stop().await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_written_down_is_left_and_its_action_not_done_again() {
    let bench = Bench::new().await;
    let id = bench.sell("ada").await;
    bench.spoil_customer("ada");
    let attempt = key::attempt(&id, 1);
    let asked = bench.store.reads(&attempt);
    let dispatched = bench.dispatch();
    bench.serve_others(["bob", "cy", "dan"]).await;
    until("it was tried", || bench.store.reads(&attempt) > asked).await;
    bench.serve_others(["eve", "fay", "gus"]).await;
    dispatched.due.notify_one();
    bench.serve_others(["hal", "ida", "jon"]).await;
    assert_eq!(bench.store.reads(&attempt), asked + 1);
    dispatched.stop().await;
    assert_eq!(
        bench.machine(&id).actions[0].outcome,
        ActionOutcome::Pending
    );
}

#[tokio::test]
async fn a_create_whose_attempt_stands_in_its_way_is_not_asked_for_again_at_once() {
    let bench = Bench::new().await;
    let id = bench.sell("ada").await;
    bench.spoil_customer("ada");
    // What became of this attempt could not be written down, and cannot be at this start.
    let attempt = key::attempt(&id, 1);
    bench.store.put(attempt.clone(), &NOW.ms().to_be_bytes());
    let (asked, watch) = (bench.store.reads(&attempt), Stopwatch::start());
    let asks = || bench.store.reads(&attempt) - asked;
    let dispatched = bench.dispatch();
    until("it was asked for", || asks() > 0).await;
    bench.serve_others(["bob", "cy", "dan"]).await;
    bench.serve_others(["eve", "fay", "gus"]).await;
    // Read before the time is: what is asked for meanwhile counts for neither.
    let asks = asks();
    assert!(asks <= 1 + watch.elapsed().as_secs(), "{asks} times");
    dispatched.stop().await;
}

#[tokio::test]
async fn a_mail_that_cannot_be_written_is_left() {
    let bench = Bench::new().await;
    // Nobody can write into this folder.
    std::fs::write(&bench.mail, "").unwrap();
    let dispatched = bench.dispatch();
    let id = bench.sell("ada").await;
    let is_tried = || bench.machine(&id).notices.iter().any(|n| n.attempts > 0);
    until("the mail was tried", is_tried).await;
    dispatched.stop().await;
    std::fs::remove_file(&bench.mail).unwrap();
    let customer = bench.spoil_customer("ada");
    bench.handle.clock().advance_to(NOW + Span::from_hours(1));
    let read = bench.store.reads(&customer);
    let dispatched = bench.dispatch();
    until("it was begun", || bench.store.reads(&customer) > read).await;
    bench.serve_others(["bob", "cy", "dan"]).await;
    dispatched.due.notify_one();
    bench.serve_others(["eve", "fay", "gus"]).await;
    assert_eq!(bench.store.reads(&customer), read + 1);
    dispatched.stop().await;
    let waits = |m: Machine| m.notices.iter().any(|n| n.status == NoticeStatus::Pending);
    assert!(waits(bench.machine(&id)));
}

#[tokio::test]
async fn a_question_that_nobody_answers_is_left_where_its_purchase_cannot_be_read() {
    let bench = Bench::new().await;
    let id: MachineId = "stripe/sub_1".parse().unwrap();
    let machine = key::machine(&id);
    bench.store.put(machine.clone(), b"no record");
    bench.store.put(key::due(NOW, &id, Item::Query(1)), b"");
    let dispatched = bench.dispatch();
    until("it was begun", || bench.store.reads(&machine) > 0).await;
    bench.serve_others(["bob", "cy", "dan"]).await;
    dispatched.due.notify_one();
    bench.serve_others(["eve", "fay", "gus"]).await;
    assert_eq!(bench.store.reads(&machine), 1);
    dispatched.stop().await;
}
