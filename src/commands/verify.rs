//! `aside verify`: what the running process has found comparing hits with the API's answers, and what to write into the file.
//!
//! Several nodes are asked one after the other, and what they say is put together. With `--json`, what `GET /verify` of the
//! admin listener answers: [`crate::verify::Report`]. The `[[write]]` entries at
//! the end of the text are TOML.

use std::process::ExitCode;

use clap::Args;

use super::asking::{AdminArguments, Process};
use super::failure::Failure;
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
pub(super) fn run(arguments: &VerifyArguments) -> Result<ExitCode, Failure> {
    let report = reports(arguments)?.into_iter().reduce(Report::and).unwrap_or_default();
    if arguments.asked.json {
        return Ok(say_json(&serde_json::to_value(report).unwrap_or_default()));
    }
    Ok(say(report.text().trim_end()))
}

/// What each of them tells.
fn reports(arguments: &VerifyArguments) -> Result<Vec<Report>, Failure> {
    let others = arguments.also.iter().map(|place| arguments.asked.process_at(place));
    let processes: Vec<Process> = std::iter::once(arguments.asked.process()).chain(others).collect::<Result<_, _>>()?;
    processes.iter().map(|process| process.get("/verify")?.parsed::<Report>()).collect()
}
