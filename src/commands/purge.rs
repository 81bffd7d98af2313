//! `aside purge`: drops what the cache has of something, on every node that shares the store.
//!
//! With `--json`, what `POST /purge` of the admin listener answers: `{"purged": {"url": "/fruit/1"}, "soft": false,
//! "matched": 2, "more": false, "token": "9f86d081884c7d65:12"}`, where `matched` and `token` may be null; `more` says whether it may
//! have hit more than that.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::asking::AdminArguments;
use super::failure::Failure;
use super::terminal::{say, say_aside, say_json};
use crate::telemetry::counted_entries;

/// `aside purge`.
#[derive(Debug, Args)]
pub struct PurgeArguments {
    #[command(flatten)]
    what: What,
    /// Make it stale in place of dropping it: it is validated at its next use, and may stand in while the origin fails.
    #[arg(long)]
    soft: bool,
    #[command(flatten)]
    pub(super) process: AdminArguments,
}

/// What is dropped: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// What a GET of this URL, or of this path with its query, may be answered with.
    url: Option<String>,
    /// One key, as in fruit:1, with all its variants.
    #[arg(long)]
    key: Option<String>,
    /// Whatever has this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Every entry of this route, by its name; `unrouted` for paths without one.
    #[arg(long)]
    route: Option<String>,
    /// Every key, and every path, that begins so.
    #[arg(long)]
    prefix: Option<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl What {
    /// What may have been meant otherwise, where nothing was found by it.
    fn note(&self, purged: &Value) -> Option<&'static str> {
        let named = self.url.as_ref().or(self.key.as_ref()).or(self.tag.as_ref()).or(self.prefix.as_ref())?;
        if purged.get("matched").and_then(Value::as_u64) != Some(0) {
            return None;
        }
        if named.contains('*') {
            return Some("note: * is no wildcard; --prefix /p/ drops whatever begins so, and --route all of a route");
        }
        let has_fragment = self.url.is_some() && named.contains('#');
        has_fragment
            .then_some("note: no request has what stands behind a #; write the URL without it, or --key for a key")
    }

    fn json(&self) -> Value {
        let named = [
            ("url", &self.url),
            ("key", &self.key),
            ("tag", &self.tag),
            ("route", &self.route),
            ("prefix", &self.prefix),
        ];
        let named = named.into_iter().find_map(|(name, text)| text.as_ref().map(|text| json!({ name: text })));
        named.unwrap_or_else(|| json!({ "all": self.all }))
    }
}

/// Has it dropped. It has been, for every node, when this ends with 0; 1 where it is refused, or pending because Redis did not
/// confirm it, or where the process was asked and gave no answer; 69 where nobody is there to ask.
pub(super) fn run(arguments: &PurgeArguments) -> Result<ExitCode, Failure> {
    let process = arguments.process.process()?;
    let mut asked = arguments.what.json();
    if let Some(members) = asked.as_object_mut() {
        members.insert("soft".to_owned(), arguments.soft.into());
    }
    let value = process.post("/purge", &asked)?.parsed::<Value>()?;
    if arguments.process.json {
        return Ok(say_json(&value));
    }
    let said = say(&text(&value));
    arguments.what.note(&value).into_iter().for_each(say_aside);
    Ok(said)
}

fn text(purged: &Value) -> String {
    let what = purged.get("purged").and_then(Value::as_object).and_then(|purged| purged.iter().next());
    let what = match what {
        Some((name, Value::String(text))) => format!("{name} {text}"),
        _ => "everything".to_owned(),
    };
    let done = if purged.get("soft") == Some(&Value::Bool(true)) { "made stale" } else { "dropped" };
    let more = purged.get("more") == Some(&Value::Bool(true));
    match purged.get("matched").and_then(Value::as_u64) {
        Some(count) => format!("{done}: {what} ({})", counted_entries(count, more)),
        None => format!("{done}: {what} (the store cannot tell how many entries)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_purged_is_said_in_words() {
        let purged = json!({ "purged": { "url": "/a" }, "soft": false, "matched": 1, "token": null });
        assert_eq!(text(&purged), "dropped: url /a (1 entry)");
        let purged = json!({ "purged": { "all": true }, "soft": true, "matched": null, "token": null });
        assert_eq!(text(&purged), "made stale: everything (the store cannot tell how many entries)");
        let purged = json!({ "purged": { "key": "a" }, "soft": false, "matched": 0, "more": true, "token": null });
        assert_eq!(text(&purged), "dropped: key a (nothing that most clients are given)");
    }

    #[test]
    fn a_star_and_a_fragment_are_pointed_out_where_nothing_was_found() {
        let url = |text: &str| What {
            url: Some(text.to_owned()),
            key: None,
            tag: None,
            route: None,
            prefix: None,
            all: false,
        };
        let found = |count: u64| json!({ "matched": count });
        assert!(url("/p/*").note(&found(0)).is_some_and(|note| note.contains("--prefix")));
        assert!(url("/a#b").note(&found(0)).is_some_and(|note| note.contains('#')));
        assert_eq!((url("/p/*").note(&found(1)), url("/a").note(&found(0))), (None, None));
    }
}
