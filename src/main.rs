//! `aside`: reads the arguments, runs the command, and says with its exit code how it went.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    aside::commands::run(aside::commands::Cli::parse())
}
