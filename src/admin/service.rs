//! The operator's questions and orders, and one place that answers them: over the control socket while the server runs,
//! in the command's own process when it does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::{Context, decision_id, raw, to_come};
use super::decided::decided;
use super::failure::Failure;
use super::reload::ReloadOrders;
use super::request::{Request, action_name};
use super::response::{Response, changed};
use super::settlement::{self, Which};
use super::upkeep::Upkeep;
use super::{
    adoption, attention, audit_note, backfill, dismiss, erase, history, issue, lists, overrides,
    policy, read, reload, reread, retry, service_move, standing, upkeep, why,
};
use crate::domain::decision::{Decision, Verb};
use crate::domain::id::SourceName;
use crate::domain::operator::Order;
use crate::domain::probe::ServiceProbe;
use crate::effects::health::ServerAttention;
use crate::effects::services::Services;
use crate::effects::sign_in::SignOut;
use crate::effects::stripe::Accounts;
use crate::engine::Handle;
use crate::engine::backup::Backups;
use crate::engine::input::Input;
use crate::engine::read::sources as read_sources;
use crate::engine::record;

/// Answers the operator.
#[derive(Clone)]
pub struct Service {
    context: Context,
    /// The services of a running server, whose breakers a retry closes.
    running: Option<Arc<Services>>,
    /// What waits for a person at a running server apart from purchases.
    attention: Option<ServerAttention>,
    /// The accounts at Stripe that can be asked.
    accounts: Arc<Accounts>,
    upkeep: Option<Upkeep>,
    /// Ends the sessions of an address at a running server's portal.
    sign_out: Option<SignOut>,
    /// Reads a running server's config again.
    reload: Option<ReloadOrders>,
}

impl Service {
    /// Over an engine; `services` are the license services by source.
    #[must_use]
    pub fn new(handle: Handle, services: BTreeMap<SourceName, &'static str>) -> Self {
        Self {
            context: Context { handle, services },
            running: None,
            attention: None,
            accounts: Arc::default(),
            upkeep: None,
            sign_out: None,
            reload: None,
        }
    }

    /// The same where Stripe can be asked.
    #[must_use]
    pub fn with_accounts(self, accounts: Accounts) -> Self {
        Self {
            accounts: Arc::new(accounts),
            ..self
        }
    }

    /// The same at a running server: a retry also tries services that are down or refuse.
    #[must_use]
    pub fn with_running(self, services: Arc<Services>, attention: ServerAttention) -> Self {
        Self {
            accounts: Arc::new(services.stripe_map().clone()),
            running: Some(services),
            attention: Some(attention),
            ..self
        }
    }

    /// The same where backups can be made, until the token is cancelled.
    #[must_use]
    pub fn with_backups(self, backups: Arc<Backups>, stop: CancellationToken) -> Self {
        Self {
            upkeep: Some(Upkeep { backups, stop }),
            ..self
        }
    }

    /// The same where customers may be signed in.
    pub(crate) fn with_sign_out(self, sign_out: Option<SignOut>) -> Self {
        Self { sign_out, ..self }
    }

    /// The same where the config can be read again.
    #[must_use]
    pub fn with_reload(self, orders: ReloadOrders) -> Self {
        Self {
            reload: Some(orders),
            ..self
        }
    }

    pub async fn answer(&self, request: Request) -> Response {
        let answer = match request {
            Request::Find { text } => self.read(move |c| read::find(c, &text)).await,
            Request::Show { machine } => self.read(move |c| read::show(c, &machine)).await,
            Request::Event { id } => self.read(move |c| read::event(c, &id)).await,
            Request::Why { text, at, known_at } => {
                self.read(move |c| why::why(c, &text, at, known_at)).await
            }
            Request::Events { which, limit } => {
                self.read(move |c| lists::events(c, which, limit)).await
            }
            Request::Refused { limit } => self.read(move |c| lists::refused(c, limit)).await,
            Request::Actions { limit } => self.read(move |c| lists::actions(c, limit)).await,
            Request::Attention => self.attention().await,
            Request::Reload => reload::reload(self.reload.as_ref()).await,
            Request::Backfill(query) => backfill::next(&self.context, &self.accounts, query).await,
            Request::History(pages) => self.read(move |c| history::page(c, &pages)).await,
            Request::Adoption(query) => {
                adoption::answer(&self.context, self.running.as_deref(), query).await
            }
            Request::Erase(query) => {
                erase::answer(&self.context, self.sign_out.as_ref(), query).await
            }
            Request::Move(query) => service_move::answer(&self.context, query).await,
            Request::Backup { target } => {
                upkeep::backup(&self.context, self.upkeep.clone(), target).await
            }
            Request::Verify { repair } => upkeep::verify(&self.context, repair).await,
            Request::Reread(query) => reread::reread(&self.context, query).await,
            Request::Policy(judging) => policy::answer(&self.context, judging).await,
            Request::Retry(what) => {
                retry::retry(&self.context, self.running.as_deref(), what).await
            }
            Request::Abandon { id } => self.put_off(id, Order::Abandon).await,
            Request::Hold { id, reason } => self.put_off(id, Order::Hold(reason)).await,
            Request::Probed(probe) => self.probed(probe).await,
            Request::Probe { service } => self.read(move |c| probe(c, &service)).await,
            Request::Sources { named } => self.read(move |c| sources(c, &named)).await,
            Request::Issue { source, decision } => {
                issue::issue(&self.context, source, decision).await
            }
            Request::Held { limit } => self.read(move |c| standing::held(c, limit)).await,
            Request::Settle {
                id,
                held_by,
                settlement,
                author,
                reason,
            } => {
                let which = Which::of(id, held_by);
                settlement::settle(&self.context, which, settlement.by(author, reason)).await
            }
            Request::Order {
                what,
                author,
                reason,
            } => standing::order(&self.context, what, author, reason).await,
            Request::Override {
                whom,
                what,
                author,
                reason,
            } => overrides::order(&self.context, whom, what, author, reason).await,
            Request::Decide { machine, decision } => self.decide(machine, decision).await,
        };
        answer.unwrap_or_else(Response::Failed)
    }

