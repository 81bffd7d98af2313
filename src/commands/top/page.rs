//! What is drawn for people, as wide as their terminal is.

use serde_json::Value;

use super::super::terminal::whole_seconds;
use super::change::{Change, count, percent};
use super::table::{Row, cut, table, wrapped};
use crate::admin::{RouteStatus, Status};

/// Narrower terminals get the columns alone that say most.
const WIDE: usize = 70;
/// So many kinds of writes are shown.
const WRITES: usize = 8;

/// Writes that dropped the same by the same rule.
struct Kind<'w> {
    times: u64,
    write: String,
    /// The path of the last one, and of all of them, if that is one.
    path: &'w str,
    route: &'w str,
    method: &'w str,
    dropped: &'w str,
    rule: &'w str,
}

/// All of it, in lines of no more than so many columns.
pub(super) fn page(change: &Change<'_>, columns: usize) -> String {
    let Status { version, uptime_seconds, ready, listen, store, origin, .. } = &change.after.status;
    let figures = &change.after.figures;
    let ready = if *ready { "serving" } else { "not serving" };
    let since = figures.hits.saturating_add(figures.misses);
    let since = (since > 0).then(|| count(figures.hits) / count(since));
    let told = |label: &str, pieces: &[String]| wrapped(label, pieces, columns);
    let mut lines = told(
        "aside",
        &[version.clone(), listen.join(" and "), format!("up {}", whole_seconds(*uptime_seconds)), ready.to_owned()],
    );
    lines.push(cut("q ends it, and Ctrl-C", columns));
    lines.push(String::new());
    lines.extend(told(
        "requests",
        &[
            format!("{:.1}/s", change.per_second(|figures| figures.requests)),
            format!("from the store {} now", percent(change.hit_ratio())),
            format!("{} since the start", percent(since)),
        ],
    ));
    lines.extend(told(
        "origin",
        &[
            format!("{:.1}/s", change.per_second(|figures| figures.origin_fetches)),
            format!("{} under way", figures.origin_inflight),
            format!("{} of its time saved", whole_seconds(figures.saved_origin_seconds)),
        ],
    ));
    lines.extend(told("latency", &latency(&change.after.lately)));
    lines.extend(told("store", &[store.url.clone(), format!("{} of memory", amount(store.memory_bytes))]));
    for address in origin.addresses.iter().filter(|address| address.circuit != "closed" || !address.healthy) {
        lines.extend(told("origin", &[format!("{} is out of order or fails its health check", address.url)]));
    }
    lines.push(String::new());
    lines.extend(routes(change, columns));
    lines.extend(writes(change, columns));
    lines.join("\n")
}

/// Of the last whole step, as far as its histogram tells; of the one that goes on where that has none.
fn latency(lately: &Value) -> [String; 2] {
    let last = lately.get("series").and_then(Value::as_array).and_then(|series| series.last());
    let steps = [last, lately.get("current")];
    let of = |name: &str| {
        let seconds = steps.into_iter().flatten().find_map(|step| step.get(name)?.as_f64());
        seconds.map_or_else(|| "-".to_owned(), |seconds| format!("~{:.1} ms", seconds * 1000.0))
    };
    let both = |name: &str, median: &str, most: &str| format!("{name} {} median, {} 99 %", of(median), of(most));
    [both("hits", "hit_p50", "hit_p99"), both("origin", "origin_p50", "origin_p99")]
}

/// The busiest since the start first: those that are busy now would change their places each second.
fn routes(change: &Change<'_>, columns: usize) -> Vec<String> {
    let mut sorted: Vec<&RouteStatus> = change.after.status.routes.iter().collect();
    sorted.sort_by(|one, other| other.requests.cmp(&one.requests).then_with(|| one.name.cmp(&other.name)));
    let all = |route: &RouteStatus| {
        let reads = route.hits.saturating_add(route.misses);
        let share = percent((reads > 0).then(|| count(route.hits) / count(reads)));
        let sent = amount(route.cache_bytes.saturating_add(route.origin_bytes));
        let name = if route.path.is_some() { route.name.clone() } else { "(no route)".to_owned() };
        [format!("{:.1}", change.rate(route)), share, route.requests.to_string(), sent, name]
    };
    let head = ["REQUESTS/S", "STORE", "REQUESTS", "SENT", "ROUTE"].map(str::to_owned);
    let rows = [head].into_iter().chain(sorted.into_iter().map(all)).map(|[rate, share, requests, sent, name]| {
        let numbers = if columns < WIDE { vec![rate, share] } else { vec![rate, share, requests, sent] };
        Row { numbers, texts: vec![name] }
    });
    table(&rows.collect::<Vec<_>>(), columns)
}

/// What the last writes and purges dropped, and by which rule, as the counter of invalidations names it, or who asked for that;
/// the most frequent first.
fn writes(change: &Change<'_>, columns: usize) -> Vec<String> {
    let lately = &change.after.lately;
    let Some(writes) = lately.get("writes").and_then(Value::as_array).filter(|writes| !writes.is_empty()) else {
        return Vec::new();
    };
    let minutes = minutes_of(lately, writes);
    let mut rows = vec![row(["TIMES", "A MINUTE", "WRITE", "DROPPED", "BY"].map(str::to_owned), columns)];
    rows.extend(kinds(writes).into_iter().take(WRITES).map(|kind| {
        let a_minute = minutes.map_or_else(|| "-".to_owned(), |minutes| format!("{:.1}", count(kind.times) / minutes));
        let Kind { times, write, dropped, rule, .. } = kind;
        row([times.to_string(), a_minute, write, dropped.to_owned(), rule.to_owned()], columns)
    }));
    let title =
        if writes.len() == 1 { "THE LAST WRITE".to_owned() } else { format!("THE LAST {} WRITES", writes.len()) };
    [String::new(), cut(&title, columns)].into_iter().chain(table(&rows, columns)).collect()
}

