//! `aside reload`: has the running process read its configuration again.
//!
//! With `--json`, what `POST /reload` of the admin listener answers: [`crate::admin::Reloaded`].

use std::process::ExitCode;

use serde_json::json;

use super::asking::AdminArguments;
use super::terminal::{layout, say, say_json};
use crate::admin::Reloaded;

/// Has it reloaded. What it refuses it says as `aside check` does, with the place in the file.
///
/// 0, 1 where the process refuses what it read and goes on as before, 69 where nobody answers.
pub(super) fn run(arguments: &AdminArguments) -> ExitCode {
    let process = match arguments.process() {
        Ok(process) => process,
        Err(code) => return code,
    };
    let answer = match process.post("/reload", &json!({})) {
        Ok(answer) => answer,
        Err(unanswered) => return arguments.say(&unanswered),
    };
    match answer.parsed::<Reloaded>() {
        // As it came, whatever the version that answers has besides.
        Ok(_) if arguments.json => say_json(&answer.value),
        Ok(reloaded) => say(&text(&reloaded)),
        Err(unanswered) => arguments.say(&unanswered),
    }
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
