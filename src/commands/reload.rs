//! `aside reload`: has the running process read its configuration again.
//!
//! With `--json`, what `POST /reload` of the admin listener answers: [`crate::admin::Reloaded`].

use std::process::ExitCode;

use serde_json::json;

use super::asking::AdminArguments;
use super::failure::Failure;
use super::terminal::{layout, say, say_json};
use crate::admin::Reloaded;

/// Has it reloaded. What it refuses it says as `aside check` does, with the place in the file.
///
/// 0, 1 where the process refuses what it read and goes on as before, 69 where nobody answers.
pub(super) fn run(arguments: &AdminArguments) -> Result<ExitCode, Failure> {
    let answer = arguments.process()?.post("/reload", &json!({}))?;
    let reloaded = answer.parsed::<Reloaded>()?;
    // As it came, whatever the version that answers has besides.
    Ok(if arguments.json { say_json(&answer.value) } else { say(&text(&reloaded)) })
}

fn text(reloaded: &Reloaded) -> String {
    let Reloaded { changed, needs_restart, config } = reloaded;
    let mut lines = vec![("reloaded", config.file.clone().unwrap_or_else(|| "no file".to_owned()))];
    lines.extend(changed.iter().map(|what| ("changed", what.clone())));
    if changed.is_empty() {
        lines.push(("changed", "nothing".to_owned()));
    }
    lines.extend(needs_restart.iter().map(|what| ("restart for", what.clone())));
    layout(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ConfigState;

    #[test]
    fn what_needs_a_restart_stands_below_what_has_changed() {
        let config = ConfigState { file: None, fingerprint: String::new(), loaded_at: String::new() };
        let [changed, needs_restart] = [vec![], vec!["listen".to_owned()]];
        let told = text(&Reloaded { changed, needs_restart, config });
        assert_eq!(told, "reloaded     no file\nchanged      nothing\nrestart for  listen");
    }
}
