//! What came of a purge: an invalidation that a person or a program has asked for by name.

use std::fmt;

use serde_json::{Value, json};

use super::change::Strength;
use super::core::Token;
use crate::rules::Purge;
use crate::telemetry::counted_entries;

/// A purge that was carried out: on every node that shares the store no GET that starts after this is answered with anything
/// that it names and that was stored, or was being fetched, before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    /// What was asked for.
    pub purge: Purge,
    /// How hard.
    pub strength: Strength,
    /// How many entries that hit; `None` where the store would have to look at too many to tell.
    pub matched: Option<u64>,
    /// Whether it may have hit more: that of which no key can be told beforehand is not counted.
    pub more: bool,
    /// The point in the app's sequence right after it; `None` where it was pending for a moment, and made with the next call.
    pub token: Option<Token>,
}

impl fmt::Display for Purged {
    /// As in `url /fruit/1 (2 entries)`, or `everything (softly)`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.matched.map(|count| counted_entries(count, self.more));
        let softly = (self.strength == Strength::Soft).then(|| "softly".to_owned());
        let told: Vec<String> = entries.into_iter().chain(softly).collect();
        write!(out, "{}", self.purge)?;
        if told.is_empty() { Ok(()) } else { write!(out, " ({})", told.join(", ")) }
    }
}

impl Purged {
    /// As programs read it: `{"purged": {"url": "/fruit/1"}, "soft": false, "matched": 2, "more": false,
    /// "token": "9f86d081884c7d65:12"}`, where `matched` and `token` may be null. `more` says whether it may have hit more.
    pub fn to_json(&self) -> Value {
        let named = match &self.purge {
            Purge::All => Value::Bool(true),
            purge => purge.text().into(),
        };
        let token = self.token.map(|token| format!("{:016x}:{}", token.epoch, token.seq));
        json!({
            "purged": { self.purge.field(): named },
            "soft": self.strength == Strength::Soft,
            "matched": self.matched,
            "more": self.more,
            "token": token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_by_programs() {
        let purged = Purged { purge: Purge::All, strength: Strength::Soft, matched: None, more: true, token: None };
        let expected = json!({ "purged": { "all": true }, "soft": true, "matched": null, "more": true, "token": null });
        assert_eq!((purged.to_json(), purged.to_string()), (expected, "everything (softly)".to_owned()));
        let token = Some(Token { epoch: 0xab, seq: 12 });
        let purged = Purged {
            purge: Purge::Url("/a?b=1".to_owned()),
            strength: Strength::Hard,
            matched: Some(1),
            more: false,
            token,
        };
        let expected = json!({
            "purged": { "url": "/a?b=1" }, "soft": false, "matched": 1, "more": false, "token": "00000000000000ab:12"
        });
        assert_eq!((purged.to_json(), purged.to_string()), (expected, "url /a?\u{2026} (1 entry)".to_owned()));
    }
}
