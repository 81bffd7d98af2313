//! Reading the configuration again while the proxy runs: a good one takes the place of the one in force, whole; a bad one
//! changes nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::changes::Changes;
use super::notify::Notifier;
use crate::clock::{Clock, Millis};
use crate::config::{Config, ConfigError, Overrides, Severity};
use crate::proxy::Parts;
use crate::server::ServerControl;
use crate::telemetry::Log;

/// Where the configuration of a process comes from.
#[derive(Debug)]
pub(in crate::commands) struct Source {
    /// The file; none for the command line alone.
    pub(in crate::commands) file: Option<PathBuf>,
    /// What the command line says.
    pub(in crate::commands) overrides: Overrides,
}

/// What a reload has to do with.
pub(in crate::commands) struct Reload {
    pub(super) source: Source,
    pub(super) parts: Parts,
    pub(super) server: ServerControl,
    /// Where the server listens.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) log: Arc<Log>,
    /// When the configuration in force was read.
    pub(super) loaded_at: AtomicU64,
    /// The configuration in force.
    pub(super) config: Mutex<Config>,
}

impl Source {
    fn read(&self) -> Result<Config, ConfigError> {
        match &self.file {
            Some(path) => Config::load(path, &self.overrides),
            None => Config::without_file(&self.overrides),
        }
    }

    /// How it is called.
    pub(super) fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string())
    }
}

impl Reload {
    /// The same as [`Reload::run`], told to the service manager.
    pub(super) fn announced(&self) -> Result<Changes, ConfigError> {
        Notifier::reloading();
        let done = self.run();
        Notifier::ready(if done.is_ok() { "serving" } else { "serving; the last reload was refused" });
        done
    }

    /// The configuration in force, and when it was read.
    pub(super) fn in_force(&self) -> (Config, Millis) {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        (config.clone(), self.loaded_at.load(Ordering::Relaxed))
    }

    /// Reads the configuration again and puts it in force, one reload after another. It reads files, so it blocks; to be called
    /// within a runtime. What has changed comes back, and is told in the log; or what is wrong, and then nothing has changed.
    pub(in crate::commands) fn run(&self) -> Result<Changes, ConfigError> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let after = self.source.read().inspect_err(|error| self.tell_refused(error))?;
        let changes = Changes::between(&config, &after);
        self.log.change(&after.log);
        let proxy = after.proxy.clone().listening_on(&self.addresses);
        self.parts.replace(proxy, after.origin.clone(), after.store.commit_within, &self.log.recorder());
        self.server.change(&after.server, after.origin.max_connections);
        self.tell(&changes, &after);
        self.loaded_at.store(Clock::System.now(), Ordering::Relaxed);
        *config = after.but_what_needs_a_restart(&config);
        Ok(changes)
    }

    fn tell(&self, changes: &Changes, after: &Config) {
        tracing::info!("reloaded {}: {changes}", self.source.name());
        let warnings = after.remarks.at_least(Severity::Warning);
        warnings.render(false).lines().for_each(|line| tracing::warn!("{line}"));
    }

    /// As `aside check` prints it, line by line.
    fn tell_refused(&self, error: &ConfigError) {
        tracing::error!("{} cannot be used; the configuration stays as it was", self.source.name());
        error.to_string().lines().for_each(|line| tracing::error!("{line}"));
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reload").field("source", &self.source).finish_non_exhaustive()
    }
}
