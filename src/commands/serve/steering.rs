//! What the admin listener has done by whoever has started the process: explain by the configuration in force, and read it
//! anew.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::super::explain;
use super::reload::Reload;
use crate::admin::{ConfigState, Control, ExplainQuestion, Refusal, Reloaded};
use crate::config::Config;
use crate::fields::date_time;
use crate::handler::Later;
use crate::server::ServerSettings;
use crate::store::Store;

/// A process, as the admin listener steers it.
#[derive(Debug)]
pub(super) struct Steering(pub(super) Arc<Reload>);

impl Steering {
    /// The configuration in force, with the addresses that the kernel chose.
    fn in_force(&self) -> Config {
        let (config, _) = self.0.in_force();
        let server = ServerSettings { listen: self.0.addresses.clone(), ..config.server };
        Config { proxy: config.proxy.listening_on(&self.0.addresses), server, ..config }
    }

    fn fingerprint(&self) -> String {
        format!("{:016x}", self.0.parts.shared().rules().fingerprint())
    }
}

impl Control for Steering {
    fn config(&self) -> ConfigState {
        let (config, loaded_at) = self.0.in_force();
        ConfigState {
            file: config.file.map(|path| path.display().to_string()),
            fingerprint: self.fingerprint(),
            loaded_at: format!("{}Z", date_time(loaded_at / 1000)),
        }
    }

    fn explain(&self, question: ExplainQuestion, store: Store) -> Later<Result<Value, Refusal>> {
        let (config, parts, rules) = (self.in_force(), self.0.parts.clone(), self.fingerprint());
        Box::pin(async move {
            let shared = parts.shared();
            let mut told = explain::within(&question, &config, &shared, (&parts.store, &store)).await?;
            if let Some(members) = told.as_object_mut() {
                members.insert("rules".to_owned(), rules.into());
            }
            Ok(told)
        })
    }

    fn reload(&self) -> Later<Result<Reloaded, Refusal>> {
        let (reload, after) = (Arc::clone(&self.0), Self(Arc::clone(&self.0)));
        Box::pin(async move {
            tracing::info!("POST /reload: reading the configuration again");
            match spawn_blocking(move || reload.announced()).await {
                Ok(Ok(changes)) => Ok(Reloaded {
                    changed: changes.applied,
                    needs_restart: changes.needs_restart,
                    config: after.config(),
                }),
                // Nothing is wrong with the request.
                Ok(Err(error)) => Err(Refusal::new(StatusCode::CONFLICT, error.to_string())),
                Err(error) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            }
        })
    }
}
