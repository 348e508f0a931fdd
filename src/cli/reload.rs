//! SIGHUP and `keyward reload`: the config file is loaded again. Plans and policies become a new revision, templates are read
//! again; mistakes are told, and what was in force stays. What else changed waits for a restart, and that is told too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::args::JsonArgs;
use super::ask::load;
use super::report;
use crate::admin::{Failure, Reloaded, Request, Response, no_server, socket};
use crate::config::{Config, Env, Finding, Mail};
use crate::domain::id::MachineId;
use crate::domain::words::counted;
use crate::effects::services::Services;
use crate::engine::Handle;
use crate::engine::input::{Input, Receipt, Rules};
use crate::engine::read::view;
use crate::engine::record::revisions;

/// What loads the config again.
pub struct Reloader {
    /// The file.
    pub path: PathBuf,
    /// The config that the server was started with.
    pub started: Config,
    /// The engine's door.
    pub handle: Handle,
    /// The services, for their templates.
    pub services: Arc<Services>,
}

/// Where whoever ordered a reload waits for what came of it.
type ReloadAnswer = oneshot::Sender<Result<Reloaded, Failure>>;

impl Reloader {
    /// Loads at every signal and order, until the order to stop. `around` is told when a reload begins and when it is over.
    pub async fn run(
        self,
        mut signal: Signal,
        mut orders: mpsc::Receiver<ReloadAnswer>,
        stop: CancellationToken,
        around: impl Fn(bool),
    ) {
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                heard = signal.recv() => match heard {
                    Some(()) => None,
                    None => return,
                },
                Some(answer) = orders.recv() => Some(answer),
            };
            around(true);
            let loaded = match self.read() {
                Ok((config, unwise)) => self.take(config, &unwise).await,
                Err(failure) => Err(failure),
            };
            tell(&loaded);
            around(false);
            if let Some(answer) = asked {
                // Whoever asked may be gone: it stands in the log.
                let _ = answer.send(loaded);
            }
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Its mistakes.
    fn read(&self) -> Result<(Config, Vec<Finding>), Failure> {
        Config::load(&self.path, &Env::process()).map_err(|wrong| refused(&wrong.mistakes))
    }

    /// Brings a config into force, as far as that needs no restart.
    ///
    /// # Errors
    /// Why the engine took nothing.
    async fn take(&self, config: Config, unwise: &[Finding]) -> Result<Reloaded, Failure> {
        let mistakes = self.services.reload_templates(&config);
        let templates = mistakes.iter().map(|mistake| {
            format!("mail templates have a mistake: those before stay in use ({mistake})")
        });
        let (plans, policies) = (config.plans.clone(), config.policies.clone());
        let receipt = self
            .handle
            .submit_waiting(Input::Revision { plans, policies })
            .await?;
        let reloaded = Reloaded {
            file: self.path.display().to_string(),
            revision: receipt == Receipt::Done,
            restart: differing(&self.started, &config),
            warnings: templates.chain(unwise.iter().map(placed)).collect(),
        };
        crate::server::mode::follow(&self.handle, config.mode, self.handle.clock())
            .await
            .map_err(|e| Failure::ours(e.to_string()))?;
        if reloaded.revision {
            let revisions = self
                .handle
                .rules()
                .revisions
                .replaced(revisions::kept(&self.handle)?);
            self.handle.set_rules(Rules {
                revisions,
                ..self.handle.rules().as_ref().clone()
            });
            self.wake().await?;
        }
        Ok(reloaded)
    }

    /// Looks again at what was paid for and sold nothing that the config knew.
    async fn wake(&self) -> Result<(), Failure> {
        let handle = self.handle.clone();
        let look = move || -> Result<Vec<MachineId>, Failure> {
            let mut found = Vec::new();
            view::machines(handle.reader(), |machine| {
                if machine.grants.is_empty() && !machine.told.is_empty() {
                    found.push(machine.id);
                }
                true
            })?;
            Ok(found)
        };
        let found = tokio::task::spawn_blocking(look)
            .await
            .unwrap_or_else(|e| Err(Failure::ours(e.to_string())))?;
        for machine in found {
            self.handle
                .submit_waiting(Input::WakeUp { machine })
                .await?;
        }
        Ok(())
    }
}

