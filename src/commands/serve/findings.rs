//! What was found in a configuration, told in the log: for people as `aside check` prints it, line by line; in JSON a record for
//! each finding, with its place and what to write in fields of their own.

use crate::config::{ConfigError, Finding, Report, Severity};
use crate::telemetry::LogFormat;

/// A configuration cannot be used, which `means` says what of: `proxy.toml cannot be used; the configuration stays as it was`.
/// What is only worth knowing of it is not why.
pub(in crate::commands) fn refused(format: LogFormat, means: &str, error: &ConfigError) {
    let errors = error.report().at_least(Severity::Error);
    match format {
        LogFormat::Json => records(&errors, &format!("{means}: ")),
        LogFormat::Text => {
            tracing::error!("{means}");
            errors.render(false).lines().for_each(|line| tracing::error!("{line}"));
        }
    }
}

/// What is worth knowing of a configuration that is used.
pub(in crate::commands) fn remarks(format: LogFormat, report: &Report) {
    match format {
        LogFormat::Json => records(report, ""),
        LogFormat::Text => report.render(false).lines().for_each(|line| tracing::warn!("{line}")),
    }
}

fn records(report: &Report, means: &str) {
    let (findings, more) = report.shown();
    findings.for_each(|finding| record(&finding, means));
    if more > 0 {
        tracing::error!("{means}and {more} more");
    }
}

fn record(finding: &Finding<'_>, means: &str) {
    let Finding { severity, file, place, message, help } = finding;
    let (line, column) = (place.map(|place| place.line), place.map(|place| place.column));
    match severity {
        Severity::Error => tracing::error!(file, line, column, help, "{means}{message}"),
        Severity::Warning => tracing::warn!(file, line, column, help, "{means}{message}"),
        Severity::Note => tracing::info!(file, line, column, help, "{means}{message}"),
    }
}