fn row([times, a_minute, write, dropped, rule]: [String; 5], columns: usize) -> Row {
    let numbers = if columns < WIDE { vec![times] } else { vec![times, a_minute] };
    Row { numbers, texts: vec![write, dropped, rule] }
}

/// How long ago the oldest of them was, by the clock of the process.
fn minutes_of(lately: &Value, writes: &[Value]) -> Option<f64> {
    let oldest = writes.iter().filter_map(|write| write.get("at").and_then(Value::as_u64)).min()?;
    let now = lately.get("now").and_then(Value::as_u64)?;
    // The rate of a moment says nothing.
    Some((count(now.saturating_sub(oldest)) / 60_000.0).max(1.0 / 60.0))
}

fn kinds(writes: &[Value]) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for write in writes {
        let text = |name: &str| write.get(name).and_then(Value::as_str).unwrap_or_default();
        let dropped = write.get("dropped").and_then(Value::as_str).unwrap_or("nothing");
        let (method, path, route) = (text("method"), text("path"), text("route"));
        let asked_by = write.pointer("/purge/asked_by");
        let rule = write.get("rule").and_then(Value::as_str).or_else(|| asked_by?.as_str()).unwrap_or("-");
        let is_same = |kind: &&mut Kind<'_>| {
            let place = kind.path == path || (kind.route == route && route != "-");
            kind.method == method && place && kind.dropped == dropped && kind.rule == rule
        };
        match kinds.iter_mut().find(is_same) {
            Some(kind) => {
                kind.times += 1;
                if kind.path != path {
                    kind.write = format!("{method} {route}");
                }
            }
            None => {
                kinds.push(Kind { times: 1, write: format!("{method} {path}"), path, route, method, dropped, rule });
            }
        }
    }
    kinds.sort_by(|one, other| other.times.cmp(&one.times).then_with(|| one.write.cmp(&other.write)));
    kinds
}

/// As in `312 B`, `1.5 KiB`, `20 MiB`.
fn amount(bytes: u64) -> String {
    let by_size = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match by_size.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) if bytes >= 10 * unit => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", count(bytes) / count(unit)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_never_rounded_to_nothing() {
        for (bytes, shown) in
            [(0, "0 B"), (312, "312 B"), (1_536, "1.5 KiB"), (20 << 20, "20 MiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(amount(bytes), shown);
        }
    }

    #[test]
    fn before_a_step_has_ended_what_has_come_of_it_tells_how_fast_it_is() {
        let step = |hit: Value| json!({ "hit_p50": hit, "hit_p99": 0.002, "origin_p50": null, "origin_p99": null });
        let of = |last: Vec<Value>| latency(&json!({ "series": last, "current": step(json!(0.001)) }))[0].clone();
        assert_eq!(of(vec![]), "hits ~1.0 ms median, ~2.0 ms 99 %");
        assert_eq!(of(vec![step(Value::Null)]), "hits ~1.0 ms median, ~2.0 ms 99 %");
        assert_eq!(of(vec![step(json!(0.005))]), "hits ~5.0 ms median, ~2.0 ms 99 %");
        assert_eq!(latency(&json!({}))[0], "hits - median, - 99 %");
    }

    #[test]
    fn writes_of_a_kind_are_one_row_with_the_rule() {
        let write = |method: &str, path: &str, route: &str, rule: Option<&str>| json!({ "at": 60_000, "method": method, "path": path, "route": route, "dropped": "everything", "rule": rule });
        let writes = [
            write("POST", "/beacon", "-", Some("default")),
            write("PUT", "/orders/1", "/orders/{id}", Some("PUT /orders/{id}")),
            write("POST", "/beacon", "-", Some("default")),
            write("POST", "/other", "-", None),
            write("PUT", "/orders/2", "/orders/{id}", Some("PUT /orders/{id}")),
            write("POST", "/beacon", "-", Some("default")),
        ];
        let told: Vec<_> =
            kinds(&writes).into_iter().map(|kind| (kind.times, kind.write, kind.rule.to_owned())).collect();
        let expected =
            [(3, "POST /beacon", "default"), (2, "PUT /orders/{id}", "PUT /orders/{id}"), (1, "POST /other", "-")];
        assert_eq!(told, expected.map(|(times, write, rule)| (times, write.to_owned(), rule.to_owned())));
        assert_eq!(minutes_of(&json!({ "now": 180_000 }), &writes), Some(2.0));
        let purge = json!({ "method": "PURGE", "path": "tag fruit", "route": "-", "dropped": "3 entries", "rule": null,
                            "purge": { "asked_by": "10.1.0.7" } });
        let writes = [purge];
        let told: Vec<_> = kinds(&writes).into_iter().map(|kind| (kind.write, kind.dropped, kind.rule)).collect();
        assert_eq!(told, [("PURGE tag fruit".to_owned(), "3 entries", "10.1.0.7")]);
    }
}
