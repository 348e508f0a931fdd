//! Stripe's lists, page by page. Every page is kept as progress before the next is asked for.

use std::collections::HashSet;
use std::io;

use serde_json::Value;

use super::backdate::List;
use super::charges;
use super::progress::{self, Progress, ReadPart};
use super::so_far::{ReadSoFar, Trouble, WAIT_MAX};
use crate::clock::pause;
use crate::domain::fact::{APP_ID_KEY, CHECKOUT_KEY};
use crate::domain::time::{Span, Timestamp};
use crate::effects::stripe::{Answer, Client, StripeRefusal};
use crate::effects::throttle::{Share, Throttle};

/// The largest answer that is read, in bytes: a page of 100 invoices of 10 lines each is a sixth of it.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Requests side by side: one reading needs no more.
const IN_FLIGHT: usize = 2;
/// How often one call is tried.
const TRIES_MAX: u32 = 10;
/// The wait after the first try; each further one doubles it, up to [`WAIT_MAX`].
const FIRST_WAIT: Span = Span::from_ms(500);
/// How often a list whose cursor is gone is begun again below the last object.
const RESTARTS_MAX: u32 = 50;
/// The most pages of one list: 10 million objects. What is longer does not end.
const PAGES_MAX: u32 = 100_000;

/// Why the reading broke off. What was read is kept.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Stripe refuses.
    #[error("Stripe refuses to list {what}: {why}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        why: String,
        /// What the key must be allowed to read.
        permission: &'static str,
        /// Whether it knows the key at all.
        knows_key: bool,
    },
    /// Stripe does not answer.
    #[error("Stripe does not answer: {0}")]
    Unanswered(String),
    /// What was answered is no list, or one that does not end.
    #[error("Stripe's list of {0} makes no sense: is `api_base` Stripe's API?")]
    NoList(&'static str),
    /// The progress.
    #[error("the progress cannot be kept: {0}")]
    Progress(#[from] io::Error),
}

/// Reads lists of one account.
pub struct Lists<'a> {
    client: &'a Client,
    throttle: Throttle,
    progress: &'a mut Progress,
    watch: &'a mut (dyn FnMut(ReadSoFar<'_>) + Send),
    /// Calls so far.
    pub calls: u64,
    /// What was last told of why it stands still.
    told: String,
}

/// Where a list stands.
#[derive(Debug, Default)]
struct Place {
    after: Option<String>,
    /// `created` of the last object.
    last: Option<i64>,
    /// Nothing younger is asked for: the cursor was lost there.
    not_after: Option<i64>,
    seen: HashSet<u64>,
    restarts: u32,
    over: bool,
}

impl Place {
    /// Takes note of a page and leaves what is new of it.
    fn take(&mut self, page: &mut Vec<Value>) {
        let id = |o: &Value| o["id"].as_str().unwrap_or_default().to_owned();
        if let Some(last) = page.last() {
            self.after = Some(id(last));
            self.last = last["created"].as_i64().or(self.last);
        }
        page.retain(|o| {
            let digest = crate::effects::license::sweep::hash(&id(o));
            self.seen.insert(digest)
        });
    }

    /// The cursor is gone: on below the last object, a second wider so that none of its second is missed.
    fn restart(&mut self) -> bool {
        self.restarts += 1;
        self.not_after = self.last.map(|at| at + 1);
        self.after = None;
        self.not_after.is_some() && self.restarts <= RESTARTS_MAX
    }
}

/// What came of a call.
enum Got {
    Body(Value),
    /// The question itself was refused.
    NotSo(String),
}