/// `keyward reload`: has the server that runs read its config again.
///
/// # Errors
/// The config's mistakes, that no server runs, or what went wrong there.
pub(super) fn run(config_path: &Path, args: JsonArgs) -> Result<(), Failure> {
    // What is wrong with the file is shown as `check` shows it; what only the server sees, it answers.
    let (config, _) = load(config_path, &Env::process().lenient())?;
    let answer = socket::ask(&config.data_dir, &Request::Reload)?.ok_or_else(no_server)?;
    if let Response::Failed(failure) = answer {
        return Err(failure);
    }
    let Response::Reloaded(reloaded) = answer else {
        return Err(Failure::ours("the server answered something else")
            .hint("is the server of the same version as this command?"));
    };
    if args.json {
        return report::json(&reloaded);
    }
    report::data(&loaded(&reloaded));
    reloaded.warnings.iter().for_each(|w| report::warning(w));
    if !reloaded.restart.is_empty() {
        report::warning(&waits(&reloaded));
    }
    Ok(())
}

fn loaded(reloaded: &Reloaded) -> String {
    let plans = if reloaded.revision {
        "are a new revision; what happened before is judged as before"
    } else {
        "are those in force"
    };
    format!(
        "{} is loaded: its plans and policies {plans}",
        reloaded.file
    )
}

fn waits(reloaded: &Reloaded) -> String {
    let parts = reloaded.restart.join(", ");
    format!("changed, but only a restart brings it into force: {parts}")
}

fn tell(loaded: &Result<Reloaded, Failure>) {
    match loaded {
        Ok(reloaded) => {
            for warning in &reloaded.warnings {
                tracing::warn!("{warning}");
            }
            tracing::info!("{}", self::loaded(reloaded));
            if !reloaded.restart.is_empty() {
                tracing::warn!("{}", waits(reloaded));
            }
        }
        Err(failure) => {
            for line in failure.message.lines() {
                tracing::error!("{}", line.trim_start());
            }
        }
    }
}

/// What was found in the file, with its line.
fn placed(finding: &Finding) -> String {
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
    let line = finding.place.as_ref().map(|p| format!(":{}", p.line));
    format!(
        "{}{}: {}{}",
        finding.file,
        line.unwrap_or_default(),
        finding.message,
        hint.unwrap_or_default()
    )
}

fn refused(mistakes: &[Finding]) -> Failure {
    let lines = mistakes.iter().map(|m| format!("\n  {}", placed(m)));
    Failure::input(format!(
        "the config has {}: nothing of it was loaded, the one before stays in force{}",
        counted(mistakes.len(), "mistake", "mistakes"),
        lines.collect::<String>()
    ))
    .hint("docs/config.md explains each key")
}

/// What differs between two configs and is read only at the start.
fn differing(old: &Config, new: &Config) -> Vec<String> {
    // The templates' folder is looked up at each load.
    let mail = |mail: &Mail| Mail {
        templates: None,
        ..mail.clone()
    };
    let sources = |config: &Config| {
        let mut sources = config.sources.clone();
        for source in &mut sources {
            source.mail = source.mail.as_ref().map(mail);
        }
        sources
    };
    let parts = [
        ("listen", old.listen != new.listen),
        ("data_dir", old.data_dir != new.data_dir),
        ("public_url", old.public_url != new.public_url),
        ("[[source]]", sources(old) != sources(new)),
        ("[licenses]", old.licenses != new.licenses),
        ("[mail]", mail(&old.mail) != mail(&new.mail)),
        ("[store]", old.store != new.store),
        ("[scheduler]", old.scheduler != new.scheduler),
        ("[http]", old.http != new.http),
        ("[time]", old.time != new.time),
        ("[adopt]", old.adopt != new.adopt),
        ("[vendor]", old.vendor != new.vendor),
        ("[success]", old.success != new.success),
        (
            "`title` and `downloads` of plans",
            old.display != new.display,
        ),
        (
            "`offline` and `variables` of plans",
            old.program_terms != new.program_terms,
        ),
    ];
    parts
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
}
