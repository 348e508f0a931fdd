//! All that can ever happen: everything that changes the store comes in as one of these.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::domain::action::{Abilities, Outcome};
use crate::domain::adoption::{FoundLicense, Gap, KeyEnd};
use crate::domain::customer::Customer;
use crate::domain::decide::Mailed;
use crate::domain::decision::Decision;
use crate::domain::fact::Fact;
use crate::domain::guard::GuardLimits;
use crate::domain::id::{AccountId, AppId, CustomerId, EventId, MachineId, Scope, SourceName};
use crate::domain::lifecycle::Kind;
use crate::domain::no_use::{Dismissal, NoEvent, NoUse, Unreadable};
use crate::domain::operator::Order;
use crate::domain::plan::Plan;
use crate::domain::policy::Policy;
use crate::domain::probe::ServiceProbe;
use crate::domain::revision::Revisions;
use crate::domain::standing::StandingOrder;
use crate::domain::time::Timestamp;
use crate::engine::record::server::ServerRecord;

/// The version of a machine's record.
pub type Version = crate::store::Seq;

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// A verified event of a source.
    Delivery(Box<Delivery>),
    /// An event that came earlier and could not be read then, as it is read now.
    ReadAgain(Box<Delivery>),
    /// A person looked at an event that could not be read, and it is of no use.
    Dismiss {
        /// Where its id is known.
        scope: Scope,
        /// The event.
        event: EventId,
        /// Who, and why.
        by: Dismissal,
    },
    /// A create is about to be sent: this is on disk before it is.
    Attempt {
        /// Its machine.
        machine: MachineId,
        /// Its number.
        action: u32,
        /// The version of the machine's record that whoever sends it has read.
        read: Version,
    },
    /// What came of an action.
    Outcome {
        /// Its machine.
        machine: MachineId,
        /// Its number.
        action: u32,
        /// What came of it.
        outcome: Outcome,
        /// When it was sent.
        sent: Timestamp,
    },
    /// What came of a mail.
    Mailed {
        /// The machine.
        machine: MachineId,
        /// The notice's number.
        notice: u32,
        /// What came of it.
        mailed: Mailed,
    },
    /// An instant came at which something may change, or somebody wants a machine looked at.
    WakeUp {
        /// The machine.
        machine: MachineId,
    },
    /// What a person decided about a machine.
    Decision {
        /// The machine.
        machine: MachineId,
        /// Its id as a fact.
        id: EventId,
        /// The decision.
        decision: Decision,
        /// The instant.
        at: Timestamp,
    },
    /// What came of asking Stripe for the purchase of a parked name. A link that was found came as a delivery before.
    ParkedQueryDone {
        /// Where the name is known.
        scope: Scope,
        /// The name.
        name: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// What the operator says of actions: the next try now, or never.
    Actions {
        /// The machine.
        machine: MachineId,
        /// One action; `None`: all that are refused or wait.
        action: Option<u32>,
        /// What to do with them.
        order: Order,
    },
    /// The operator wants a machine's waiting mails tried now.
    Mails {
        /// The machine.
        machine: MachineId,
    },
    /// A signed delivery that is no event: kept for the operator.
    Refused {
        /// The source.
        source: SourceName,
        /// Why it is no event.
        why: NoEvent,
        /// The beginning of the body.
        body: Vec<u8>,
        /// The instant.
        at: Timestamp,
    },
    /// A parked event that has waited too long for its machine is given up.
    NeverLinked {
        /// Whose event.
        scope: Scope,
        /// The event.
        event: EventId,
    },
    /// The config was loaded again: its plans and policies are in force from now on.
    Revision {
        /// The plans.
        plans: Vec<Plan>,
        /// The policies.
        policies: Vec<Policy>,
    },
    /// Every unread event was read again by this binary.
    ReadBy(String),
    /// A purchase that others served: what was read of it at Stripe, and their licenses.
    Adopt(Box<Adopting>),
    /// A customer's data is erased.
    Erase(Box<Erasure>),
    /// Labels of licenses were read at a license service: pairs of hashes, see [`super::record::labels`].
    Labels(Vec<(u64, u64)>),
    /// The store has no memory of a time: the clock moved.
    Gap(Gap),
    /// Something is wrong with what is stored, as this key shows: it is put right, if it still is.
    Mend {
        /// The key of the record or entry.
        key: Vec<u8>,
    },
    /// What a probe learned of a license service.
    Probed(ServiceProbe),
    /// What the server keeps of its own work.
    Keep(ServerRecord),
    /// An order for the whole shop.
    Standing(StandingOrder),
    /// A person has looked at what the guard holds: its counting begins anew.
    GuardReset,
    /// In observe mode: what is held for a machine is compared with what the license service has.
    Compare {
        /// The machine.
        machine: MachineId,
    },
    /// The process lives: an instant kept so that the next start knows how long it was away.
    Heartbeat,
}

