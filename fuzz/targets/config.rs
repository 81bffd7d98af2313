//! Whatever `proxy.toml` says, it is taken or refused with a place in it; nothing panics, and all can be printed.

#![no_main]

use aside::config::{Config, Severity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let report = match Config::from_text("proxy.toml", text, |name| (name == "A").then(|| "a".to_owned())) {
        Ok(config) => config.remarks,
        Err(error) => {
            assert!(error.report().iter().any(|(finding, _)| finding.severity() == Severity::Error));
            error.report().clone()
        }
    };
    let lines = text.lines().count().max(1) + 1;
    for (finding, place) in report.iter() {
        assert!(!finding.message().is_empty() && !finding.help().is_empty(), "{finding:?}");
        match place {
            Some(place) => assert!((1..=lines).contains(&place.line) && place.column >= 1, "{finding:?} at {place:?}"),
            // What is missing has no place.
            None => assert!(finding.message().contains("origin"), "{finding:?}"),
        }
    }
    let _ = (report.render(false), report.render(true), report.to_json());
});
