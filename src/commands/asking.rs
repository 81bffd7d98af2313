//! How the commands ask a running process: where its admin listener is, what it answers, and what is said where nobody does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::failure::Failure;
use super::terminal::{ConfigArguments, UNAVAILABLE, USAGE, say_aside};
use crate::admin::{AdminListen, AdminSettings, Client, ClientError, Place, Status, Told};
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

const HELP: &str = "start it with `aside serve`, or name its admin listener with --admin";

impl AdminArguments {
    /// The process; an error where it cannot be known.
    pub(super) fn process(&self) -> Result<Process, Failure> {
        find((self.admin.as_deref(), "--admin"), self.source())
    }

    /// The one whose admin listener is there, asked with the same token.
    pub(super) fn process_at(&self, place: &str) -> Result<Process, Failure> {
        find((Some(place), "--also"), self.source())
    }

    fn source(&self) -> Source<'_> {
        if self.no_config { Source::Nothing } else { Source::File(self.config.config.as_deref()) }
    }
}

/// The process at the place that is named, or that the source says.
pub(super) fn process_at(admin: Option<&str>, source: Source<'_>) -> Result<Process, Failure> {
    find((admin, "--admin"), source)
}

fn find((place, option): (Option<&str>, &str), source: Source<'_>) -> Result<Process, Failure> {
    let named = place.map(Place::parse).transpose();
    let named = named.map_err(|why| Failure::of_usage(format!("{option}: {why}")))?;
    let found = match source {
        Source::Nothing => Whereabouts::without_file(),
        Source::File(file) => match Whereabouts::find(file) {
            Ok(found) => found,
            // A process whose place is known can be asked all the same.
            Err(_) if named.is_some() => Whereabouts::without_file(),
            Err(error) => return Err(error.into()),
        },
    };
    match named {
        Some(place) => Process::at(vec![place], &found.admin, HELP.to_owned()),
        None => by_file(found),
    }
}

/// The process that is where its file says; where nobody is, or the file does not say, the one that has been started with it.
fn by_file(found: Whereabouts) -> Result<Process, Failure> {
    let (folders, port) = (runtime_folders(), found.listen.first().map_or(0, SocketAddr::port));
    let places = match &found.admin.listen {
        AdminListen::Unix(path) => vec![Place::Unix(path.clone())],
        AdminListen::Tcp(address) => vec![Place::Tcp(reachable(*address).to_string())],
        AdminListen::Default => folders.candidates(port).into_iter().map(Place::Unix).collect(),
        AdminListen::Off => Vec::new(),
    };
    let others = folders.others(port);
    let help = match &found.admin.listen {
        AdminListen::Default => format!("{HELP}{}", there_are(&others)),
        _ => format!("{HELP}; one that was started before [admin] was changed listens where the file said then"),
    };
    let process = Process::at(places.clone(), &found.admin, help)?;
    let (is_sure, file) = (found.trouble.is_none(), found.file.as_deref());
    if is_sure && !places.is_empty() && !process.is_nobody() {
        return Ok(process);
    }
    // Half of a file may lead to another one's process.
    if !is_sure && process.has_read(file) {
        say_trouble(found.trouble.as_ref(), "is asked all the same");
        return Ok(process);
    }
    let usual = folders.candidates(port).into_iter().chain(others).map(Place::Unix);
    for place in usual.filter(|_| file.is_some()) {
        let other = Process::at(vec![place.clone()], &found.admin, HELP.to_owned())?;
        if !places.contains(&place) && other.has_read(file) {
            say_trouble(found.trouble.as_ref(), &format!("listens at {place}, and is asked there"));
            return Ok(other);
        }
    }
    match found.trouble {
        Some(error) => Err(error.into()),
        None if places.is_empty() => Err(Failure::new(
            UNAVAILABLE,
            "the configuration wants no admin listener (`listen` in [admin] is \"off\"), so nobody can be asked",
        )),
        None => Ok(process),
    }
}

/// That another process is asked than the file as it is leads to.
fn say_trouble(trouble: Option<&ConfigError>, done: &str) {
    let (why, more) = match trouble {
        Some(error) => (error.report().first_line().unwrap_or_default(), ", and `aside check` tells more"),
        None => ("nobody answers where this file says".to_owned(), "; a restart moves it"),
    };
    say_aside(&format!("warning: {why}; the process that was started with this file {done}{more}"));
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
    fn at(places: Vec<Place>, admin: &AdminSettings, help: String) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(1, error.to_string()))?;
        Ok(Self { client: Client::new(places, admin.token.clone()), runtime, help })
    }

    /// Whether nobody takes a connection there.
    fn is_nobody(&self) -> bool {
        self.runtime.block_on(self.client.is_nobody())
    }

    /// Whether it says that this is the file which it was started with.
    fn has_read(&self, file: Option<&Path>) -> bool {
        let status = self.get("/status").and_then(|answer| answer.parsed::<Status>()).ok();
        let its = status.and_then(|status| status.config.file).and_then(|its| Path::new(&its).canonicalize().ok());
        its.is_some() && its == file.and_then(|file| file.canonicalize().ok())
    }

    /// Asks for a path with its query.
    pub(super) fn get(&self, target: &str) -> Result<Answer, Failure> {
        self.read(self.runtime.block_on(self.client.get(target)), Asks::Tells)
    }

    /// The same where something else goes on.
    pub(super) async fn ask(&self, target: &str) -> Result<Answer, Failure> {
        self.read(self.client.get(target).await, Asks::Tells)
    }

    /// Runs what asks again and again.
    pub(super) fn watch<T>(&self, watching: impl Future<Output = T>) -> T {
        self.runtime.block_on(watching)
    }

    /// Sends JSON to a path.
    pub(super) fn post(&self, target: &str, json: &Value) -> Result<Answer, Failure> {
        self.read(self.runtime.block_on(self.client.post(target, json.to_string().into_bytes())), Asks::Does)
    }

    fn read(&self, answered: Result<(StatusCode, bytes::Bytes), ClientError>, asks: Asks) -> Result<Answer, Failure> {
        let unavailable = |why: String| Failure::new(UNAVAILABLE, format!("{why}; {}", self.help));
        let (status, body) = answered.map_err(|error| match (&error, asks) {
            (ClientError::Unanswered(_), Asks::Tells) => {
                Failure::new(UNAVAILABLE, format!("{error}; it may hang: its log says more"))
            }
            (ClientError::Unanswered(_), Asks::Does) => {
                let told = "what was asked for may have been done, or be pending: `aside status` and its log tell";
                Failure::new(1, format!("{error}; {told}"))
            }
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
    pub(super) fn parsed<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !self.status.is_success() {
            return Err(self.refused());
        }
        T::deserialize(&self.value).map_err(|error| {
            let told = "the process answers otherwise than this version of aside reads it";
            Failure::new(1, format!("{told} ({error}); use one version of both"))
        })
    }

    /// What it says is wrong: 2 where that is what it was asked.
    pub(super) fn refused(&self) -> Failure {
        if self.status == StatusCode::UNAUTHORIZED {
            let why = "this needs the token of [admin], and another one was given or none: put it into ASIDE_ADMIN_TOKEN, or \
                       name the file that has it with --config";
            return Failure::new(1, why);
        }
        let told = Told::deserialize(&self.value).map_or_else(|_| self.value.to_string(), |told| told.error);
        Failure::of_process(if self.status == StatusCode::BAD_REQUEST { USAGE } else { 1 }, told)
    }
}
