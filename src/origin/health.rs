//! Health checks: one task of the process asks every address now and then whether it is well.

use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use http::header::{CONNECTION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::error::OriginError;
use super::{HealthSettings, Origin, Outgoing, Shared};
use crate::body::Body;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION"), " (health check)"));
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Checks until the core ends or nobody is left who sends requests to this origin.
pub(super) async fn watch(client: super::Client, shared: Weak<Shared>, health: HealthSettings) {
    while let Some(shared) = shared.upgrade() {
        let origin = Origin { client: client.clone(), shared };
        join_all(origin.shared.addresses.iter().map(|address| check(&origin, address, &health))).await;
        drop(origin);
        sleep(health.interval).await;
    }
}

async fn check(origin: &Origin, address: &Arc<Address>, health: &HealthSettings) {
    let turn = address.turn();
    // A connection of its own each time: one that is kept may stand where no new one can be opened.
    let fields = HeaderMap::from_iter([(USER_AGENT, AGENT), (CONNECTION, CLOSE)]);
    let outgoing = Outgoing {
        interim: None,
        method: Method::GET,
        target: health.path.clone(),
        fields,
        client_host: address.host.clone(),
        body: Body::Empty,
        waiters: None,
    };
    let answer = timeout(health.timeout, origin.send_to(address, outgoing)).await;
    let answer = answer.unwrap_or(Err(OriginError::Timeout(health.timeout)));
    address.learn(turn.attempt, &answer);
    address.checked(match answer {
        Ok(answer) if answer.status().is_success() || answer.status().is_redirection() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status())),
        Err(error) => Err(error.to_string()),
    });
}
