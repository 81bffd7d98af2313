//! Health checks: one task of the process asks every address now and then whether it is well.

use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use tokio::time::{sleep, timeout};

use super::address::{Address, Addresses};
use super::error::OriginError;
use super::pool::{Pool, exchange_anew};
use super::settings::HealthSettings;
use crate::body::Body;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION"), " (health check)"));
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Checks until the core ends or nobody is left who sends requests to this origin.
pub(super) async fn watch(pool: Weak<Pool>, addresses: Weak<Addresses>, health: HealthSettings) {
    while let (Some(addresses), Some(pool)) = (addresses.upgrade(), pool.upgrade()) {
        join_all(addresses.iter().map(|address| check(&pool, address, &health))).await;
        drop((addresses, pool));
        sleep(health.interval).await;
    }
}

async fn check(pool: &Arc<Pool>, address: &Arc<Address>, health: &HealthSettings) {
    let turn = address.turn();
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = Uri::from(health.path.clone());
    let host = pool.settings().host.of(address.host.clone()).or_else(|| address.host.clone());
    request.headers_mut().insert(USER_AGENT, AGENT);
    // A connection of its own each time: one that is kept may stand where no new one can be opened.
    request.headers_mut().insert(CONNECTION, CLOSE);
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    let answer = timeout(health.timeout, exchange_anew(pool, address, request)).await;
    let answer = match answer {
        Ok(answer) => answer.map(|(answer, _)| answer.status()).map_err(|unanswered| unanswered.error),
        Err(_) => Err(OriginError::Timeout(health.timeout)),
    };
    address.learn(turn.attempt, answer.as_ref().map(|_| ()));
    address.checked(match answer {
        Ok(status) if status.is_success() || status.is_redirection() => Ok(()),
        Ok(status) => Err(format!("it answered {status}")),
        Err(error) => Err(error.to_string()),
    });
}
