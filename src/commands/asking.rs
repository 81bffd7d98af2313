//! How the commands ask a running process: where its admin listener is, what it answers, and what is said where nobody does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::terminal::{BAD_CONFIG, ConfigArguments, UNAVAILABLE, USAGE, refuse, say_aside, say_json, say_lines_aside};
use crate::admin::{AdminListen, Client, ClientError, Place, Status, Told};
use crate::config::{ConfigError, Whereabouts, runtime_folders};
use crate::rules::reachable;

/// Which process is asked.
#[derive(Debug, Args)]
pub struct AdminArguments {
    #[command(flatten)]
    config: ConfigArguments,
    #[arg(
        long,
        value_name = "PLACE",
        help = "The admin listener of the process, as in unix:/run/aside/admin.sock or http://127.0.0.1:9900; by default \
                where the configuration says. Its token comes from there, too, or from ASIDE_ADMIN_TOKEN"
    )]
    admin: Option<String>,
    /// Read no file: ask the process that `aside serve --no-config` has started.
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// What says where a process is asked, where the command line does not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// This file, or the one that `aside serve` would find.
    File(Option<&'a Path>),
    /// None: it is where one is that was started without.
    Nothing,
}

/// A process that can be asked.
pub(super) struct Process {
    client: Client,
    runtime: Runtime,
    /// What to do where nobody answers.
    help: String,
}

/// What it answers, an error included.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) value: Value,
}

/// Why there is no answer: what to say, and the exit code.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) why: String,
    pub(super) code: u8,
}

/// Why there is no process to ask.
enum Unfound {
    /// The file cannot be read.
    File(ConfigError),
    /// Something else.
    Told(Unanswered),
}

const HELP: &str = "start it with `aside serve`, or name its admin listener with --admin";

impl AdminArguments {
    /// The process; where it cannot be known, that has been said.
    pub(super) fn process(&self) -> Result<Process, ExitCode> {
        self.find(self.admin.as_deref(), "--admin")
    }

    /// The one whose admin listener is there, asked with the same token.
    pub(super) fn process_at(&self, place: &str) -> Result<Process, ExitCode> {
        self.find(Some(place), "--also")
    }

    fn find(&self, place: Option<&str>, option: &str) -> Result<Process, ExitCode> {
        let source = if self.no_config { Source::Nothing } else { Source::File(self.config.config.as_deref()) };
        let found = find((place, option), source).map_err(|unfound| match unfound {
            Unfound::File(error) if !self.json => refuse(&error),
            unfound => self.say(&unfound.into()),
        })?;
        if let Some(error) = found.trouble {
            say_aside(&format!(
                "warning: {}; the process that was started with this file is asked all the same, and `aside check` tells more",
                error.report().first_line().unwrap_or_default()
            ));
        }
        Ok(found.process)
    }

    /// Says why there is no answer, in the form that is asked for.
    pub(super) fn say(&self, unanswered: &Unanswered) -> ExitCode {
        if self.json { unanswered.say_json() } else { unanswered.say() }
    }
}

/// The process at the place that is named, or that the source says.
pub(super) fn process_at(admin: Option<&str>, source: Source<'_>) -> Result<Process, Unanswered> {
    find((admin, "--admin"), source).map(|found| found.process).map_err(Unanswered::from)
}

/// A process, and what is wrong with the file that it was found by.
struct Found {
    process: Process,
    trouble: Option<ConfigError>,
}

