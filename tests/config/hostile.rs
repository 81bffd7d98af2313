//! Whatever a file holds, it is read or told what is wrong: nothing panics, and every finding can be printed.

use proptest::prelude::*;

use super::read;

const SHIPPED: &str = include_str!("../../proxy.toml");

/// Reads a text and prints whatever was found in every form.
fn try_reading(text: &str) {
    let report = match read(text) {
        Ok(config) => config.remarks,
        Err(error) => error.report().clone(),
    };
    for (finding, place) in report.iter() {
        assert!(!finding.message().is_empty() && !finding.help().is_empty(), "{finding:?}");
        assert!(place.is_none_or(|place| place.line >= 1 && place.column >= 1));
    }
    let _ = (report.render(false), report.render(true), report.to_json());
}

/// The shipped file with all its keys set.
fn all_keys() -> Vec<char> {
    SHIPPED.lines().flat_map(|line| line.strip_prefix('#').unwrap_or(line).chars().chain(['\n'])).collect()
}

proptest! {
    #[test]
    fn a_spoilt_file(at in 0..6000_usize, cut in 0..60_usize, put in "[\\[\\]{}=\",.'#\\\\\n\r\t $é\u{feff}a-z0-9/:]{0,8}") {
        let mut text = all_keys();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        try_reading(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_spoilt_value(at in 0..200_usize, put in "[\"'{}\\[\\]/:.?#%$*a-z0-9é ]{0,12}") {
        // Each quoted text in turn is replaced, so that the form of the file stays good.
        let texts: Vec<&str> = SHIPPED.split('"').collect();
        let at = (at % (texts.len() / 2)) * 2 + 1;
        let put = put.replace(['"', '\n'], "");
        let text: Vec<&str> = texts.iter().enumerate().map(|(index, text)| if index == at { put.as_str() } else { text }).collect();
        try_reading(&text.join("\""));
    }

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        try_reading(&text);
        try_reading(&format!("origin = \"http://a\"\n[[route]]\npath = \"/{text}\"\n"));
        try_reading(&format!("origin = \"{text}\"\nstore = '{text}'\nlisten = '''{text}'''\n"));
    }
}
