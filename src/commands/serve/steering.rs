//! What the admin listener has done by whoever has started the process: explain by the configuration in force, and read it
//! anew.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::super::explain;
use super::reload::{Reload, Reloader};
use crate::admin::{ConfigState, Control, ExplainQuestion, Refusal, Reloaded};
use crate::config::Config;
use crate::fields::date_time;
use crate::handler::Later;
use crate::server::ServerSettings;
use crate::store::Store;

/// A process, as the admin listener steers it.
#[derive(Clone, Debug)]
pub(super) struct Steering {
    pub(super) reload: Arc<Reload>,
    pub(super) reloader: Reloader,
}

impl Steering {
    /// The configuration in force, with the addresses that the kernel chose.
    fn in_force(&self) -> Config {
        let (config, addresses) = (self.reload.in_force.load().config.clone(), &self.reload.addresses);
        let server = ServerSettings { listen: addresses.clone(), ..config.server };
        Config { proxy: config.proxy.listening_on(addresses), server, ..config }
    }

    fn fingerprint(&self) -> String {
        format!("{:016x}", self.reload.parts.shared().rules().fingerprint())
    }
}

impl Control for Steering {
    fn config(&self) -> ConfigState {
        ConfigState {
            // From wherever the process was started.
            file: self.reload.source.file.as_ref().map(|path| path.display().to_string()),
            fingerprint: self.fingerprint(),
            loaded_at: format!("{}Z", date_time(self.reload.in_force.load().loaded_at / 1000)),
        }
    }

    fn explain(&self, question: ExplainQuestion, store: Store) -> Later<Result<Value, Refusal>> {
        let (config, parts, rules) = (self.in_force(), self.reload.parts.clone(), self.fingerprint());
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
        let steering = self.clone();
        Box::pin(async move {
            let Some(told) = steering.reloader.ask_to_be_told() else {
                let told =
                    "Too many reloads wait for their turn already; the last of them reads what is in the file then.";
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, told));
            };
            tracing::info!("POST /reload: reading the configuration again");
            match told.await {
                Ok(Ok(changes)) => Ok(Reloaded {
                    changed: changes.applied,
                    needs_restart: changes.needs_restart,
                    config: steering.config(),
                }),
                // Nothing is wrong with the request.
                Ok(Err(error)) => Err(Refusal::new(StatusCode::CONFLICT, error.to_string())),
                Err(_) => {
                    let told = "The reload broke off by a fault in aside itself; the log has the panic. Reload again, or restart.";
                    Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, told))
                }
            }
        })
    }
}
