//! What there is to tell of the evidence: for programs as it is, for people as text.

mod joined;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::fields::{Notation, visible};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file of the process, for which the proposals are; `None` where it has none.
    #[serde(default)]
    pub file: Option<String>,
    /// How much is compared: `off`, `sample` or `shadow`.
    pub mode: String,
    /// The share of hits, where that is `sample`.
    pub sample: f64,
    /// For how long evidence has been gathered: since the start, or since the rules have changed.
    pub seconds: u64,
    /// How many nodes have told this.
    pub nodes: usize,
    /// How many other nodes share the store, as far as those know: what they have seen and what went through them is not in it.
    pub others: usize,
    /// By route, in the file's order; those that were not met are left out.
    pub routes: Vec<RouteReport>,
    /// The kinds of writes that went through, the most frequent first.
    pub writes: Vec<WriteReport>,
    /// What was found old of late, the newest first.
    pub findings: Vec<Finding>,
    /// The `[[write]]` entries that the evidence supports.
    pub proposals: Vec<Proposal>,
    /// Members of JSON answers that are others each time, as they would stand in `ignore`.
    pub ignore: Vec<String>,
}

/// What came of the comparisons of one route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteReport {
    /// The route's name; `-` for paths without a route.
    pub route: String,
    /// Hits that were compared with the origin's answer of now; with `shadow` all that would have been hits.
    pub compared: u64,
    /// Of these, those that the origin answered otherwise.
    pub old: u64,
    /// The oldest of them, in seconds.
    pub oldest_seconds: u64,
    /// Those that the origin answers otherwise each time.
    pub volatile: u64,
    /// Those that came to nothing: dropped meanwhile, no answer, or one that is too large.
    pub void: u64,
    /// Answers that were fetched again after a write had dropped them or their time was over.
    pub refetched: u64,
    /// Of these, those that were the same as before.
    pub unchanged: u64,
    /// Changes with no write before them, while no other node shared the store.
    pub by_itself: u64,
    /// Changes with no write of this node before them, while others shared the store.
    pub elsewhere: u64,
}

/// One kind of writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteReport {
    /// As in `POST /articles/{slug}/favorite`.
    pub request: String,
    /// How many went through.
    pub times: u32,
    /// How much was seen to change, by route.
    pub changes: Vec<Seen>,
    /// How much was seen to stay as it was, by route.
    pub spares: Vec<Seen>,
}

/// So many answers of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The route's name.
    pub route: String,
    /// How many answers.
    pub answers: u32,
}

/// A stored answer that was old.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The route's name; `-` for paths without a route.
    pub route: String,
    /// What was asked for, as in `/articles?author=ann`.
    pub target: String,
    /// How long it had been stored when it was found old first.
    pub age_seconds: u64,
    /// When it was received, in milliseconds since the Unix epoch.
    pub stored_at: u64,
    /// The writes since then that had not dropped it, the likeliest first; a few of them.
    pub blamed: Vec<String>,
    /// All of it as a sentence.
    pub text: String,
}

/// An entry for the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The write that it is for.
    pub request: String,
    /// What is missing in the rules: without it answers are old.
    pub adds: Vec<String>,
    /// Routes that are dropped for nothing.
    pub spares: Vec<String>,
    /// What the write drops with it.
    pub drops: Vec<String>,
    /// The file has a `[[write]]` for it already, which says what it drops: then this adds to that.
    pub is_there: bool,
    /// It drops less than is dropped without it.
    pub narrows: bool,
    /// Each of `adds` was seen to be changed by such a write; else some are there because it is the likeliest of several.
    pub certain: bool,
    /// What was seen, a sentence each.
    pub evidence: Vec<String>,
}

impl Proposal {
    /// As it is to be pasted into the file, with its evidence as comments.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        for line in &self.evidence {
            let _ = writeln!(text, "# {}", visible(line, Notation::Plain));
        }
        if self.is_there {
            text.push_str("# there is a [[write]] for it already: both count, and what either drops is dropped\n");
        }
        let _ = writeln!(text, "[[write]]\nrequest = {}\ndrops = [{}]", quoted(&self.request), listed(&self.drops));
        text
    }
}

fn listed(texts: &[String]) -> String {
    texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")
}

/// As in `2 other nodes`.
pub(super) fn other_nodes(others: usize) -> String {
    if others == 1 { "1 other node".to_owned() } else { format!("{others} other nodes") }
}

/// A basic string of TOML: whatever could mislead whoever reads it is escaped, in a way that leaves it the same.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if visible(character.encode_utf8(&mut [0; 4]), Notation::Plain).len() == character.len_utf8() => {
                quoted.push(character);
            }
            _ => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}

