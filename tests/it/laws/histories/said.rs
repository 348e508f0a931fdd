//! Reads what the authors of the histories wrote: `Seen at T: active; one license, live, expires_at …`.
//!
//! A sentence is cut at its semicolons, and each part at its commas. What a piece says is held against replay's answer as
//! whoever reads its JSON sees it. A piece that cannot be read must stand in [`FOR_PEOPLE`].

use std::collections::BTreeMap;

use keyward::domain::time::Timestamp;
use keyward::sim::Answer;
use serde_json::Value;

/// Pieces that only a person can judge, or that explain another piece. Compared after instants became `T` and ids `ID`.
const FOR_PEOPLE: &[&str] = &[
    // The word beside the state: a condition, which the JSON does not carry.
    "paused",
    // Explanations of the piece before.
    "active as far as anybody has told",
    "the subscription active as far as known",
    "but nothing more was paid: the license is expired",
    "for its time is paid",
    "for nothing was revoked",
    "no failure",
    "so no mail",
    "no mail: an open invoice pays for nothing",
    "the same",
    "pro as before",
    // Comparisons with an earlier instant; the golden timelines hold them.
    "no action after the renewal's extend",
    "no action at the add-on",
    "no further mail",
    "no lapse among the transitions that count",
    "no second episode",
    "no second revoke for the later reference",
    "no second suspended or ended mail",
    "after license_issued and payment_failed at most one ended mail",
    "the new key is mailed",
    // Held by `nothing_is_left_open` for all histories.
    "the event is applied",
    "the warning is applied",
    "the event is under ignored",
    "not ignored",
    "all events of acct_1ConnectedShop are under ignored",
];

/// What came of reading one text.
#[derive(Default)]
pub(crate) struct Judged {
    /// Pieces that do not hold, with what holds instead.
    pub(crate) wrong: Vec<String>,
    /// Pieces that cannot be read.
    pub(crate) unread: Vec<String>,
}

/// Every `Seen at` of a text.
pub(crate) fn seen(about: &str) -> Vec<(Timestamp, String)> {
    let mut out: Vec<(Timestamp, String)> = Vec::new();
    let mut inside = false;
    for line in about.lines() {
        if let Some((at, text)) = line
            .strip_prefix("Seen at ")
            .and_then(|l| l.split_once(": "))
        {
            out.push((Timestamp::parse(at).unwrap(), text.to_owned()));
            inside = true;
        } else if inside && !line.is_empty() {
            let (_, text) = out.last_mut().unwrap();
            text.push(' ');
            text.push_str(line);
        } else {
            inside = false;
        }
    }
    out
}

/// Holds a text against replay's answer.
pub(crate) fn judge(text: &str, answer: &Answer) -> Judged {
    let value = serde_json::to_value(answer).unwrap();
    let mut judged = Judged::default();
    for sentence in text.trim_end_matches('.').split(". ") {
        let mut scope = Scope::of(&value, None);
        for part in sentence.split("; ") {
            let part = part.trim();
            let mut rest = part;
            if let Some((id, tail)) = part
                .split_once(": ")
                .filter(|(id, _)| id.starts_with("stripe/"))
            {
                scope = Scope::of(&value, Some(id));
                rest = tail;
            } else {
                (scope.plan, scope.seats, scope.mail) = (None, None, None);
            }
            scope.part(rest, &mut judged);
        }
    }
    judged
}

/// The machines that a part speaks of, and the plan that it named last.
struct Scope<'a> {
    answer: &'a Value,
    machine: Option<String>,
    plan: Option<String>,
    seats: Option<std::ops::RangeInclusive<u64>>,
    /// The kind of mail that was named last.
    mail: Option<String>,
}

const STATES: &[&str] = &[
    "incomplete",
    "trialing",
    "active",
    "grace",
    "lapsed",
    "ended",
    "incomplete_expired",
    "awaiting_payment",
    "paid",
    "partly_refunded",
    "refunded",
    "failed",
    "expired",
];
const STATUSES: &[&str] = &["live", "suspended", "revoked", "expired"];

impl<'a> Scope<'a> {
    fn of(answer: &'a Value, machine: Option<&str>) -> Self {
        Self {
            answer,
            machine: machine.map(str::to_owned),
            plan: None,
            seats: None,
            mail: None,
        }
    }

