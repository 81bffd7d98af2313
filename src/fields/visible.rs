//! Text of others as it may be shown to people: no character of it moves a cursor, ends a line, hides, or turns the order
//! of what stands beside it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Where a text is shown, and so how a character that may not be shown is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As plain text: `\n`, `\u{202e}`.
    Plain,
    /// The same where the text has colours: what begins them (U+001B) stays, so that of others has to be gone before.
    Coloured,
    /// JSON that is written already: `\u202e`, also for what JSON itself lets stand.
    Json,
}

/// The text with every control character and every invisible one escaped; as it is where it has none.
pub fn visible(text: &str, notation: Notation) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(|c| is_escaped(c, notation)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if !is_escaped(character, notation) {
            shown.push(character);
        } else if notation == Notation::Json {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

/// The same for each of the lines of a text, which stay lines.
pub fn visible_lines(text: &str, notation: Notation) -> String {
    text.split('\n').map(|line| visible(line, notation)).collect::<Vec<_>>().join("\n")
}

fn is_escaped(character: char, notation: Notation) -> bool {
    match notation {
        Notation::Coloured if character == '\u{1b}' => false,
        // Within its texts JSON has escaped these already; around them they are its own.
        Notation::Json if character < ' ' => false,
        _ => misleads(character),
    }
}

/// Control characters (C0, DEL, C1); what ends a line; and what has no width: bidirectional controls, joiners, fillers, tags
/// and their like (the `Cf` of Unicode that are not seen, and Hangul's fillers).
fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_escaped_and_all_else_stays() {
        for (text, shown) in [
            ("plain / text \\ \"quoted\"", "plain / text \\ \"quoted\""),
            ("León, 名, e\u{301}, ❤\u{fe0f}", "León, 名, e\u{301}, ❤\u{fe0f}"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\u{0}"),
            ("\u{1b}[31m\u{7f}", "\\u{1b}[31m\\u{7f}"),
            ("\u{80}\u{9b}31m\u{9f}", "\\u{80}\\u{9b}31m\\u{9f}"),
            (
                "é\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
                "é\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}",
            ),
            ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
            ("\u{200b}\u{200d}\u{feff}\u{ad}\u{e0041}", "\\u{200b}\\u{200d}\\u{feff}\\u{ad}\\u{e0041}"),
        ] {
            assert_eq!(visible(text, Notation::Plain), shown);
        }
        assert_eq!(visible("\u{1b}[1m\u{9b}\u{1b}[0m", Notation::Coloured), "\u{1b}[1m\\u{9b}\u{1b}[0m");
        assert_eq!(visible_lines("a\nb\u{9b}\n", Notation::Plain), "a\nb\\u{9b}\n");
    }

    #[test]
    fn json_stays_the_json_that_it_was() {
        for text in ["\u{9b}31m", "\u{202e}", "a\u{7f}\n\u{1b}", "\u{e0041}", "\\u{9b} \"", "plain"] {
            let written = serde_json::json!({ text: [text] }).to_string();
            let shown = visible(&written, Notation::Json);
            assert!(shown.chars().all(|c| !misleads(c)), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), serde_json::json!({ text: [text] }));
        }
        let pretty = serde_json::to_string_pretty(&serde_json::json!({ "a": "\u{85}" })).unwrap();
        assert_eq!(visible(&pretty, Notation::Json), "{\n  \"a\": \"\\u0085\"\n}");
    }
}
