//! How the commands ask a running process: where its admin listener is, what it answers, and what is said where nobody does.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::terminal::{ConfigArguments, UNAVAILABLE, USAGE, refuse, say_aside, say_lines_aside};
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
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// A process that can be asked.
pub(super) struct Process {
    client: Client,
    runtime: Runtime,
}

/// What it answers, an error included.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) value: Value,
}

/// Why there is no answer: what to say, and the exit code.
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
        let named = place.map(Place::parse).transpose().map_err(|why| {
            let why = format!("{option}: {why}");
            Unanswered { why, code: USAGE }.say()
        })?;
        let found = find(named, self.config.config.as_deref()).map_err(|unfound| match unfound {
            Unfound::File(error) => refuse(&error),
            Unfound::Told(unanswered) => unanswered.say(),
        })?;
        if let Some(error) = found.trouble {
            say_aside(&format!(
                "warning: {}; the process that was started with this file is asked all the same, and `aside check` tells more",
                error.report().first_line().unwrap_or_default()
            ));
        }
        Ok(found.process)
    }
}

/// The process that the named file tells of, or the one that is found, if it does.
pub(super) fn process_of(file: Option<&Path>) -> Option<Process> {
    find(None, file).ok().map(|found| found.process)
}

/// A process, and what is wrong with the file that it was found by.
struct Found {
    process: Process,
    trouble: Option<ConfigError>,
}

fn find(named: Option<Place>, file: Option<&Path>) -> Result<Found, Unfound> {
    let is_named = named.is_some();
    let found = match Whereabouts::find(file) {
        Ok(found) => found,
        // A process whose place is known can be asked all the same.
        Err(_) if named.is_some() => Whereabouts::default(),
        Err(error) => return Err(Unfound::File(error)),
    };
    let places = match (named, &found.admin.listen) {
        (Some(place), _) => vec![place],
        (None, AdminListen::Unix(path)) => vec![Place::Unix(path.clone())],
        (None, AdminListen::Tcp(address)) => vec![Place::Tcp(reachable(*address).to_string())],
        (None, AdminListen::Default) => {
            let port = found.listen.first().map_or(0, std::net::SocketAddr::port);
            runtime_folders().candidates(port).into_iter().map(Place::Unix).collect()
        }
        (None, AdminListen::Off) => {
            let why =
                "the configuration wants no admin listener (`listen` in [admin] is \"off\"), so nobody can be asked";
            return Err(Unfound::Told(Unanswered { why: why.to_owned(), code: UNAVAILABLE }));
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Unfound::Told(Unanswered { why: error.to_string(), code: 1 }))?;
    let process = Process { client: Client::new(places, found.admin.token), runtime };
    match found.trouble {
        // Half of a file may lead to another one's process.
        Some(error) if !is_named && !process.has_read(found.file.as_deref()) => Err(Unfound::File(error)),
        trouble => Ok(Found { process, trouble }),
    }
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
        read(self.runtime.block_on(self.client.get(target)), Asks::Tells)
    }

    /// The same where something else goes on.
    pub(super) async fn ask(&self, target: &str) -> Result<Answer, Unanswered> {
        read(self.client.get(target).await, Asks::Tells)
    }

    /// Runs what asks again and again.
    pub(super) fn watch<T>(&self, watching: impl Future<Output = T>) -> T {
        self.runtime.block_on(watching)
    }

    /// Sends JSON to a path.
    pub(super) fn post(&self, target: &str, json: &Value) -> Result<Answer, Unanswered> {
        read(self.runtime.block_on(self.client.post(target, json.to_string().into_bytes())), Asks::Does)
    }
}

/// What is asked of it.
#[derive(Clone, Copy)]
enum Asks {
    /// To tell something.
    Tells,
    /// To do something.
    Does,
}

fn read(answered: Result<(StatusCode, bytes::Bytes), ClientError>, asks: Asks) -> Result<Answer, Unanswered> {
    let help = "start it with `aside serve`, or name its admin listener with --admin";
    match answered {
        Ok((status, body)) => match serde_json::from_slice(&body) {
            Ok(value) => Ok(Answer { status, value }),
            Err(_) => Err(Unanswered {
                why: format!("what answers is not the admin listener of aside: it says {status} and no JSON; {help}"),
                code: UNAVAILABLE,
            }),
        },
        Err(error @ ClientError::Unanswered(_)) => Err(match asks {
            Asks::Tells => Unanswered { why: format!("{error}; it may hang: its log says more"), code: UNAVAILABLE },
            Asks::Does => Unanswered {
                why: format!(
                    "{error}; what was asked for may have been done, or be pending: `aside status` and its log tell"
                ),
                code: 1,
            },
        }),
        Err(error) => Err(Unanswered { why: format!("{error}; {help}"), code: UNAVAILABLE }),
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

    /// What it says is wrong.
    pub(super) fn refused(&self) -> Unanswered {
        let told = Told::deserialize(&self.value).map_or_else(|_| self.value.to_string(), |told| told.error);
        Unanswered { why: told, code: 1 }
    }
}

impl Unanswered {
    /// Says it.
    pub(super) fn say(&self) -> ExitCode {
        // What is wrong with a file is told as `aside check` tells it, and says so itself.
        let why = self.why.strip_prefix("error: ").unwrap_or(&self.why);
        say_lines_aside(&format!("error: {why}"));
        ExitCode::from(self.code)
    }
}
