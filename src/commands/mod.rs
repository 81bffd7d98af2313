//! What a person types: `aside serve`, `check`, `explain`, `routes`, `completions`; what asks a running process: `status`, `top`,
//! `purge`, `verify`, `reload`; and `warm`, which asks it as clients do. A file or a folder each.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 69 no store to look into or nobody who answers, 78 bad configuration (`EX_UNAVAILABLE` and
//! `EX_CONFIG` of `sysexits.h`), 128 and its number where a signal has ended it.

mod asking;
mod check;
mod completions;
mod explain;
mod failure;
mod purge;
mod reload;
mod routes;
mod serve;
mod status;
mod terminal;
mod top;
mod verify;
mod warm;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::{Config, Overrides};
use crate::fields::{Notation, visible_lines};
use crate::telemetry::LogFormat;
use terminal::{USAGE, configuration, said};

pub use asking::AdminArguments;
pub use completions::CompletionsArguments;
pub use explain::ExplainArguments;
pub use purge::PurgeArguments;
pub use status::StatusArguments;
pub use terminal::ConfigArguments;
pub use warm::WarmArguments;

const AFTER_SERVE: &str = "Environment:
  ASIDE_CONFIG
             The configuration, where --config names none; without it ./proxy.toml, then /etc/aside/proxy.toml
  ASIDE_LOG  Which lines are logged, in place of aside=info: a level (off, error, warn, info, debug, trace), aside=debug,
             or several with commas
  NO_COLOR   With any value: no colours, also on a terminal";

/// A transparent caching reverse proxy that is never stale after a write.
#[derive(Debug, Parser)]
#[command(name = "aside", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve: listen, answer from the cache, forward the rest.
    #[command(after_help = AFTER_SERVE)]
    Serve(ServeArguments),
    /// Check the configuration and stop before anything is opened.
    Check(CheckArguments),
    /// Explain what would become of a request, without sending it.
    Explain(ExplainArguments),
    /// List the routes.
    Routes(CheckArguments),
    /// Ask the running proxy for what is to be stored before clients ask.
    Warm(WarmArguments),
    /// Print what a shell needs to complete the command line.
    Completions(CompletionsArguments),
    /// Ask the running process how it is.
    Status(StatusArguments),
    /// Watch the figures of the running process, each second anew.
    Top(AdminArguments),
    /// Drop what the cache has of something, on every node.
    Purge(PurgeArguments),
    /// Tell what the running process has found comparing hits with the API's answers, and which rules that supports.
    Verify(verify::VerifyArguments),
    /// Have the running process read its configuration again.
    Reload(AdminArguments),
}

/// `aside serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Read no file at all, also where there is a ./proxy.toml: every default, and `--origin`.
    #[arg(long, conflicts_with = "config", requires = "origin")]
    no_config: bool,
    #[arg(
        long,
        value_name = "URL",
        help = "The API to stand in front of, as in http://127.0.0.1:5000, also where a file names another"
    )]
    origin: Option<String>,
    /// An address to listen on, as in 127.0.0.1:8080; may be given several times.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    #[arg(long, value_name = "URL", help = "Where answers are kept: memory:// or redis://127.0.0.1:6379")]
    store: Option<String>,
    /// The form of log lines.
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogArgument>,
}

/// The form of log lines, as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogArgument {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `aside check` and `aside routes`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The same without the option's name.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl CheckArguments {
    fn config(&self) -> ConfigArguments {
        ConfigArguments { config: self.config.config.as_ref().or(self.file.as_ref()).cloned() }
    }
}

/// Reads the arguments and runs the command. What comes back is the process's exit code.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(told) => {
            let printed = print_usage(&told).and_then(|()| io::stdout().flush());
            if told.use_stderr() { ExitCode::from(USAGE) } else { said(printed) }
        }
    }
}

/// Prints help, or what is wrong with the arguments: without colours where an argument holds what could be taken for some.
fn print_usage(told: &clap::Error) -> io::Result<()> {
    let text = told.render().to_string();
    let shown = visible_lines(&text, Notation::Plain);
    if shown == text { told.print() } else { write!(io::stderr(), "{shown}") }
}

/// Runs a command. What comes back is the process's exit code.
pub fn run(cli: Cli) -> ExitCode {
    let (as_json, ended) = match cli.command {
        Command::Serve(arguments) => (false, Ok(serve(arguments))),
        Command::Check(arguments) => (arguments.json, check::run(&arguments.config(), arguments.json)),
        Command::Explain(arguments) => (arguments.json, explain::run(&arguments)),
        Command::Routes(arguments) => (arguments.json, routes::run(&arguments.config(), arguments.json)),
        Command::Warm(arguments) => (arguments.json, warm::run(&arguments)),
        Command::Completions(arguments) => (arguments.json, Ok(completions::run(&arguments, Cli::command()))),
        Command::Status(arguments) => (arguments.process.json, status::run(&arguments)),
        Command::Top(arguments) => (arguments.json, top::run(&arguments)),
        Command::Purge(arguments) => (arguments.process.json, purge::run(&arguments)),
        Command::Verify(arguments) => (arguments.asked.json, verify::run(&arguments)),
        Command::Reload(arguments) => (arguments.json, reload::run(&arguments)),
    };
    ended.unwrap_or_else(|failure| failure.tell(as_json))
}

fn serve(arguments: ServeArguments) -> ExitCode {
    let overrides = Overrides {
        origin: arguments.origin,
        listen: arguments.listen,
        store: arguments.store,
        log: arguments.log.map(|format| match format {
            LogArgument::Text => LogFormat::Text,
            LogArgument::Json => LogFormat::Json,
        }),
    };
    let config = if arguments.no_config {
        Config::without_file(&overrides)
    } else {
        configuration(&arguments.config, &overrides)
    };
    // In the form of the log, whichever that is.
    match config {
        Ok(config) => serve::run(config, overrides),
        Err(error) => serve::cannot(&error, overrides.log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_listed_above_and_all_but_serve_take_json() {
        let above: String = include_str!("mod.rs").lines().take_while(|line| line.starts_with("//!")).collect();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(above.contains(&format!("`{name}`")) || above.contains(&format!("`aside {name}`")), "{name}");
            let takes_json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
            assert_eq!(takes_json, name != "serve", "{name}");
        }
    }

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn listen_may_be_given_several_times() {
        let cli =
            Cli::try_parse_from(["aside", "serve", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"]).unwrap();
        assert!(matches!(cli.command, Command::Serve(arguments) if arguments.listen.len() == 2));
    }
}
