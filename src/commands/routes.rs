//! `aside routes`: one line a route.
//!
//! With `--json`, a list of `{"name", "line", "path", "query": [..]|null, "key", "ttl_seconds": n|null,
//! "invalidated_by": "every"|"path"|[..], "settle_seconds": n}`; `query` is null where every parameter counts. What `invalidated_by` lists comes on
//! top of the writes to the route's own paths, and `"every"` is every write of which no `[[write]]` says otherwise.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::Failure;
use super::terminal::{ConfigArguments, configuration, say, say_json};
use crate::config::{Config, Overrides, duration};
use crate::rules::{InvalidatedBy, Route, RouteQuery};

const HEADINGS: [&str; 6] = ["LINE", "NAME", "PATH", "KEY", "TTL", "DROPPED BY"];

/// Lists the routes in the order they are tried: 0, or 78 for a bad configuration.
pub(super) fn run(arguments: &ConfigArguments, json: bool) -> Result<ExitCode, Failure> {
    let config = configuration(arguments, &Overrides::default())?;
    Ok(if json { say_json(&as_json(&config)) } else { say(&table(&config)) })
}

fn lines(config: &Config) -> impl Iterator<Item = (usize, &Route)> {
    let routes = config.proxy.rules.routes.iter().map(AsRef::as_ref);
    config.route_lines.iter().copied().zip(routes)
}

fn table(config: &Config) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines(config).map(|(line, route)| row(line, route)));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let shown: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    shown.join("\n")
}

fn row(line: usize, route: &Route) -> [String; 6] {
    let query = match &route.query {
        RouteQuery::Raw => String::new(),
        RouteQuery::Listed(names) if names.is_empty() => String::new(),
        RouteQuery::Listed(names) => format!("?{}", names.join("&")),
    };
    let ttl = route.choices.ttl.map_or_else(|| "origin's".to_owned(), duration::show);
    let mut writes = match &route.invalidated_by {
        InvalidatedBy::Every => "every write".to_owned(),
        InvalidatedBy::Path => "writes around it".to_owned(),
        InvalidatedBy::Listed(rules) if rules.is_empty() => "writes to it".to_owned(),
        InvalidatedBy::Listed(rules) => rules.iter().map(|rule| rule.request.as_str()).collect::<Vec<_>>().join(", "),
    };
    if !route.settle.is_zero() {
        let _ = write!(writes, "; settles for {}", duration::show(route.settle));
    }
    [
        line.to_string(),
        route.name.to_string(),
        format!("{}{query}", route.path.as_str()),
        route.key.as_str().to_owned(),
        ttl,
        writes,
    ]
}

fn as_json(config: &Config) -> Value {
    let one = |(line, route): (usize, &Route)| {
        let query = match &route.query {
            RouteQuery::Raw => Value::Null,
            RouteQuery::Listed(names) => json!(names),
        };
        let writes = match &route.invalidated_by {
            InvalidatedBy::Every => json!("every"),
            InvalidatedBy::Path => json!("path"),
            InvalidatedBy::Listed(rules) => json!(rules.iter().map(|rule| rule.request.as_str()).collect::<Vec<_>>()),
        };
        json!({
            "name": &*route.name,
            "line": line,
            "path": route.path.as_str(),
            "query": query,
            "key": route.key.as_str(),
            "ttl_seconds": route.choices.ttl.map(|ttl| ttl.as_secs_f64()),
            "invalidated_by": writes,
            "settle_seconds": route.settle.as_secs_f64(),
        })
    };
    lines(config).map(one).collect()
}
