//! What the shop sells: prices at Stripe, and the plans of the config that name them.

/// A price at Stripe.
#[derive(Debug)]
pub(crate) struct Price {
    pub(crate) id: &'static str,
    pub(crate) product: &'static str,
    /// The lookup key that it has when the shop opens.
    pub(crate) lookup: Option<&'static str>,
    /// For one unit and period, in minor units.
    pub(crate) amount: i64,
    /// 0: bought once.
    pub(crate) months: u32,
    /// Billed by use: its items have no quantity.
    pub(crate) metered: bool,
}

/// How a plan turns units into licenses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seats {
    Devices,
    Keys,
}

/// A plan of the config.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// How the config finds it, as a line of TOML.
    finds: &'static str,
    pub(crate) prices: &'static [&'static str],
    pub(crate) seats: Seats,
    pub(crate) devices: Option<u64>,
    pub(crate) per_unit: Option<u64>,
    /// Of one-time purchases; none: for life.
    pub(crate) days: Option<i64>,
}

const fn price(id: &'static str, product: &'static str, amount: i64, months: u32) -> Price {
    Price {
        id,
        product,
        lookup: None,
        amount,
        months,
        metered: false,
    }
}

pub(crate) const PRICES: [Price; 19] = [
    price("price_solo_m", "prod_solo", 900, 1),
    price("price_solo_y", "prod_solo", 9_000, 12),
    price("price_pro_m", "prod_pro", 4_900, 1),
    price("price_pro_y", "prod_pro", 49_000, 12),
    price("price_team_m", "prod_team", 1_500, 1),
    price("price_keys_m", "prod_keys", 1_200, 1),
    Price {
        lookup: Some("studio_monthly"),
        ..price("price_studio_m", "prod_studio", 2_900, 1)
    },
    price("price_suite_m", "prod_suite", 5_900, 1),
    price("price_suite_y", "prod_suite", 59_000, 12),
    price("price_lite_m", "prod_lite", 0, 1),
    // No plan names these.
    price("price_free_m", "prod_free", 0, 1),
    price("price_addon_m", "prod_addon", 500, 1),
    Price {
        metered: true,
        ..price("price_usage_m", "prod_usage", 0, 1)
    },
    price("price_base_m", "prod_base", 1_100, 1),
    price("price_plus_m", "prod_plus", 2_100, 1),
    price("price_addon_y", "prod_addon", 5_000, 12),
    price("price_tool", "prod_tool", 7_900, 0),
    price("price_pass", "prod_pass", 1_900, 0),
    price("price_float", "prod_float", 3_000, 0),
];

const fn plan(name: &'static str, finds: &'static str, prices: &'static [&'static str]) -> Plan {
    Plan {
        name,
        finds,
        prices,
        seats: Seats::Devices,
        devices: Some(2),
        per_unit: None,
        days: None,
    }
}

pub(crate) const PLANS: [Plan; 10] = [
    plan(
        "solo",
        "prices = [\"price_solo_m\", \"price_solo_y\"]",
        &["price_solo_m", "price_solo_y"],
    ),
    Plan {
        devices: Some(5),
        ..plan(
            "pro",
            "prices = [\"price_pro_m\", \"price_pro_y\"]",
            &["price_pro_m", "price_pro_y"],
        )
    },
    Plan {
        devices: Some(1),
        per_unit: Some(2),
        ..plan("team", "prices = [\"price_team_m\"]", &["price_team_m"])
    },
    Plan {
        seats: Seats::Keys,
        ..plan("keys", "prices = [\"price_keys_m\"]", &["price_keys_m"])
    },
    Plan {
        devices: Some(3),
        ..plan(
            "studio",
            "lookup_keys = [\"studio_monthly\"]",
            &["price_studio_m"],
        )
    },
    Plan {
        devices: Some(4),
        ..plan(
            "suite",
            "products = [\"prod_suite\"]",
            &["price_suite_m", "price_suite_y"],
        )
    },
    Plan {
        devices: Some(1),
        ..plan("lite", "prices = [\"price_lite_m\"]", &["price_lite_m"])
    },
    plan("tool", "prices = [\"price_tool\"]", &["price_tool"]),
    Plan {
        devices: Some(1),
        days: Some(90),
        ..plan("pass", "prices = [\"price_pass\"]", &["price_pass"])
    },
    Plan {
        seats: Seats::Keys,
        devices: Some(1),
        ..plan("float", "prices = [\"price_float\"]", &["price_float"])
    },
];

/// The price of an id.
pub(crate) fn price_of(id: &str) -> &'static Price {
    PRICES.iter().find(|p| p.id == id).unwrap()
}

/// What a shop sells that follows AuthForge's guide: prices that no plan names.
pub(crate) fn without_plan(price: &str) -> &'static str {
    match plan_of(price).map(|plan| plan.name) {
        Some("solo" | "team") => "price_base_m",
        Some("lite") => "price_free_m",
        Some(_) => "price_plus_m",
        None => price_of(price).id,
    }
}

/// The plan that sells a price (rule 12).
pub(crate) fn plan_of(price: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|p| p.prices.contains(&price))
}

impl Plan {
    /// How many licenses so many units are, and the devices of each (rule 14).
    pub(crate) fn licenses(&self, quantity: u64) -> (u64, u64) {
        match self.seats {
            _ if quantity == 0 => (0, 0),
            Seats::Keys => (quantity, self.devices.unwrap_or(1)),
            Seats::Devices => (
                1,
                self.devices.unwrap_or(0) + self.per_unit.unwrap_or(0) * quantity,
            ),
        }
    }

    fn toml(&self) -> String {
        let seats = if self.seats == Seats::Keys {
            "keys"
        } else {
            "devices"
        };
        let mut license: Vec<String> = Vec::new();
        license.extend(self.devices.map(|n| format!("devices = {n}")));
        license.extend(self.per_unit.map(|n| format!("devices_per_unit = {n}")));
        license.extend(self.days.map(|n| format!("duration = \"{n}d\"")));
        format!(
            "[[plan]]\nname = \"{}\"\n{}\npolicy = \"standard\"\nseats = \"{seats}\"\nlicense = {{ {} }}\n\n",
            self.name,
            self.finds,
            license.join(", ")
        )
    }
}

/// The whole config, with the policy's keys in its own text.
pub(crate) fn config(policy: &str) -> String {
    let head = r#"listen = "127.0.0.1:8080"
data_dir = "./data"
public_url = "https://buy.example.com"

[[source]]
name = "stripe"
kind = "stripe"
signing_secrets = ["whsec_fixture"]
livemode = "live"

[licenses]
service = "embedded"
app_id = "7a2c1e54-0000-4000-8000-000000000001"

[mail]
transport = "none"
from = "Example <keys@example.com>"

"#;
    let plans: String = PLANS.iter().map(Plan::toml).collect();
    format!("{head}{plans}[policy.standard]\n{policy}")
}