fn find((place, option): (Option<&str>, &str), source: Source<'_>) -> Result<Found, Unfound> {
    let told = |why: String, code| Unfound::Told(Unanswered { why, code });
    let named = place.map(Place::parse).transpose().map_err(|why| told(format!("{option}: {why}"), USAGE))?;
    let is_named = named.is_some();
    let found = match source {
        Source::Nothing => Whereabouts::without_file(),
        Source::File(file) => match Whereabouts::find(file) {
            Ok(found) => found,
            // A process whose place is known can be asked all the same.
            Err(_) if is_named => Whereabouts::without_file(),
            Err(error) => return Err(Unfound::File(error)),
        },
    };
    let mut help = HELP.to_owned();
    let places = match (named, &found.admin.listen) {
        (Some(place), _) => vec![place],
        (None, AdminListen::Unix(path)) => vec![Place::Unix(path.clone())],
        (None, AdminListen::Tcp(address)) => vec![Place::Tcp(reachable(*address).to_string())],
        (None, AdminListen::Default) => {
            let port = found.listen.first().map_or(0, std::net::SocketAddr::port);
            let folders = runtime_folders();
            help.push_str(&there_are(&folders.others(port)));
            folders.candidates(port).into_iter().map(Place::Unix).collect()
        }
        (None, AdminListen::Off) => {
            let why =
                "the configuration wants no admin listener (`listen` in [admin] is \"off\"), so nobody can be asked";
            return Err(told(why.to_owned(), UNAVAILABLE));
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| told(error.to_string(), 1))?;
    let process = Process { client: Client::new(places, found.admin.token), runtime, help };
    match found.trouble {
        // Half of a file may lead to another one's process.
        Some(error) if !is_named && !process.has_read(found.file.as_deref()) => Err(Unfound::File(error)),
        trouble => Ok(Found { process, trouble }),
    }
}

/// The sockets of other processes, as `--admin` takes them.
fn there_are(others: &[PathBuf]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = others.iter().map(|path| format!("--admin {}", Place::Unix(path.clone()))).collect();
    format!("; of other ports there is {}", shown.join(", "))
}

/// What is asked of it.
#[derive(Clone, Copy)]
enum Asks {
    /// To tell something.
    Tells,
    /// To do something.
    Does,
}

impl Process {
    /// Whether it says that this is the file which it was started with.
    fn has_read(&self, file: Option<&Path>) -> bool {
        let status = self.get("/status").and_then(|answer| answer.parsed::<Status>()).ok();
        let its = status.and_then(|status| status.config.file).and_then(|its| Path::new(&its).canonicalize().ok());
        its.is_some() && its == file.and_then(|file| file.canonicalize().ok())
    }

    /// Asks for a path with its query.
    pub(super) fn get(&self, target: &str) -> Result<Answer, Unanswered> {
        self.read(self.runtime.block_on(self.client.get(target)), Asks::Tells)
    }

    /// The same where something else goes on.
    pub(super) async fn ask(&self, target: &str) -> Result<Answer, Unanswered> {
        self.read(self.client.get(target).await, Asks::Tells)
    }

    /// Runs what asks again and again.
    pub(super) fn watch<T>(&self, watching: impl Future<Output = T>) -> T {
        self.runtime.block_on(watching)
    }

    /// Sends JSON to a path.
    pub(super) fn post(&self, target: &str, json: &Value) -> Result<Answer, Unanswered> {
        self.read(self.runtime.block_on(self.client.post(target, json.to_string().into_bytes())), Asks::Does)
    }

    fn read(
        &self,
        answered: Result<(StatusCode, bytes::Bytes), ClientError>,
        asks: Asks,
    ) -> Result<Answer, Unanswered> {
        let unavailable = |why: String| Unanswered { why: format!("{why}; {}", self.help), code: UNAVAILABLE };
        let (status, body) = answered.map_err(|error| match (&error, asks) {
            (ClientError::Unanswered(_), Asks::Tells) => {
                Unanswered { why: format!("{error}; it may hang: its log says more"), code: UNAVAILABLE }
            }
            (ClientError::Unanswered(_), Asks::Does) => Unanswered {
                why: format!(
                    "{error}; what was asked for may have been done, or be pending: `aside status` and its log tell"
                ),
                code: 1,
            },
            _ => unavailable(error.to_string()),
        })?;
        let value = serde_json::from_slice(&body).map_err(|_| {
            unavailable(format!("what answers is not the admin listener of aside: it says {status} and no JSON"))
        })?;
        Ok(Answer { status, value })
    }
}

impl Answer {
    /// What it holds, where it is no error.
    pub(super) fn parsed<T: DeserializeOwned>(&self) -> Result<T, Unanswered> {
        if !self.status.is_success() {
            return Err(self.refused());
        }
        T::deserialize(&self.value).map_err(|error| Unanswered {
            why: format!(
                "the process answers otherwise than this version of aside reads it ({error}); use one version of both"
            ),
            code: 1,
        })
    }

    /// What it says is wrong: 2 where that is what it was asked.
    pub(super) fn refused(&self) -> Unanswered {
        if self.status == StatusCode::UNAUTHORIZED {
            let why = "this needs the token of [admin], and another one was given or none: put it into ASIDE_ADMIN_TOKEN, or \
                       name the file that has it with --config";
            return Unanswered { why: why.to_owned(), code: 1 };
        }
        let told = Told::deserialize(&self.value).map_or_else(|_| self.value.to_string(), |told| told.error);
        Unanswered { why: told, code: if self.status == StatusCode::BAD_REQUEST { USAGE } else { 1 } }
    }
}

impl Unanswered {
    /// Says it, for people.
    pub(super) fn say(&self) -> ExitCode {
        say_lines_aside(&format!("error: {}", self.sentence()));
        ExitCode::from(self.code)
    }

    /// The same for programs, where they look for the result.
    fn say_json(&self) -> ExitCode {
        say_json(&json!({ "error": self.sentence() }));
        ExitCode::from(self.code)
    }

    /// What is wrong with a file is told as `aside check` tells it, and says by itself that it is an error.
    fn sentence(&self) -> &str {
        self.why.strip_prefix("error: ").unwrap_or(&self.why)
    }
}

impl From<Unfound> for Unanswered {
    fn from(unfound: Unfound) -> Self {
        match unfound {
            Unfound::File(error) => Self { why: error.to_string(), code: BAD_CONFIG },
            Unfound::Told(unanswered) => unanswered,
        }
    }
}
