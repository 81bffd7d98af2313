//! `aside verify`: what the running process has found comparing hits with the API's answers, and what to write into the file.
//!
//! With `--json`, what `GET /verify` of the admin listener answers: [`crate::verify::Report`]. The `[[write]]` entries at
//! the end of the text are TOML.

use std::process::ExitCode;

use super::asking::AdminArguments;
use super::terminal::{say, say_json};
use crate::verify::Report;

/// Prints it: 0, also where something was old; 1 where it is refused, 69 where nobody answers.
pub(super) fn run(arguments: &AdminArguments) -> ExitCode {
    let process = match arguments.process() {
        Ok(process) => process,
        Err(code) => return code,
    };
    let answer = match process.get("/verify") {
        Ok(answer) => answer,
        Err(unanswered) => return unanswered.say(),
    };
    match answer.parsed::<Report>() {
        Ok(_) if arguments.json => say_json(&answer.value),
        Ok(report) => say(report.text().trim_end()),
        Err(unanswered) => unanswered.say(),
    }
}
