//! `aside status`: how the running process is.
//!
//! With `--json`, what `GET /status` of the admin listener answers: [`crate::admin::Status`]. With `--ready`, nothing but the
//! exit code and a line, or `{"ready": true}`: 0 where it serves clients, 1 where it does not or nobody answers, for health checks.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::asking::AdminArguments;
use super::failure::Failure;
use super::terminal::{layout, say, say_json, whole_seconds};
use crate::admin::{AddressStatus, LeaseStatus, PeerStatus, RouteStatus, Status, StoreStatus, VerifyStatus};
use crate::config::{duration, size};
use crate::telemetry::counted_entries;

/// `aside status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    pub(super) process: AdminArguments,
    /// Say only whether it serves clients: exit code 0, or 1 where it does not.
    #[arg(long)]
    ready: bool,
}

/// Prints it: 0, 1 where it is refused, 69 where nobody answers.
pub(super) fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    if arguments.ready {
        return ready(&arguments.process).map_err(|failure| failure.with_code(1));
    }
    let answer = arguments.process.process()?.get("/status")?;
    let status = answer.parsed::<Status>()?;
    Ok(if arguments.process.json { say_json(&answer.value) } else { say(&text(&status)) })
}

fn ready(asked: &AdminArguments) -> Result<ExitCode, Failure> {
    let answer = asked.process()?.get("/readyz")?;
    if !answer.status.is_success() {
        return Err(answer.refused());
    }
    Ok(if asked.json { say_json(&answer.value) } else { say("ready") })
}

fn text(status: &Status) -> String {
    let Status { version, uptime_seconds, ready, config, listen, admin, store, pending, origin, verify, routes } =
        status;
    let up = whole_seconds(*uptime_seconds);
    let ready = if *ready { "serving" } else { "not serving" };
    let file = config.file.as_deref().unwrap_or("no file");
    let token = if admin.token { ", with a token" } else { "" };
    let mut lines = vec![
        ("aside", format!("{version}, up {up}, {ready}")),
        ("config", format!("{file}, loaded {}, rules {}", config.loaded_at, config.fingerprint)),
        ("listening", listen.join(" and ")),
        ("admin", format!("{}{token}", admin.listen)),
        ("store", store_text(store, *pending)),
    ];
    lines.extend(store.lease.iter().map(|lease| ("store", lease_text(lease, store))));
    lines.extend(origin.addresses.iter().map(|address| ("origin", address_text(address))));
    lines.extend(verify_text(verify).map(|text| ("verify", text)));
    lines.extend(routes.iter().map(|route| ("route", route_text(route))));
    layout(&lines)
}

fn store_text(store: &StoreStatus, pending: u64) -> String {
    let StoreStatus { url, up, why_down, rules_differ, memory_bytes, memory_limit_bytes, .. } = store;
    let mut text = format!("{url}: {}", if *up { "up" } else { "down" });
    if let Some(why) = why_down {
        text = format!("{text} ({why})");
    }
    if let Some(entries) = store.entries.or(store.copies) {
        let entries = counted_entries(entries, false);
        text = format!("{text}, {entries} in this process, dropped ones among them");
    }
    let rounded = memory_bytes >> 10 << 10;
    text = format!("{text}, {} of {} of memory", size::show(rounded), size::show(*memory_limit_bytes));
    if pending > 0 {
        text = format!("{text}, {pending} invalidations pending");
    }
    if *rules_differ { format!("{text}, nodes have different rules") } else { text }
}

fn lease_text(lease: &LeaseStatus, StoreStatus { peers, node, .. }: &StoreStatus) -> String {
    let own = node.as_ref().map(|id| format!("node {id}, ")).unwrap_or_default();
    let others = match peers.len() {
        0 => "no other node".to_owned(),
        1 => format!("1 other node ({})", named(peers)),
        count => format!("{count} other nodes ({})", named(peers)),
    };
    match (&lease.why, lease.valid) {
        (_, true) => format!("{own}shared with {others}; the lease is valid"),
        (Some(why), false) => format!("{own}shared with {others}; gives no hits: {why}"),
        (None, false) => format!("{own}shared with {others}; gives no hits"),
    }
}

/// The other nodes, the silent ones first: those are to be looked for.
fn named(peers: &[PeerStatus]) -> String {
    const SHOWN: usize = 5;
    let silent = peers.iter().filter_map(|peer| {
        let whole = Duration::from_millis(peer.silent_ms?).as_secs();
        Some(format!("{}, silent for {}", peer.id, duration::show(Duration::from_secs(whole))))
    });
    let there = peers.iter().filter(|peer| peer.silent_ms.is_none()).map(|peer| peer.id.clone());
    let mut shown: Vec<String> = silent.chain(there).take(SHOWN).collect();
    if peers.len() > SHOWN {
        shown.push(format!("and {} more", peers.len() - SHOWN));
    }
    shown.join("; ")
}

/// What was compared, if anything is.
fn verify_text(verify: &VerifyStatus) -> Option<String> {
    let VerifyStatus { mode, compared, old, .. } = verify;
    let mode = match mode.as_str() {
        "shadow" => "nothing is served from the store (shadow); ",
        "sample" => "",
        _ => return None,
    };
    let more = if *old > 0 { "; `aside verify` tells which rule is missing" } else { "" };
    let plural = if *compared == 1 { "" } else { "s" };
    Some(format!("{mode}{compared} hit{plural} compared with the API's answer, {old} old{more}"))
}

fn route_text(route: &RouteStatus) -> String {
    let RouteStatus { name, requests, hits, misses, .. } = route;
    let name = if route.path.is_some() { name } else { "(no route)" };
    let share = (u128::from(*hits) * 100).checked_div(u128::from(*hits) + u128::from(*misses));
    let share = share.map_or_else(String::new, |share| format!(", {share} % of reads from the store"));
    let plural = if *requests == 1 { "" } else { "s" };
    format!("{name}: {requests} request{plural}{share}")
}

fn address_text(address: &AddressStatus) -> String {
    let state = match (address.circuit.as_str(), address.healthy) {
        ("closed", true) => "in order",
        ("closed", false) => "fails its health check",
        _ => "out of order, left alone for a while",
    };
    format!("{}: {state}, {} under way", address.url, address.inflight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_node_is_named_first_and_for_how_long() {
        let peer = |id: &str, silent_ms| PeerStatus { id: id.to_owned(), silent_ms };
        assert_eq!(named(&[peer("a", None), peer("b", Some(7_300))]), "b, silent for 7s; a");
        let many: Vec<PeerStatus> = (0..9).map(|number| peer(&number.to_string(), None)).collect();
        assert_eq!(named(&many), "0; 1; 2; 3; 4; and 4 more");
    }
}