/// What is done with a purchase that others served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopting {
    /// It is taken in.
    TakeIn(Adoption),
    /// It is forgotten again, if nothing acted on it since.
    Forget(MachineId),
}

/// What is erased in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Who the customer of a purchase is.
    Purchase {
        /// The purchase.
        machine: MachineId,
        /// The decision, as a fact of the purchase.
        decision: Box<Fact>,
    },
    /// The same in bodies of events.
    Bodies(Vec<ErasedBody>),
    /// Orders about a customer.
    Orders {
        /// Where the customer's id is known.
        scope: Scope,
        /// The customer.
        customer: CustomerId,
    },
}

/// The body that takes another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedBody {
    /// Where the event's id is known.
    pub scope: Scope,
    /// The event.
    pub event: EventId,
    /// The body without the person, packed by [`super::record::body_codec::pack`].
    pub raw: Vec<u8>,
}

/// A purchase to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The purchase.
    pub machine: MachineId,
    /// What it is.
    pub kind: Kind,
    /// Its mode.
    pub livemode: Option<bool>,
    /// The events that tell of it.
    pub deliveries: Vec<Delivery>,
    /// The licenses that others made for it, the best first.
    pub licenses: Vec<FoundLicense>,
    /// A key that may be meant for it, where it has none.
    pub meant: Option<KeyEnd>,
}

/// A verified event, read by its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The source.
    pub source: SourceName,
    /// The event's id: alone it decides what is a duplicate.
    pub id: EventId,
    /// Its type.
    pub kind: String,
    /// Its `created`.
    pub created: Timestamp,
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// Connect: the account whose event it is.
    pub account: Option<AccountId>,
    /// What it says.
    pub payload: EventPayload,
    /// The body as it came, packed by [`super::record::body_codec::pack`].
    pub raw: Vec<u8>,
    /// When it reached us.
    pub received: Timestamp,
}

impl Delivery {
    /// Where the ids that it names are known.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::new(self.source.clone(), self.account.clone())
    }
}

/// What an event comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPayload {
    /// Something about a purchase.
    Fact(Box<Fact>),
    /// Something about a customer apart from any purchase.
    Customer(Customer),
    /// Nothing of use.
    Ignored(NoUse),
    /// It could not be read: a newer binary reads it again.
    Unreadable(Unreadable),
}

/// What became of an input. It exists only after the sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The event belongs to a machine (or is a record of its own).
    Applied(Option<MachineId>),
    /// It waits for one of these names.
    Parked(Vec<String>),
    /// It changes nothing, because.
    Ignored(String),
    /// It was known.
    Duplicate,
    /// The input was carried out.
    Done,
    /// There is no such machine, action or notice.
    Unknown,
}

/// What the engine must know of the config: replaced as a whole when it is loaded anew.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Plans and policies through time.
    pub revisions: Revisions,
    /// What is taken from each source.
    pub sources: BTreeMap<SourceName, SourceRules>,
    /// When this store began; `None` in replay, where nothing is older.
    pub store_since: Option<Timestamp>,
    /// How many licenses may end in a while before a person must say yes; `None` in replay.
    pub guard: Option<GuardLimits>,
}

impl Rules {
    /// What is taken from a source; of one that the config does not name any more, what is taken by default.
    #[must_use]
    pub fn source(&self, name: &SourceName) -> &SourceRules {
        static DEFAULT: LazyLock<SourceRules> = LazyLock::new(SourceRules::default);
        self.sources.get(name).unwrap_or(&DEFAULT)
    }

    /// The most devices that a source's license service takes on one key.
    #[must_use]
    pub fn devices_max(&self, source: &SourceName) -> u32 {
        self.source(source).abilities.devices_max
    }
}

/// What is taken from a source.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// The mode that counts; `None`: both.
    pub livemode: Option<bool>,
    /// Whether events of connected accounts count.
    pub connect: bool,
    /// What its license service can do.
    pub abilities: Abilities,
    /// The name of its license service.
    pub service: &'static str,
    /// The application there where neither plan nor purchase names one.
    pub app: Option<AppId>,
}

impl SourceRules {
    /// The application that is meant by one that is named, or by none.
    #[must_use]
    pub fn app_meant(&self, named: Option<&AppId>) -> Option<AppId> {
        named.or(self.app.as_ref()).cloned()
    }
}

impl Default for SourceRules {
    fn default() -> Self {
        Self {
            livemode: None,
            connect: false,
            abilities: Abilities::simulated(),
            service: "simulated",
            app: None,
        }
    }
}
