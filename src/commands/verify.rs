//! `aside verify`: what the running process has found comparing hits with the API's answers, and what to write into the file.
//!
//! Several nodes are asked one after the other, and what they say is put together. With `--json`, what `GET /verify` of the
//! admin listener answers: [`crate::verify::Report`]. The `[[write]]` entries at
//! the end of the text are TOML.

use std::process::ExitCode;

use clap::Args;

use super::asking::{AdminArguments, Process};
use super::terminal::{say, say_json};
use crate::verify::Report;

/// Which processes are asked.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    pub(super) asked: AdminArguments,
    #[arg(
        long,
        value_name = "PLACE",
        help = "The admin listener of a further node that shares the store, which is asked as well, with the same token; may be \
                given several times"
    )]
    also: Vec<String>,
}

/// Prints it: 0, also where something was old; 1 where it is refused, 69 where nobody answers.
pub(super) fn run(arguments: &VerifyArguments) -> ExitCode {
    let joined = reports(arguments).map(|reports| reports.into_iter().reduce(Report::and).unwrap_or_default());
    match joined {
        Ok(report) if arguments.asked.json => say_json(&serde_json::to_value(report).unwrap_or_default()),
        Ok(report) => say(report.text().trim_end()),
        Err(code) => code,
    }
}

/// What each of them tells; where one does not, that has been said.
fn reports(arguments: &VerifyArguments) -> Result<Vec<Report>, ExitCode> {
    let others = arguments.also.iter().map(|place| arguments.asked.process_at(place));
    let processes: Vec<Process> = std::iter::once(arguments.asked.process()).chain(others).collect::<Result<_, _>>()?;
    let told = |process: &Process| process.get("/verify").and_then(|answer| answer.parsed::<Report>());
    processes.iter().map(|process| told(process).map_err(|unanswered| arguments.asked.say(&unanswered))).collect()
}
