//! Which lines are logged: what `ASIDE_LOG` says, if that can be understood.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

const DEFAULT: &str = "aside=info";
/// Who writes lines: aside itself, and the crates below it that do so at all.
const TARGETS: [&str; 10] =
    ["aside", "fred", "h2", "hyper", "hyper_rustls", "hyper_util", "mio", "rustls", "tokio", "tokio_util"];
/// A longer text is not repeated.
const TEXT_LIMIT: usize = 80;

/// The filter of a text as in `aside=debug`, and what is to be told of a text that is none: then the default holds.
pub(super) fn filter(wanted: Option<&str>) -> (EnvFilter, Option<String>) {
    let wanted = wanted.map_or("", str::trim);
    if wanted.is_empty() {
        return (EnvFilter::new(DEFAULT), None);
    }
    let parts = wanted.split(',').map(str::trim).filter(|part| !part.is_empty());
    match parts.clone().find(|part| !is_directive(part)) {
        None => match EnvFilter::try_new(wanted) {
            Ok(filter) => (filter, None),
            Err(_) => refused(wanted),
        },
        Some(part) => refused(part),
    }
}

fn refused(part: &str) -> (EnvFilter, Option<String>) {
    let shown: String = part.chars().take(TEXT_LIMIT).collect();
    let told = format!(
        "`{shown}` in ASIDE_LOG is neither a level (off, error, warn, info, debug, trace) nor a target with one, as in \
         aside=debug; {DEFAULT} is used instead"
    );
    (EnvFilter::new(DEFAULT), Some(told))
}

/// Whether it is a level, a target, or a target with a level.
fn is_directive(part: &str) -> bool {
    match part.split_once('=') {
        None => is_level(part) || is_target(part),
        Some((target, level)) => is_target(target) && is_level(level),
    }
}

fn is_level(text: &str) -> bool {
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

fn is_target(text: &str) -> bool {
    let root = text.split("::").next().unwrap_or_default();
    TARGETS.contains(&root) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_told_and_the_default_holds() {
        for text in ["nonsense", "aside=loud", "asidde=debug", "aside=", "=debug", "aside[x]=debug", "info,no", "a b"] {
            let (filter, told) = filter(Some(text));
            assert_eq!(filter.to_string(), DEFAULT, "{text}");
            assert!(told.is_some_and(|told| told.contains("aside=info is used instead")), "{text}");
        }
    }

    #[test]
    fn filters_are_taken_as_they_are_and_nothing_is_the_default() {
        for text in ["debug", "off", "aside=debug", "aside::proxy=trace,fred=warn", "WARN", " aside=debug, ", "h2"] {
            assert_eq!(filter(Some(text)).1, None, "{text}");
        }
        for nothing in [None, Some(""), Some("  ")] {
            let (filter, told) = filter(nothing);
            assert_eq!((filter.to_string().as_str(), told), (DEFAULT, None));
        }
    }
}
