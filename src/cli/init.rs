//! `keyward init`: a commented config file and a store.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::ask::load;
use super::report;
use crate::admin::Failure;
use crate::config::{Config, Env, TEMPLATE};
use crate::server::{self, Opened, StartError};
use crate::store::Create;

/// Writes what is missing, and says what to do next.
///
/// # Errors
/// What cannot be written.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let written = write_new(path).map_err(|e| {
        Failure::input(format!("cannot write {shown}: {e}"))
            .hint("`--config` names another place for it")
    })?;
    if written {
        report::say(&format!("wrote {shown}"));
    } else {
        report::say(&format!("{shown} is there already and stays as it is"));
    }
    // Secrets come later: the store needs none of them.
    let (config, _) = load(path, &Env::process().lenient())?;
    let opened = open(&config)?;
    let created = opened.store.0.report().created;
    for (writer, reader) in [Some(opened.store), opened.licenses].into_iter().flatten() {
        drop(reader);
        writer.close().map_err(|e| Failure::ours(e.to_string()))?;
    }
    let dir = config.data_dir.display();
    if created {
        report::say(&format!("created the store in {dir}"));
    } else {
        report::say(&format!(
            "the store in {dir} is there already and stays as it is"
        ));
    }
    let option = if path == Path::new("./keyward.toml") {
        String::new()
    } else {
        format!(" --config {shown}")
    };
    report::say(&format!(
        "\nnext:\n  1. edit {shown}: your address, your plans, where licenses and mail go\n  \
         2. `keyward stripe-events` prints the events to enable at Stripe; put the endpoint's signing secret into the \
         environment\n  3. `keyward check --online{option}` tells what is still missing\n  4. `keyward serve{option}`"
    ));
    Ok(())
}

/// Opens the stores, and makes those that are not there. A lost one of the embedded license service is begun anew here and
/// nowhere else, for this is asked by a person, who is told what is not in it.
fn open(config: &Config) -> Result<Opened, StartError> {
    match server::open(config, Create::IfMissing, None) {
        Err(StartError::LicensesGone(gone)) => {
            server::begin_licenses_anew(config)?;
            report::warning(&format!(
                "{gone}: an empty one was made. Its key pair is new, and it knows none of its former licenses: each purchase \
                 needs a new key (`keyward rekey`). If the folder turns up again, put it back before you start the server"
            ));
            server::open(config, Create::Never, None)
        }
        opened => opened,
    }
}

/// Writes the file unless there is one. Only its owner can read it: people put secrets into such files.
fn write_new(path: &Path) -> std::io::Result<bool> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(TEMPLATE.as_bytes())?;
            file.sync_all()?;
            Ok(true)
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}
