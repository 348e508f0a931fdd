//! SIGHUP: the config file is loaded again. Plans and policies become a new revision, templates are read again; mistakes are
//! told, and what was in force stays. What else changed waits for a restart, and that is told too.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::admin::Failure;
use crate::config::{Config, Env, Mail};
use crate::domain::id::MachineId;
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

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Whether plans and policies are a new revision.
    pub revision: bool,
    /// What differs and needs a restart.
    pub restart: Vec<&'static str>,
}

impl Reloader {
    /// Loads at every signal, until the order to stop. `around` is told when a reload begins and when it is over.
    pub async fn run(self, mut signal: Signal, stop: CancellationToken, around: impl Fn(bool)) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                heard = signal.recv() => if heard.is_none() { return },
            }
            around(true);
            let read = self.read(&Env::process());
            let loaded = match read {
                Ok(config) => self.take(config).await,
                Err(failure) => Err(failure),
            };
            match loaded {
                Ok(reloaded) => tell(&self.path, &reloaded),
                Err(failure) => {
                    tracing::error!(hint = failure.hint, "{failure}", failure = failure.message)
                }
            }
            around(false);
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// That it has mistakes, each of which is logged.
    pub fn read(&self, env: &Env<'_>) -> Result<Config, Failure> {
        let read = Config::load(&self.path, env).map(|(config, _)| config);
        read.map_err(|mistakes| {
            for mistake in &mistakes.mistakes {
                let line = mistake.place.as_ref().map(|p| p.line);
                tracing::error!(file = %mistake.file, line, "{}", mistake.message);
            }
            let n = mistakes.mistakes.len();
            let n = if n == 1 {
                "1 mistake".to_owned()
            } else {
                format!("{n} mistakes")
            };
            Failure::input(format!(
                "the config has {n}: nothing of it was loaded, the one before stays in force"
            ))
        })
    }

    /// Brings a config into force, as far as that needs no restart.
    ///
    /// # Errors
    /// Why the engine took nothing.
    pub async fn take(&self, config: Config) -> Result<Reloaded, Failure> {
        for mistake in self.services.reload_templates(&config) {
            tracing::error!(%mistake, "mail templates have a mistake: those before stay in use");
        }
        let (plans, policies) = (config.plans.clone(), config.policies.clone());
        let receipt = self
            .handle
            .submit_waiting(Input::Revision { plans, policies })
            .await?;
        let reloaded = Reloaded {
            revision: receipt == Receipt::Done,
            restart: differing(&self.started, &config),
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

fn tell(path: &std::path::Path, reloaded: &Reloaded) {
    let file = path.display();
    if reloaded.revision {
        tracing::info!(%file, "loaded: its plans and policies are a new revision; what happened before is judged as before");
    } else {
        tracing::info!(%file, "loaded: its plans and policies are those in force");
    }
    if !reloaded.restart.is_empty() {
        tracing::warn!(%file, "changed, but only a restart brings it into force: {}", reloaded.restart.join(", "));
    }
}

/// What differs between two configs and is read only at the start.
fn differing(old: &Config, new: &Config) -> Vec<&'static str> {
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
        ("`title` and `downloads` of plans", old.looks != new.looks),
        (
            "`offline` and `variables` of plans",
            old.program_terms != new.program_terms,
        ),
    ];
    parts
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
