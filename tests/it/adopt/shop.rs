//! A shop as the guide's handler made it: customers at Stripe, their licenses under every form of label that the guides
//! teach, some doubled, some without a label, some cancelled, some failing, some refunded.

mod objects;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use keyward::clock::Clock;
use serde_json::json;

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::fake_stripe::KEY;
use crate::support::stripe_lists::StripeLists;

pub(super) const DAY_S: i64 = 86_400;
/// One license's devices.
const SLOTS: u32 = 2;
/// What is sold, and what is not.
pub(super) const PLANS: &str = "[[plan]]\nname = \"tool\"\nprices = [\"price_tool\"]\nlicense = { devices = 2 }\n\
    [[plan]]\nname = \"once\"\nprices = [\"price_once\"]\nlicense = { devices = 2 }\n\
    [[plan]]\nname = \"pro\"\nprices = [\"price_pro\"]\nlicense = { devices = 5 }\n\
    [adopt]\nlabels = [\"order {metadata.order}\"]\n";

/// How a customer of the old handler stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// Renews each month.
    Runs,
    /// Cancelled, and over.
    Over,
    /// A renewal failed, and is tried again.
    Retries,
    /// A renewal failed, and nothing is tried any more.
    Fails,
    /// Its renewal is due within a day.
    Renews,
    /// The running period's money went back; the handler knows no refund.
    Refunded,
    /// Bought once.
    Once,
    /// Bought once, with what it sells in its metadata.
    Guided,
    /// A price that no plan names.
    Foreign,
}

/// What stands in the label of its license.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Labelled {
    ById(usize),
    Twice,
    Never,
    InTable,
    TooShort,
}

/// One purchase of the shop.
#[derive(Clone, Debug)]
pub(super) struct Customer {
    pub(super) n: usize,
    pub(super) life: Life,
    pub(super) labelled: Labelled,
    pub(super) key: Option<String>,
    began_s: i64,
}

impl Customer {
    fn new(n: usize) -> Self {
        let life = match n % 50 {
            0..=3 => Life::Over,
            4 => Life::Retries,
            5 => Life::Fails,
            6 => Life::Renews,
            7 => Life::Refunded,
            8 => Life::Foreign,
            9..=18 => Life::Once,
            19..=28 => Life::Guided,
            _ => Life::Runs,
        };
        // 3 % doubled, 2 % without a label (half of them in the table), 1 % too short.
        let labelled = match (n / 2) % 100 {
            10..=12 => Labelled::Twice,
            13 => Labelled::Never,
            14 => Labelled::InTable,
            15 => Labelled::TooShort,
            form => Labelled::ById(form),
        };
        Self {
            n,
            life,
            labelled,
            key: None,
            began_s: 0,
        }
    }

    /// One who buys later: as old as the shop is then.
    pub(super) fn buys(n: usize, at_s: i64) -> Self {
        Self {
            n,
            life: Life::Runs,
            labelled: Labelled::ById(0),
            key: None,
            began_s: at_s,
        }
    }

    /// When the purchase was made.
    pub(super) fn began_s(&self) -> i64 {
        self.began_s
    }

    pub(super) fn is_once(&self) -> bool {
        matches!(self.life, Life::Once | Life::Guided)
    }

    pub(super) fn object(&self) -> String {
        if self.is_once() {
            format!("cs_live_{}", self.n)
        } else {
            format!("sub_{}", self.n)
        }
    }

    pub(super) fn machine(&self) -> String {
        format!("stripe/{}", self.object())
    }

    /// Two customers share each address.
    pub(super) fn email(&self) -> String {
        format!("c{}@customer.example", self.n / 2)
    }

    /// The first second of its running period.
    fn turned_s(&self, now_s: i64) -> i64 {
        match self.life {
            Life::Renews => now_s - 30 * DAY_S + 3_600,
            Life::Over => now_s - 60 * DAY_S,
            Life::Retries | Life::Fails => now_s - 3 * DAY_S,
            Life::Runs | Life::Refunded | Life::Once | Life::Guided | Life::Foreign => {
                now_s - (self.n as i64 % 27 + 1) * DAY_S
            }
        }
    }