impl<'a> Lists<'a> {
    /// Reads with at most so many calls a second (0: no limit).
    pub fn new(
        client: &'a Client,
        reads_per_s: u32,
        progress: &'a mut Progress,
        watch: &'a mut (dyn FnMut(ReadSoFar<'_>) + Send),
    ) -> Self {
        Self {
            client,
            throttle: Throttle::new(reads_per_s, IN_FLIGHT),
            progress,
            watch,
            calls: 0,
            told: String::new(),
        }
    }

    /// Reads a list to its end, after what an earlier run read of it, and hands each object on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(
        &mut self,
        list: List,
        kept: &[ReadPart],
        each: &mut (dyn FnMut(&Value) + Send),
    ) -> Result<(), ReadError> {
        let number = list.number();
        let (mut place, mut read, mut pages) = (Place::default(), 0, 0);
        for part in kept {
            if let ReadPart::Page { list, packed, last } = part
                && *list == number
            {
                let mut objects = progress::unpack(packed);
                place.take(&mut objects);
                place.over = *last;
                read += objects.len();
                objects.iter().for_each(&mut *each);
            }
        }
        let mut expands = true;
        while !place.over {
            let page = match self.page(list, &place, expands).await? {
                Got::Body(page) => page,
                // The cursor's object does not fit the list any more.
                Got::NotSo(_) if place.after.is_some() && place.restart() => continue,
                Got::NotSo(_) if expands && list == List::Sessions && place.after.is_none() => {
                    expands = false;
                    continue;
                }
                Got::NotSo(why) => return Err(refused(list, why, true)),
            };
            let data = page["data"].as_array();
            let mut objects = data.ok_or(ReadError::NoList(list.as_str()))?.clone();
            if repeats(&objects, place.after.as_deref()) {
                return Err(ReadError::NoList(list.as_str()));
            }
            let more = page["has_more"].as_bool().unwrap_or(false) && !objects.is_empty();
            place.take(&mut objects);
            place.over = !more;
            self.complete(list, &mut objects).await?;
            self.progress.add(&ReadPart::Page {
                list: number,
                packed: progress::pack(&objects),
                last: place.over,
            })?;
            read += objects.len();
            objects.iter().for_each(&mut *each);
            self.report_progress(list.as_str(), read);
            pages += 1;
            if pages > PAGES_MAX {
                return Err(ReadError::NoList(list.as_str()));
            }
        }
        self.report_progress(list.as_str(), read);
        Ok(())
    }

    /// The events since an instant, the newest first, as they were delivered.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn events(&mut self, since: Timestamp) -> Result<Vec<Value>, ReadError> {
        let since = since.s().to_string();
        let filters = [("created[gte]", since.as_str())];
        self.whole(&["events"], &filters, List::Events).await
    }

    fn report_progress(&mut self, what: &'static str, read: usize) {
        let calls = self.calls;
        (self.watch)(ReadSoFar {
            what,
            read,
            calls,
            trouble: None,
        });
    }

    async fn page(&mut self, list: List, place: &Place, expands: bool) -> Result<Got, ReadError> {
        let (path, filters): (&[&str], &[(&str, &str)]) = match list {
            List::Sessions if expands => (
                &["checkout", "sessions"],
                &[("status", "complete"), ("expand[]", "data.line_items")],
            ),
            List::Sessions => (&["checkout", "sessions"], &[("status", "complete")]),
            // Since basil only its payments lead from money that goes back to an invoice.
            List::Invoices => (&["invoices"], &[("expand[]", "data.payments")]),
            // The default leaves out what was cancelled, and loses its cursor when something is cancelled meanwhile.
            List::Subscriptions => (&["subscriptions"], &[("status", "all")]),
            List::Charges => (&["charges"], &[]),
            List::Refunds => (&["refunds"], &[]),
            List::Disputes => (&["disputes"], &[]),
            List::Events => (&["events"], &[]),
        };
        let not_after = place.not_after.map(|at| at.to_string());
        let mut query = vec![("limit", "100")];
        query.extend_from_slice(filters);
        query.extend(place.after.as_deref().map(|id| ("starting_after", id)));
        query.extend(not_after.as_deref().map(|at| ("created[lte]", at)));
        self.get(path, &query, list).await
    }

    /// Fetches what the objects of a page lack: Stripe shows the first entries of a list inside an object only. Of charges,
    /// leaves what is needed.
    async fn complete(&mut self, list: List, objects: &mut [Value]) -> Result<(), ReadError> {
        for object in objects {
            let id = object["id"].as_str().unwrap_or_default().to_owned();
            let is_cut = |name: &str| object[name]["has_more"] == true;
            match list {
                List::Subscriptions if is_cut("items") => {
                    let query = [("subscription", id.as_str())];
                    let rows = self.whole(&["subscription_items"], &query, list).await?;
                    put(object, "items", rows);
                }
                List::Invoices => {
                    if is_cut("lines") {
                        let rows = self.whole(&["invoices", &id, "lines"], &[], list).await?;
                        put(object, "lines", rows);
                    }
                    // Each may go back alone.
                    if object["payments"]["has_more"] == true {
                        let query = [("invoice", id.as_str())];
                        let rows = self.whole(&["invoice_payments"], &query, list).await?;
                        put(object, "payments", rows);
                    }
                }
                List::Sessions if sells(object) && (is_cut("line_items") || lacks(object)) => {
                    let path = ["checkout", "sessions", &id, "line_items"];
                    let rows = self.whole(&path, &[], list).await?;
                    put(object, "line_items", rows);
                }
                // Before it is kept: what is its customer's alone stays at Stripe.
                List::Charges => *object = charges::bare(object),
                List::Sessions
                | List::Subscriptions
                | List::Refunds
                | List::Disputes
                | List::Events => {}
            }
        }
        Ok(())
    }

    /// A list inside an object, whole.
    async fn whole(
        &mut self,
        path: &[&str],
        filters: &[(&str, &str)],
        list: List,
    ) -> Result<Vec<Value>, ReadError> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let after = rows.last().and_then(|r| r["id"].as_str());
            let after = after.map(str::to_owned);
            let mut query = vec![("limit", "100")];
            query.extend_from_slice(filters);
            query.extend(after.as_deref().map(|id| ("starting_after", id)));
            let page = match self.get(path, &query, list).await? {
                Got::Body(page) => page,
                Got::NotSo(why) => return Err(refused(list, why, true)),
            };
            let data = page["data"].as_array();
            let data = data.ok_or(ReadError::NoList(list.as_str()))?;
            if repeats(data, after.as_deref()) {
                return Err(ReadError::NoList(list.as_str()));
            }
            rows.extend(data.iter().cloned());
            if page["has_more"] != true || data.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// Says once why it stands still.
    fn stands_still(&mut self, list: List, why: &str) {
        if self.told == why {
            return;
        }
        self.told = why.to_owned();
        let trouble = Trouble::of("Stripe", why, FIRST_WAIT, TRIES_MAX);
        (self.watch)(ReadSoFar {
            what: list.as_str(),
            read: 0,
            calls: self.calls,
            trouble: Some(&trouble),
        });
    }

    /// One call, tried again while that can help.
    async fn get(
        &mut self,
        path: &[&str],
        query: &[(&str, &str)],
        list: List,
    ) -> Result<Got, ReadError> {
        let mut wait = FIRST_WAIT;
        let mut said = String::new();
        for left in (0..TRIES_MAX).rev() {
            let pass = self.throttle.pass(Share::Actions).await;
            self.calls += 1;
            let answer = self.client.get(path, query, None).await;
            drop(pass);
            match answer {
                Answer::Done(body) => return Ok(Got::Body(body)),
                Answer::Refused {
                    refusal: StripeRefusal::Question,
                    why,
                } => return Ok(Got::NotSo(why)),
                Answer::Refused { refusal, why } => {
                    let knows_key = refusal != StripeRefusal::Key;
                    return Err(refused(list, why, knows_key));
                }
                Answer::Again { after, why, .. } => {
                    said = why;
                    if left == 0 {
                        break;
                    }
                    self.stands_still(list, &said);
                    pause(wait.max(after.unwrap_or(Span::ZERO)).min(WAIT_MAX)).await;
                    wait = Span::from_ms(wait.ms().saturating_mul(2)).min(WAIT_MAX);
                }
            }
        }
        Err(ReadError::Unanswered(said))
    }
}

fn refused(list: List, why: String, knows_key: bool) -> ReadError {
    ReadError::Refused {
        what: list.as_str(),
        why,
        permission: list.permission(),
        knows_key,
    }
}

/// Whether a page that was to begin behind an object shows it again: whoever answers does not know of pages, and such a list
/// has no end.
fn repeats(page: &[Value], after: Option<&str>) -> bool {
    after.is_some_and(|after| page.iter().any(|o| o["id"].as_str() == Some(after)))
}

fn put(object: &mut Value, name: &str, rows: Vec<Value>) {
    object[name] = serde_json::json!({ "object": "list", "has_more": false, "data": rows });
}

/// Whether what a session sold is of interest: it was paid, and its own metadata does not say it all.
fn sells(session: &Value) -> bool {
    let names = |key: &str| {
        session["metadata"][key]
            .as_str()
            .is_some_and(|t| !t.is_empty())
    };
    session["mode"] == "payment"
        && session["payment_status"] != "unpaid"
        && (!names(APP_ID_KEY) || names(CHECKOUT_KEY))
        && !names("plan")
}

/// Whether nobody expanded what it sold.
fn lacks(session: &Value) -> bool {
    !session["line_items"].is_object()
}