impl Report {
    /// For people, in lines; what comes from clients in it may be any text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let minutes = self.seconds / 60;
        let _ = match self.mode.as_str() {
            "off" => return "nothing is compared: set sample = \"1%\" in [verify], or shadow = true\n".to_owned(),
            "shadow" => writeln!(
                text,
                "shadow: nothing is served from the cache; what would have been a hit is compared ({minutes} min)\n"
            ),
            _ => writeln!(text, "{}% of the hits are compared ({minutes} min)\n", self.sample * 100.0),
        };
        self.write_nodes(&mut text);
        self.write_routes(&mut text);
        self.write_findings(&mut text);
        self.write_writes(&mut text);
        self.write_proposals(&mut text);
        text
    }

    fn write_nodes(&self, text: &mut String) {
        let (nodes, all) = (self.nodes, self.nodes + self.others);
        if all < 2 {
            return;
        }
        let have = if nodes == 1 { "has" } else { "have" };
        let also = if self.others > 0 { "; name the admin listeners of others with --also" } else { "" };
        let _ = writeln!(
            text,
            "this is what {nodes} of {all} nodes {have} seen: each knows its own writes only, so nothing is proposed that drops \
             less than now{also}\n"
        );
    }

    fn write_routes(&self, text: &mut String) {
        let compared = if self.mode == "shadow" { "would be hits" } else { "compared" };
        let mut rows = vec![["route", compared, "old", "volatile", "fetched again", "unchanged"].map(str::to_owned)];
        rows.extend(self.routes.iter().map(|row| {
            let [compared, old, volatile] = [row.compared, row.old, row.volatile].map(|count| count.to_string());
            [row.route.clone(), compared, old, volatile, row.refetched.to_string(), row.unchanged.to_string()]
        }));
        write_table(text, &rows);
    }

    fn write_findings(&self, text: &mut String) {
        if self.findings.is_empty() {
            let _ = writeln!(text, "\nno stored answer was found old");
            return;
        }
        let _ = writeln!(text, "\nfound old, the newest first:");
        for finding in &self.findings {
            let _ = writeln!(text, "  {}", finding.text);
        }
    }

    fn write_writes(&self, text: &mut String) {
        if self.writes.is_empty() {
            return;
        }
        let routes = |seen: &[Seen]| match seen {
            [] => "-".to_owned(),
            seen => seen.iter().map(|seen| format!("{} ({})", seen.route, seen.answers)).collect::<Vec<_>>().join(", "),
        };
        let mut rows = vec![["write", "times", "seen to change", "seen to leave as they were"].map(str::to_owned)];
        rows.extend(self.writes.iter().map(|write| {
            [write.request.clone(), write.times.to_string(), routes(&write.changes), routes(&write.spares)]
        }));
        text.push('\n');
        write_table(text, &rows);
    }

    fn write_proposals(&self, text: &mut String) {
        if !self.ignore.is_empty() {
            let _ = writeln!(
                text,
                "\nothers each time, so not worth comparing; for [verify]:\n\nignore = [{}]",
                listed(&self.ignore)
            );
        }
        if self.proposals.is_empty() {
            let _ = writeln!(text, "\nthere is not enough evidence for any [[write]] yet");
            return;
        }
        let _ = writeln!(
            text,
            "\nfor {}, as far as was seen; nothing is changed by itself:",
            self.file.as_deref().unwrap_or("a file")
        );
        for proposal in &self.proposals {
            let _ = write!(text, "\n{}", proposal.toml());
        }
    }
}

/// Columns as wide as they have to be, the last one as it is.
fn write_table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_ready_to_be_pasted() {
        let proposal = Proposal {
            request: "POST /login".to_owned(),
            evidence: vec!["it went through 40 times".to_owned()],
            ..Proposal::default()
        };
        assert_eq!(proposal.toml(), "# it went through 40 times\n[[write]]\nrequest = \"POST /login\"\ndrops = []\n");
        let drops = vec!["/a".to_owned(), "route:b\"\u{202e}".to_owned()];
        let more = Proposal { drops, is_there: true, evidence: vec!["a\nb".to_owned()], ..proposal };
        let added = "# a\\nb\n# there is a [[write]] for it already: both count, and what either drops is dropped\n\
                     [[write]]\nrequest = \"POST /login\"\ndrops = [\"/a\", \"route:b\\\"\\U0000202E\"]\n";
        assert_eq!(more.toml(), added);
    }

    #[test]
    fn people_get_tables() {
        let route = RouteReport { route: "/articles".to_owned(), compared: 41, old: 2, ..RouteReport::default() };
        let report = Report { mode: "sample".to_owned(), sample: 0.01, routes: vec![route], ..Report::default() };
        let text = report.text();
        assert!(
            text.starts_with("1% of the hits are compared (0 min)\n\nroute      compared  old  volatile"),
            "{text}"
        );
        assert!(text.contains("\n/articles  41        2    0"), "{text}");
        assert!(Report { mode: "off".to_owned(), ..Report::default() }.text().starts_with("nothing is compared"));
    }
}
