//! The config, read again by the server that runs: on a person's word, as on SIGHUP.

use tokio::sync::{mpsc, oneshot};

use super::failure::Failure;
use super::payload::Reloaded;
use super::response::Response;

/// Where a server takes the order to read its config again; each brings the way for its answer.
pub type ReloadOrders = mpsc::Sender<oneshot::Sender<Result<Reloaded, Failure>>>;

pub(super) async fn reload(orders: Option<&ReloadOrders>) -> Result<Response, Failure> {
    let Some(orders) = orders else {
        return Err(no_server());
    };
    let (answer, answered) = oneshot::channel();
    let stopping = || Failure::ours("the server is stopping: nothing was loaded");
    orders.send(answer).await.map_err(|_| stopping())?;
    answered
        .await
        .map_err(|_| stopping())?
        .map(Response::Reloaded)
}

/// Without a server there is nothing to load it into.
#[must_use]
pub fn no_server() -> Failure {
    Failure::input("no server runs that could load the config").hint(
        "`keyward serve` reads it when it starts, and `keyward check` says what is wrong with it",
    )
}
