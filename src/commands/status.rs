//! `aside status`: how the running process is.
//!
//! With `--json`, what `GET /status` of the admin listener answers: [`crate::admin::Status`]. With `--ready`, nothing but the
//! exit code and a line: 0 where it serves clients, 1 where it does not or nobody answers, for health checks.

use std::process::ExitCode;

use clap::Args;

use super::asking::{AdminArguments, Unanswered};
use super::terminal::{layout, say, say_json, whole_seconds};
use crate::admin::{AddressStatus, LeaseStatus, RouteStatus, Status, StoreStatus, VerifyStatus};
use crate::config::size;

/// `aside status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    process: AdminArguments,
    /// Say only whether it serves clients: exit code 0, or 1 where it does not.
    #[arg(long)]
    ready: bool,
}

/// Prints it: 0, 1 where it is refused, 69 where nobody answers.
pub(super) fn run(arguments: &StatusArguments) -> ExitCode {
    let process = match arguments.process.process() {
        Ok(process) => process,
        Err(_) if arguments.ready => return ExitCode::FAILURE,
        Err(code) => return code,
    };
    if arguments.ready {
        let told = match process.get("/readyz") {
            Ok(answer) if answer.status.is_success() => return say("ready"),
            Ok(answer) => answer.refused(),
            Err(unanswered) => unanswered,
        };
        return Unanswered { code: 1, ..told }.say();
    }
    let answer = match process.get("/status") {
        Ok(answer) => answer,
        Err(unanswered) => return unanswered.say(),
    };
    match answer.parsed::<Status>() {
        Ok(_) if arguments.process.json => say_json(&answer.value),
        Ok(status) => say(&text(&status)),
        Err(unanswered) => unanswered.say(),
    }
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
    lines.extend(store.lease.iter().map(|lease| ("store", lease_text(lease, store.peers.len()))));
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
        text = format!("{text}, {entries} entries in this process");
    }
    let rounded = memory_bytes >> 10 << 10;
    text = format!("{text}, {} of {} of memory", size::show(rounded), size::show(*memory_limit_bytes));
    if pending > 0 {
        text = format!("{text}, {pending} invalidations pending");
    }
    if *rules_differ { format!("{text}, nodes have different rules") } else { text }
}

fn lease_text(lease: &LeaseStatus, peers: usize) -> String {
    let others = if peers == 1 { "1 other node".to_owned() } else { format!("{peers} other nodes") };
    match (&lease.why, lease.valid) {
        (_, true) => format!("shared with {others}; the lease is valid"),
        (Some(why), false) => format!("shared with {others}; gives no hits: {why}"),
        (None, false) => format!("shared with {others}; gives no hits"),
    }
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
    Some(format!("{mode}{compared} hits compared with the API's answer, {old} old{more}"))
}

fn route_text(route: &RouteStatus) -> String {
    let RouteStatus { name, requests, hits, misses, .. } = route;
    let name = if route.path.is_some() { name } else { "(no route)" };
    let share = (u128::from(*hits) * 100).checked_div(u128::from(*hits) + u128::from(*misses));
    let share = share.map_or_else(String::new, |share| format!(", {share} % of reads from the store"));
    format!("{name}: {requests} requests{share}")
}

fn address_text(address: &AddressStatus) -> String {
    let state = match (address.circuit.as_str(), address.healthy) {
        ("closed", true) => "in order",
        ("closed", false) => "fails its health check",
        _ => "out of order, left alone for a while",
    };
    format!("{}: {state}, {} under way", address.url, address.inflight)
}
