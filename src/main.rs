//! `aside`: reads the arguments, runs the command, and says with its exit code how it went.

use std::process::ExitCode;

fn main() -> ExitCode {
    aside::commands::main()
}