    fn machines(&self) -> impl Iterator<Item = &'a Value> {
        let machines = self.answer["machines"].as_array().unwrap().iter();
        machines.filter(|m| {
            self.machine
                .as_ref()
                .is_none_or(|id| m["id"] == id.as_str())
        })
    }

    fn all(&self, list: &'static str) -> impl Iterator<Item = &'a Value> {
        self.machines()
            .flat_map(move |m| m[list].as_array().unwrap())
    }

    fn licenses(&self) -> Vec<&'a Value> {
        let of_plan = |l: &&Value| self.plan.as_ref().is_none_or(|p| l["plan"] == p.as_str());
        let of_seat = |l: &&Value| {
            self.seats
                .as_ref()
                .is_none_or(|s| s.contains(&l["seat"].as_u64().unwrap()))
        };
        self.all("licenses")
            .filter(of_plan)
            .filter(of_seat)
            .collect()
    }

    fn done(&self, kind: &str) -> usize {
        self.all("actions")
            .filter(|a| a["kind"] == kind && a["outcome"] == "done")
            .count()
    }

    /// Kinds of the mails that went out, with how often.
    fn sent(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for notice in self.all("notices").filter(|n| n["status"] == "sent") {
            *out.entry(notice["kind"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        out
    }

    fn part(&mut self, part: &str, judged: &mut Judged) {
        let (whole, _) = part
            .rsplit_once(" (")
            .filter(|(_, n)| n.ends_with(')'))
            .unwrap_or((part, ""));
        if let Some(found) = self.whole(whole) {
            if let Err(is) = found {
                judged.wrong.push(format!("`{part}`, but {is}"));
            }
            return;
        }
        for piece in whole.split(", ") {
            let piece = piece
                .trim()
                .trim_start_matches("and ")
                .trim_start_matches("still ")
                .trim_end_matches(" still");
            match self.piece(piece) {
                Some(Ok(())) => {}
                Some(Err(is)) => judged
                    .wrong
                    .push(format!("`{piece}` of `{part}`, but {is}")),
                None => {
                    let plain = plain(piece);
                    if !FOR_PEOPLE.contains(&plain.as_str()) {
                        judged.unread.push(plain);
                    }
                }
            }
        }
    }

    /// Parts whose commas belong to a list.
    fn whole(&self, part: &str) -> Option<Result<(), String>> {
        let list = |text: &str| -> Option<BTreeMap<String, usize>> {
            let mut kinds = BTreeMap::new();
            for word in text
                .replace(" and ", ", ")
                .split(", ")
                .filter(|w| !w.is_empty())
            {
                let word = word
                    .trim()
                    .trim_start_matches("then ")
                    .trim_end_matches(" only")
                    .trim_end_matches(" sent");
                let (kind, times) = match word.split_once(' ') {
                    Some((kind, "twice")) => (kind, 2),
                    Some((kind, "once")) => (kind, 1),
                    Some(_) => return None,
                    None => (word, 1),
                };
                *kinds.entry(kind.to_owned()).or_default() += times;
            }
            Some(kinds)
        };
        let listed = part
            .strip_prefix("mails sent: ")
            .or_else(|| part.strip_prefix("mails: "))
            .or_else(|| part.strip_prefix("mails "))
            .or_else(|| part.strip_prefix("the only mail sent is "))
            .or_else(|| part.strip_prefix("the only notice is "))
            .or_else(|| {
                part.strip_suffix(" were sent")
                    .or_else(|| part.strip_suffix(" was mailed"))?
                    .strip_prefix("only ")
            })
            .or_else(|| part.strip_suffix(" and no other mail"))
            .or_else(|| {
                part.strip_suffix(", no other mail")
                    .map(|p| p.trim_end_matches(" sent once"))
            })
            .or_else(|| part.strip_prefix("no mail to the customer but "));
        let wanted = list(&listed?.replace("one ", ""))?;
        let sent = self.sent();
        Some(if sent == wanted {
            Ok(())
        } else {
            Err(format!("sent were {sent:?}"))
        })
    }

    fn piece(&mut self, piece: &str) -> Option<Result<(), String>> {
        // A word for both: a payment that has no license is meant itself.
        if piece == "expired" && self.all("licenses").next().is_none() {
            return Some(
                self.each_machine(|m| m["state"] == "expired", |m| m["state"].to_string()),
            );
        }
        if let Some(state) = state(piece) {
            return Some(self.each_machine(|m| m["state"] == state, |m| m["state"].to_string()));
        }
        if let Some(email) = piece.strip_prefix("email ") {
            return Some(self.each_machine(|m| m["email"] == email, |m| m["email"].to_string()));
        }
        if let Some(n) = piece.strip_prefix("licenses_created ") {
            let n: u64 = n
                .trim_end_matches(" each")
                .trim_end_matches(" in all")
                .parse()
                .ok()?;
            if piece.ends_with("each") {
                return Some(self.each_machine(
                    |m| m["licenses_created"] == n,
                    |m| m["licenses_created"].to_string(),
                ));
            }
            let made: u64 = self
                .machines()
                .map(|m| m["licenses_created"].as_u64().unwrap())
                .sum();
            return Some(same(&n, &made));
        }
        self.license(piece)
            .or_else(|| self.about_actions(piece))
            .or_else(|| self.about_mails(piece))
            .or_else(|| {
                let parked = self.answer["parked"].as_array().unwrap();
                match piece {
                    "no machine" => Some(same(&0, &self.machines().count())),
                    "one machine" => Some(same(&1, &self.machines().count())),
                    "nothing parked" | "not parked" => Some(same(&0, &parked.len())),
                    "parked" | "the refund's events are parked" if parked.is_empty() => {
                        Some(Err("nothing is parked".to_owned()))
                    }
                    "parked" | "the refund's events are parked" => Some(Ok(())),
                    _ => {
                        let name = piece.strip_prefix("waiting for ")?;
                        let waits = parked.iter().any(|p| p["waits_for"] == name);
                        Some(if waits {
                            Ok(())
                        } else {
                            Err(format!("parked is {parked:?}"))
                        })
                    }
                }
            })
    }

    fn license(&mut self, piece: &str) -> Option<Result<(), String>> {
        if let Some((plan, status)) = piece
            .strip_prefix("plan ")
            .unwrap_or(piece)
            .rsplit_once(' ')
            && STATUSES.contains(&status)
            && [
                "pro", "team", "basic", "keys", "tool", "addon", "toolkey", "toolsite",
            ]
            .contains(&plan)
        {
            self.plan = Some(plan.to_owned());
            return Some(self.each(|l| l["status"] == status));
        }
        if let Some((seats, status)) = piece
            .strip_prefix("seats ")
            .or(piece.strip_prefix("seat "))
            .and_then(|s| s.rsplit_once(' '))
            && STATUSES.contains(&status)
        {
            let (from, to) = seats
                .split_once(" to ")
                .or(seats.split_once(" and "))
                .unwrap_or((seats, seats));
            self.seats = Some(from.parse().ok()?..=to.parse().ok()?);
            return Some(self.each(|l| l["status"] == status));
        }
        if let Some(plan) = piece.strip_prefix("plan ").filter(|p| !p.contains(' ')) {
            return Some(self.each(|l| l["plan"] == plan));
        }
        if let Some(devices) = piece.strip_prefix("devices ") {
            let devices = devices.trim_end_matches(" each");
            return Some(self.each(|l| l["devices"].to_string().trim_matches('"') == devices));
        }
        if let Some(n) = piece
            .strip_prefix("together ")
            .and_then(|d| d.strip_suffix(" devices"))
        {
            let sum: u64 = self
                .licenses()
                .iter()
                .filter_map(|l| l["devices"].as_u64())
                .sum();
            return Some(same(&n.parse().ok()?, &sum));
        }
        if let Some(max) = piece
            .strip_prefix("none over ")
            .and_then(|n| n.parse().ok())
        {
            return Some(self.each(|l| l["devices"].as_u64().is_some_and(|d| d <= max)));
        }
        if let Some(at) = piece
            .strip_prefix("live to ")
            .and_then(|t| t.strip_suffix(" at least"))
        {
            return Some(self.each(|l| {
                l["status"] == "live" && l["expires_at"].as_str().is_none_or(|e| e >= at)
            }));
        }
        let expiry = piece
            .strip_prefix("each expires_at ")
            .or_else(|| piece.strip_prefix("expires_at "))
            .or_else(|| piece.strip_prefix("to "))
            .or_else(|| piece.strip_prefix("live until "));
        if let Some(text) = expiry {
            let at = text.split(": ").next()?;
            if at == "later than now" {
                let now = self.answer["until"].as_str().unwrap();
                return Some(self.each(|l| l["expires_at"].as_str().is_some_and(|e| e > now)));
            }
            if at != "null" && Timestamp::parse(at).is_err() {
                return None;
            }
            let is = |l: &Value| l["expires_at"].as_str().unwrap_or("null") == at;
            return Some(self.each_that_counts(is));
        }
        if let Some(status) = piece
            .strip_prefix("the license is ")
            .or_else(|| piece.strip_prefix("the one license is "))
            && let Some((status, at)) = status.split_once(" since ")
        {
            return Some(self.each(|l| l["status"] == status && l["expires_at"] == at));
        }
        let status = piece
            .strip_prefix("the license is ")
            .or_else(|| piece.strip_prefix("the one license is "))
            .or_else(|| piece.strip_prefix("the license "))
            .or_else(|| piece.strip_prefix("its license "))
            .unwrap_or(piece)
            .trim_end_matches(" still");
        if STATUSES.contains(&status) {
            return Some(self.each(|l| l["status"] == status));
        }
        self.count(piece)
    }

    fn count(&self, piece: &str) -> Option<Result<(), String>> {
        let licenses = self.licenses();
        let live = licenses.iter().filter(|l| l["status"] == "live").count();
        let revoked = licenses.iter().filter(|l| l["status"] == "revoked").count();
        let (got, wanted) = match piece {
            "no license" | "no license listed" => (licenses.len(), 0),
            "one license" | "the same license" | "one license in all" => (licenses.len(), 1),
            "two licenses" => (licenses.len(), 2),
            "three licenses" => (licenses.len(), 3),
            "four licenses" => (licenses.len(), 4),
            "one live license" | "exactly one live license" => (live, 1),
            "no live license" | "the license no longer works" | "no license of it is live" => {
                (live, 0)
            }
            "one license that no longer works" => (live + usize::from(licenses.len() != 1), 0),
            "none revoked" | "nothing revoked" => (revoked, 0),
            "not revoked" => (revoked, 0),
            _ => return None,
        };
        Some(same(&wanted, &got).map_err(|e| format!("{e}: {licenses:?}")))
    }

    fn about_actions(&self, piece: &str) -> Option<Result<(), String>> {
        let all: usize = self
            .all("actions")
            .filter(|a| a["outcome"] == "done")
            .count();
        match piece {
            "no action" => return Some(same(&0, &self.all("actions").count())),
            "no action but the create" | "one action" => return Some(same(&1, &all)),
            "two actions" => return Some(same(&2, &all)),
            "nothing suspended or revoked" => {
                return Some(same(
                    &0,
                    &(self.done("suspend_license") + self.done("revoke_license")),
                ));
            }
            _ => {}
        }
        let (n, kind) = piece.trim_end_matches(" in all").split_once(' ')?;
        kind.ends_with("_license").then_some(())?;
        Some(same(&number(n)?, &self.done(kind)))
    }

    fn about_mails(&mut self, piece: &str) -> Option<Result<(), String>> {
        let sent = self.sent();
        let times = |kind: &str| sent.get(kind).copied().unwrap_or(0);
        match piece {
            "no notice" | "no mail" | "no mail to the customer" | "no notice to the customer" => {
                return Some(if sent.is_empty() {
                    Ok(())
                } else {
                    Err(format!("sent were {sent:?}"))
                });
            }
            "no alarming mail" => {
                let calm = |k: &&str| !["license_issued", "restored", "trial_ending"].contains(k);
                return Some(same(
                    &0,
                    &KINDS.iter().filter(|k| calm(k)).map(|k| times(k)).sum(),
                ));
            }
            "no failure mail" => {
                return Some(same(&0, &(times("payment_failed") + times("grace_ending"))));
            }
            "one notice" => return Some(same(&1, &self.all("notices").count())),
            _ => {}
        }
        if let Some(kind) = piece.split(' ').find(|w| KINDS.contains(w)) {
            self.mail = Some(kind.to_owned());
        }
        if let Some((kind, status)) = piece
            .strip_prefix("the notice ")
            .and_then(|p| p.split_once(" has status "))
        {
            let has = self
                .all("notices")
                .any(|n| n["kind"] == kind && n["status"] == status);
            return Some(if has {
                Ok(())
            } else {
                Err(format!("sent were {sent:?}"))
            });
        }
        if let Some((_, to)) = piece.rsplit_once("to ").filter(|(_, to)| to.contains('@')) {
            let kind = self.mail.clone()?;
            let bare = to.trim_end_matches(" alone");
            let of_kind = || {
                self.all("notices")
                    .filter(|n| n["kind"] == kind.as_str() && n["status"] == "sent")
            };
            let went = of_kind().any(|n| n["to"] == bare)
                && (bare == to || of_kind().all(|n| n["to"] == bare));
            return Some(if went {
                Ok(())
            } else {
                Err(format!(
                    "{kind} went to {:?}",
                    of_kind().collect::<Vec<_>>()
                ))
            });
        }
        let words: Vec<&str> = piece
            .split(' ')
            .filter(|w| !["in", "all", "mail", "sent"].contains(w))
            .collect();
        match words.as_slice() {
            [kind] if KINDS.contains(kind) => Some(if times(kind) > 0 {
                Ok(())
            } else {
                Err(format!("{sent:?}"))
            }),
            [kind, "once"] if KINDS.contains(kind) => Some(same(&1, &times(kind))),
            [n, kind] if KINDS.contains(kind) => Some(same(&number(n)?, &times(kind))),
            _ => None,
        }
    }

    fn each_machine(
        &self,
        holds: impl Fn(&Value) -> bool,
        is: impl Fn(&Value) -> String,
    ) -> Result<(), String> {
        let mut machines = self.machines().peekable();
        if machines.peek().is_none() {
            return Err("there is no such machine".to_owned());
        }
        machines.find(|m| !holds(m)).map_or(Ok(()), |m| Err(is(m)))
    }

    fn each(&self, holds: impl Fn(&Value) -> bool) -> Result<(), String> {
        let licenses = self.licenses();
        if !licenses.is_empty() && licenses.iter().all(|l| holds(l)) {
            return Ok(());
        }
        Err(format!(
            "licenses are {}",
            Value::from(licenses.into_iter().cloned().collect::<Vec<_>>())
        ))
    }

    /// Where a key was made anew, what is said of the expiry concerns the live one.
    fn each_that_counts(&self, holds: impl Fn(&Value) -> bool) -> Result<(), String> {
        let live = self.licenses().iter().any(|l| l["status"] == "live");
        self.each(|l| holds(l) || (live && l["status"] == "revoked"))
    }
}

const KINDS: &[&str] = &[
    "license_issued",
    "license_delayed",
    "payment_failed",
    "grace_ending",
    "suspended",
    "restored",
    "ended",
    "refunded",
    "disputed",
    "action_required",
    "trial_ending",
];

fn state(piece: &str) -> Option<&str> {
    let piece = piece
        .trim_end_matches(" with a scheduled end")
        .trim_end_matches(" with an open dispute");
    (piece != "expired" && STATES.contains(&piece)).then_some(piece)
}

fn number(word: &str) -> Option<usize> {
    ["no", "one", "two", "three", "four"]
        .iter()
        .position(|w| *w == word)
}

fn same<T: PartialEq + std::fmt::Display>(wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!("it is {got}"))
    }
}

/// A piece without its instants and ids.
fn plain(piece: &str) -> String {
    let word = |w: &str| {
        let bare = w.trim_end_matches([',', ':']);
        if Timestamp::parse(bare).is_ok() && bare.contains('T') {
            w.replace(bare, "T")
        } else if ["stripe/", "pi_", "in_", "sub_", "cs_"]
            .iter()
            .any(|p| bare.starts_with(p))
        {
            w.replace(bare, "ID")
        } else {
            w.to_owned()
        }
    };
    piece.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
