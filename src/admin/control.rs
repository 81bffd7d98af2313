//! What only whoever has started the process can tell and do: which configuration holds, what it says of a request, and to
//! read it again.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Refusal;
use super::query::ExplainQuestion;
use crate::handler::Later;
use crate::store::Store;

/// Whoever has started the process.
pub trait Control: fmt::Debug + Send + Sync {
    /// The configuration that holds now.
    fn config(&self) -> ConfigState;

    /// What would become of a request, and what the store has for it: as `aside explain --live` tells it, with a member
    /// `text` for people, and `rules`, the fingerprint of those that it goes by. The store is only looked into.
    fn explain(&self, question: ExplainQuestion, store: Store) -> Later<Result<Value, Refusal>>;

    /// Reads the configuration again and lets it hold from now on. The refusal says what is wrong with it; then nothing has
    /// changed.
    fn reload(&self) -> Later<Result<Reloaded, Refusal>>;
}

/// The configuration of a running process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigState {
    /// The file it was read from; `None` for the command line alone.
    pub file: Option<String>,
    /// The same for the same rules, in hexadecimal.
    pub fingerprint: String,
    /// When it was read, as RFC 3339 has it.
    pub loaded_at: String,
}

/// What a reload has come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is different from now on, for people.
    pub changed: Vec<String>,
    /// What differs in the file and holds only after a restart.
    pub needs_restart: Vec<String>,
    /// The configuration that holds now.
    pub config: ConfigState,
}
