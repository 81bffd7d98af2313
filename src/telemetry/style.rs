//! How the lines of requests are written: the form, the fields, the room; and any text as a value in them.

use crate::fields::{Notation, visible};

use super::field::LogFields;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// The form, and whether it has colours.
    pub(super) notation: Notation,
    /// How many columns there are where a person sits before them; `None` where lines may have any length.
    pub(super) columns: Option<usize>,
    /// How far fields behind the columns may reach there.
    pub(super) terminal: usize,
    /// Which fields a JSON line has, or a line for people besides its columns.
    pub(super) fields: LogFields,
}

impl Style {
    /// For a file, or another program.
    #[cfg(test)]
    pub(super) const PLAIN: Self =
        Self { notation: Notation::Plain, columns: None, terminal: 0, fields: LogFields::IDS };
}

/// Appends any text in quotation marks.
pub(super) fn push_text(out: &mut String, text: &str, notation: Notation) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        for piece in ["\"", text, "\""] {
            out.push_str(piece);
        }
        return;
    }
    let escaped = match notation {
        Notation::Plain | Notation::Coloured => format!("{text:?}"),
        Notation::Json => serde_json::Value::from(text).to_string(),
    };
    out.push_str(&visible(&escaped, notation));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_value_whatever_is_in_it() {
        for (text, plain, json) in [
            ("a b", "\"a b\"", "\"a b\""),
            ("a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\""),
            ("\u{202e}\n", "\"\\u{202e}\\n\"", "\"\\u202e\\n\""),
        ] {
            for (notation, expected) in [(Notation::Plain, plain), (Notation::Json, json)] {
                let mut out = String::new();
                push_text(&mut out, text, notation);
                assert_eq!(out, expected);
            }
        }
    }
}
