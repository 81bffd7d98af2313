//! What a write makes old, table by table: a file a topic. Pure: rules are asked, nothing is sent and nothing is stored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/written.rs"]
mod written;

mod answers;
mod conditions;
mod cost;
mod destinations;
mod intent;
mod lists;
mod policies;
mod purges;
mod refusals;
mod safe_default;
mod settle;
mod slashes;
mod strictness;
mod tags;
mod values;
mod write_rules;

use aside::config::Config;
use aside::rules::Routes;

use written::{Sent, meet, sent, stored_tags};

/// The rules of a file, and reads that are stored under it.
struct App {
    routes: Routes,
    reads: Vec<String>,
}

/// An app with these tables in its file, and these reads, a space between each two.
fn app(tables: &[String], reads: &str) -> App {
    let text = format!("origin = \"http://127.0.0.1:1\"\n{}", tables.concat());
    let config = Config::from_text("rules.toml", &text, |_| None).unwrap_or_else(|error| panic!("{error}"));
    let routes = config.proxy.rules.routes.clone();
    let reads: Vec<String> = reads.split(' ').map(str::to_owned).collect();
    for read in &reads {
        assert!(!stored_tags(&routes, read).is_empty(), "{read} is not stored at all");
    }
    App { routes, reads }
}

/// A `[[route]]` with a lifetime.
fn route(path: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\nttl = \"1h\"\n{lines}\n")
}

/// A `[[write]]` of one request.
fn write(request: &str, lines: &str) -> String {
    format!("[[write]]\nrequest = \"{request}\"\n{lines}\n")
}

impl App {
    /// Those of its reads that a write makes old.
    fn dropped(&self, write: &Sent) -> Vec<&str> {
        let dropped = write.drops(&self.routes);
        let is_old = |read: &&String| meet(&dropped, &stored_tags(&self.routes, read));
        self.reads.iter().filter(is_old).map(String::as_str).collect()
    }

    /// A write makes old these of its reads, in their order and with a space between each two; all of them where it says so.
    #[track_caller]
    fn assert(&self, write: &Sent, expected: &str) {
        let all = self.reads.join(" ");
        let expected = if expected == ALL { &all } else { expected };
        assert_eq!(self.dropped(write).join(" "), expected, "by {write:?}");
    }

    /// The same for each line of a table.
    #[track_caller]
    fn assert_each(&self, table: &[(Sent, &str)]) {
        for (write, expected) in table {
            self.assert(write, expected);
        }
    }
}

const ALL: &str = "all";