    /// Periods that were paid before the running one.
    pub(super) fn renewals(&self) -> i64 {
        self.n as i64 % 5 + 1
    }

    /// The last second that is paid.
    pub(super) fn paid_until_s(&self, now_s: i64) -> i64 {
        let turned = self.turned_s(now_s);
        match self.life {
            Life::Retries | Life::Fails => turned,
            Life::Runs
            | Life::Over
            | Life::Renews
            | Life::Refunded
            | Life::Once
            | Life::Guided
            | Life::Foreign => turned + 30 * DAY_S,
        }
    }

    pub(super) fn price(&self) -> &'static str {
        match self.life {
            Life::Foreign => "price_other",
            Life::Once | Life::Guided => "price_once",
            Life::Runs
            | Life::Over
            | Life::Retries
            | Life::Fails
            | Life::Renews
            | Life::Refunded => "price_tool",
        }
    }

    /// The label that the handler wrote, of one of the forms that the guides teach.
    pub(super) fn label(&self) -> Option<String> {
        let (n, object) = (self.n, self.object());
        let form = match self.labelled {
            Labelled::ById(form) => form,
            Labelled::Twice | Labelled::TooShort => 0,
            Labelled::Never | Labelled::InTable => return None,
        };
        let forms = if self.is_once() {
            vec![
                format!("Stripe session {object}"),
                object,
                format!("pi_{n}"),
            ]
        } else {
            vec![
                format!("Stripe sub {object}"),
                format!("sub_{object}"),
                object,
                format!("Stripe session cs_live_{n}"),
                format!("order A{n}"),
            ]
        };
        Some(forms[form % forms.len()].clone())
    }
}

/// The shop, at Stripe's and the license service's stand-ins.
pub(super) struct Shop {
    pub(super) stripe: StripeLists,
    pub(super) base: String,
    pub(super) fake: Arc<Fake>,
    pub(super) customers: Vec<Customer>,
}

impl Shop {
    /// A shop of so many customers.
    pub(super) async fn of(size: usize) -> Self {
        let fake = Arc::new(Fake::start(Faults::default()).await);
        let (stripe, base) = StripeLists::start().await;
        let now_s = Clock::Wall.now().s();
        let mut customers: Vec<Customer> = (0..size).map(Customer::new).collect();
        for customer in &mut customers {
            customer.key = made(&fake, customer, now_s);
            customer.began_s = customer.turned_s(now_s) - customer.renewals() * 30 * DAY_S;
        }
        let subscribed = || customers.iter().filter(|c| !c.is_once());
        stripe.add(
            "/v1/subscriptions",
            subscribed().map(|c| c.subscription(now_s)),
        );
        stripe.add(
            "/v1/invoices",
            subscribed().flat_map(|c| (0..=c.renewals()).map(|back| c.invoice(now_s, back))),
        );
        stripe.add(
            "/v1/checkout/sessions",
            customers.iter().map(|c| c.session(now_s)),
        );
        stripe.add(
            "/v1/charges",
            customers.iter().flat_map(|c| c.charges(now_s)),
        );
        let refunded = customers.iter().filter(|c| c.life == Life::Refunded);
        stripe.add(
            "/v1/refunds",
            refunded.map(|c| {
                json!({"id": format!("re_{}", c.n), "object": "refund", "amount": 2900, "currency": "usd",
                    "payment_intent": format!("pi_{}_0", c.n), "charge": format!("ch_{}_0", c.n), "status": "succeeded",
                    "created": c.turned_s(now_s) + 7_200})
            }),
        );
        stripe.add("/v1/disputes", []);
        // Somebody's key whose purchase is nowhere, and two that are nobody's.
        fake.made_elsewhere("app_test", Some("Stripe sub sub_gone"), None, SLOTS);
        fake.made_elsewhere("app_test", Some("a gift"), None, SLOTS);
        fake.made_elsewhere("app_test", None, None, SLOTS);
        Self {
            stripe,
            base,
            fake,
            customers,
        }
    }

    /// A server for it.
    pub(super) async fn server(&self) -> TestApp {
        self.server_with("").await
    }

