//! `[log]`: how log lines are written.

use super::environment::wants_no_colours;
use super::file::LogTable;
use super::findings::{Findings, one_of};
use crate::telemetry::{LogFormat, LogSettings};

/// The settings; `given` is the format of the command line, which wins.
pub(super) fn mean(table: LogTable, given: Option<LogFormat>, findings: &mut Findings<'_>) -> LogSettings {
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let written = table.format.and_then(|word| one_of(&word, &words, findings));
    LogSettings {
        format: given.or(written).unwrap_or_default(),
        requests: table.requests.unwrap_or(true),
        colours: !wants_no_colours(),
    }
}