    async fn attention(&self) -> Result<Response, Failure> {
        let of_server = self.attention.as_ref().map_or_else(Vec::new, |now| now());
        let read = move |context: &Context| attention::list(context, of_server);
        self.context.read(read).await
    }

    /// Keeps what a probe learned; it counts from the next start on.
    async fn probed(&self, probe: ServiceProbe) -> Result<Response, Failure> {
        let _ = self
            .context
            .handle
            .submit_waiting(Input::Probed(probe))
            .await?;
        Ok(changed([], 0, 0))
    }

    /// Reads on a thread that may wait for the disk.
    async fn read(
        &self,
        read: impl FnOnce(&Context) -> Result<Response, Failure> + Send + 'static,
    ) -> Result<Response, Failure> {
        self.context.read(read).await
    }

    async fn decide(&self, machine: String, decision: Decision) -> Result<Response, Failure> {
        let at = self.context.handle.clock().now();
        to_come(decision.verb.until(), at)?;
        if decision.verb == Verb::Note {
            let text = machine.clone();
            let audited = move |context: &Context| audit_note::found(context, &text);
            if let Some(found) = self.context.read(audited).await? {
                return audit_note::note(&self.context, found, decision, at).await;
            }
            let text = machine.clone();
            let unsettled = move |context: &Context| dismiss::unsettled(context, &text);
            if let Some(event) = self.context.read(unsettled).await? {
                return dismiss::dismiss(&self.context, event, decision).await;
            }
        }
        let resend = matches!(decision.verb, Verb::Resend { .. });
        let find = move |context: &Context| {
            let id = read::resolve(context, &machine)?;
            if resend {
                read::check_can_resend(context, &id)?;
            }
            Ok(id)
        };
        let machine = self.context.read(find).await?;
        decided(&self.context, machine, (decision_id(at), decision), at).await
    }

    /// Gives one action up, or holds it.
    async fn put_off(&self, id: String, order: Order) -> Result<Response, Failure> {
        let (machine, number) = action_name(&id).ok_or_else(|| {
            Failure::input(format!("`{id}` names no action"))
                .hint("`keyward actions` lists them, like stripe/sub_123#4")
        })?;
        let machine = read::with_action(&self.context, machine, number, order.takes()).await?;
        let input = Input::Actions {
            machine: machine.clone(),
            action: Some(number),
            order,
        };
        self.context.submit(&machine, input).await?;
        Ok(changed([machine], 1, 0))
    }
}

/// How a config's sources differ from the store's.
fn sources(context: &Context, named: &[SourceName]) -> Result<Response, Failure> {
    let change = read_sources::change(context.handle.reader(), named)?;
    Ok(Response::List {
        rows: vec![raw(&change)?],
        more: 0,
    })
}

/// What is known of a license service by a probe.
fn probe(context: &Context, service: &str) -> Result<Response, Failure> {
    let known = record::probe::of(&context.handle, service)?;
    let rows = known.iter().map(raw).collect::<Result<_, _>>()?;
    Ok(Response::List { rows, more: 0 })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::admin::ActionFilter;

    #[test]
    fn requests_travel_as_lines() {
        let decision: Decision = serde_json::from_str(
            r#"{"kind":"grant","until":"2026-03-01T00:00:00Z","reason":"r\nr"}"#,
        )
        .unwrap();
        for request in [
            Request::Find { text: "a".into() },
            Request::Retry(ActionFilter::All),
            Request::Decide {
                machine: "stripe/sub_1".into(),
                decision,
            },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            let back: Request = serde_json::from_str(&line).unwrap();
            assert_eq!(format!("{back:?}"), format!("{request:?}"));
        }
        let raw = RawValue::from_string("{\"a\":1}".into()).unwrap();
        let line = serde_json::to_string(&Response::List {
            rows: vec![raw],
            more: 2,
        })
        .unwrap();
        assert!(
            matches!(serde_json::from_str(&line).unwrap(), Response::List { rows, more: 2 } if rows[0].get() == "{\"a\":1}")
        );
    }

    #[test]
    fn an_action_is_named_by_purchase_and_number() {
        assert_eq!(action_name("stripe/sub_1#4"), Some(("stripe/sub_1", 4)));
        assert_eq!(action_name("stripe/sub_1"), None);
        assert_eq!(action_name("stripe/sub_1#x"), None);
    }
}