    /// A server for it, with further tables in its config.
    pub(super) async fn server_with(&self, tables: &str) -> TestApp {
        self.server_as("", tables).await
    }

    /// The same, with further lines of its source.
    pub(super) async fn server_as(&self, source: &str, tables: &str) -> TestApp {
        let source = format!(
            "livemode = \"live\"\napi_key = \"{KEY}\"\napi_base = \"{}\"\n{source}",
            self.base
        );
        TestApp::start(Setup {
            source: source.leak(),
            mail:
                "transport = \"folder\"\npath = \"./mail\"\nfrom = \"Shop <keys@shop.example>\"\n"
                    .to_owned(),
            more: format!("{PLANS}{tables}"),
            // The laws count one license a label; this shop has doubled ones.
            fake: None,
            ..Setup::with(&self.fake)
        })
        .await
    }

    /// A server as `init` writes its config: with the embedded service, which knows nobody's key.
    pub(super) async fn embedded_server(&self) -> TestApp {
        let source = format!(
            "livemode = \"live\"\napi_key = \"{KEY}\"\napi_base = \"{}\"\n",
            self.base
        );
        TestApp::start(Setup {
            source: source.leak(),
            licenses: "service = \"embedded\"\n".to_owned(),
            more: PLANS.to_owned(),
            fake: None,
            ..Setup::with(&self.fake)
        })
        .await
    }

    /// The vendor's table: the keys without a label of every second of them, and lines that cannot be used.
    pub(super) fn table(&self) -> String {
        let mut text = "\u{feff}email,\"license_key\",stripe_id,note\r\n".to_owned();
        let listed = |c: &&Customer| c.labelled == Labelled::InTable && c.key.is_some();
        for customer in self.customers.iter().filter(listed) {
            let key = customer.key.as_deref().unwrap();
            text += &format!(
                "{},{key},{},\"a, b\"\r\n",
                customer.email(),
                customer.object()
            );
        }
        text + ",AAAA-AAAA-AAAA-AAAA,sub_1,\r\n,,sub_2,\r\n,BBBB,cus_3,\r\n,CCCC,,\r\n"
    }

    /// The class that each purchase should come to in a dry run, without those that come to none.
    pub(super) fn expected(&self, with_table: bool) -> BTreeMap<String, &'static str> {
        let class = |c: &Customer| Some((c.machine(), class_of(c, with_table)?));
        self.customers.iter().filter_map(class).collect()
    }
}

fn class_of(customer: &Customer, with_table: bool) -> Option<&'static str> {
    let found = match customer.labelled {
        Labelled::ById(_) | Labelled::TooShort => 1,
        Labelled::Twice => 2,
        Labelled::Never => 0,
        Labelled::InTable => usize::from(with_table),
    };
    Some(match (customer.life, customer.labelled, found) {
        (Life::Foreign, ..) => "foreign",
        (Life::Over, _, 0) | (Life::Refunded, _, 0) => return None,
        (Life::Over, ..) => "linked",
        (Life::Refunded, ..) => "alive_after_refund",
        (_, _, 0) => "paid_without_key",
        (_, Labelled::Twice, _) => "two_keys",
        (Life::Runs | Life::Renews, Labelled::TooShort, _) => "linked_ends_too_early",
        // The handler's key ended with the paid time; the grace lets it live on.
        (Life::Fails | Life::Retries, ..) => "linked_ends_too_early",
        _ => "linked",
    })
}

/// Makes a customer's licenses as the handler did. Returns the first key.
fn made(fake: &Fake, customer: &Customer, now_s: i64) -> Option<String> {
    if customer.life == Life::Foreign {
        return None;
    }
    let short = if customer.labelled == Labelled::TooShort {
        2 * DAY_S
    } else {
        0
    };
    let ends = customer.paid_until_s(now_s) - short;
    let ends = (!customer.is_once()).then(|| DateTime::from_timestamp(ends, 0).unwrap());
    let label = customer.label();
    let key = fake.made_elsewhere("app_test", label.as_deref(), ends, SLOTS);
    if customer.labelled == Labelled::Twice {
        fake.made_elsewhere("app_test", label.as_deref(), ends, SLOTS);
    }
    Some(key)
}
