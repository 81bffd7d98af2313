//! `aside explain PURGE /path`: who may send it, and what it drops.

use serde_json::{Value, json};

use super::asked::Asked;
use crate::config::Config;
use crate::proxy::Purgers;
use crate::rules::{Purge, Tag};

/// For people and for programs: `{"kind": "purge", "method", "target", "from", "token", "tags", "because"}`. `from` are the ranges
/// of addresses that may send it, `token` says whether one opens the door, and `tags` are what is dropped, null where the target
/// names nothing.
pub(super) fn explain(asked: &Asked, config: &Config) -> (String, Value) {
    let Asked { method, target, .. } = asked;
    let Purgers { from, token } = &config.proxy.purgers;
    let from: Vec<String> = from.iter().map(ToString::to_string).collect();
    let because = because(&from, token.is_some());
    let purging = config.proxy.rules.routes.purging(Purge::Url(target.as_str().to_owned()), "");
    let (dropped, tags) = match &purging {
        Ok(purging) => {
            let tags: Vec<&str> = purging.tags.iter().map(Tag::as_str).collect();
            (format!("it drops whatever has one of the tags {}", tags.join(", ")), json!(tags))
        }
        Err(why) => (format!("it is refused with 400: {why}"), Value::Null),
    };
    let value = json!({
        "kind": "purge", "method": method.as_str(), "target": target.as_str(), "from": from, "token": token.is_some(),
        "tags": tags, "because": because,
    });
    (format!("{method} {target}\n{because}\n{dropped}"), value)
}

fn because(from: &[String], token: bool) -> String {
    let nobody = "it is for aside alone and never goes on to the API; nobody may send it: it is refused with 405";
    let who = match (from.is_empty(), token) {
        (true, false) => return nobody.to_owned(),
        (false, false) => format!("from {}", from.join(", ")),
        (true, true) => "with the purge_token".to_owned(),
        (false, true) => format!("from {}, or with the purge_token", from.join(", ")),
    };
    format!(
        "it is for aside alone and never goes on to the API; who sends it {who} is answered with 200, others with 405"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_may() {
        let ranges = ["10.0.0.0/8".to_owned()];
        assert!(because(&[], false).ends_with("nobody may send it: it is refused with 405"));
        assert!(because(&ranges, false).contains("who sends it from 10.0.0.0/8 is answered"));
        assert!(because(&[], true).contains("who sends it with the purge_token is answered"));
        assert!(because(&ranges, true).contains("from 10.0.0.0/8, or with the purge_token"));
    }
}
