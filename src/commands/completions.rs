//! `aside completions`: what a shell needs to complete the command line.
//!
//! With `--json`, one object: `{"shell": "bash", "script": "…"}`.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use serde_json::json;

use super::terminal::{said, say_json};

/// `aside completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints the script for this command line. 1 where it cannot be written.
pub(super) fn run(arguments: &CompletionsArguments, of: Command) -> ExitCode {
    let script = script(arguments.shell, of);
    if arguments.json {
        return say_json(&json!({ "shell": arguments.shell.to_string(), "script": String::from_utf8_lossy(&script) }));
    }
    let mut out = std::io::stdout().lock();
    said(std::io::Write::write_all(&mut out, &script).and_then(|()| std::io::Write::flush(&mut out)))
}

fn script(shell: Shell, mut of: Command) -> Vec<u8> {
    let (name, mut script) = (of.get_name().to_owned(), Vec::new());
    generate(shell, &mut of, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_of_every_subcommand() {
        let line = || Command::new("a").subcommands([Command::new("first"), Command::new("second")]);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = String::from_utf8(script(shell, line())).unwrap();
            assert!(script.contains("first") && script.contains("second"), "{shell}");
        }
    }
}
