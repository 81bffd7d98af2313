//! What the documents say of every reason is what the code says.

use aside::fields::Detail;

const REASONS: &str = include_str!("../docs/reasons.md");
const README: &str = include_str!("../README.md");

/// The table of all reasons, as `docs/reasons.md` has it.
fn table() -> String {
    let row = |detail: &Detail| format!("| `{}` | {} |\n", detail.as_str(), detail.describe());
    format!("| `detail=` | what it means |\n|---|---|\n{}", Detail::ALL.iter().map(row).collect::<String>())
}

#[test]
fn every_reason_is_in_the_table_with_its_sentence() {
    assert!(REASONS.contains(&table()), "put this table into docs/reasons.md:\n\n{}", table());
    let rows = REASONS.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Detail::ALL.len() + 1, "docs/reasons.md has a row of a reason that is none");
}

#[test]
fn the_readme_names_real_reasons_and_points_at_all_of_them() {
    assert!(README.contains("(docs/reasons.md)"));
    for named in README.split("detail=").skip(1) {
        let word: String = named.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        assert!(word.is_empty() || Detail::ALL.iter().any(|detail| detail.as_str() == word), "{word}");
    }
    assert!(README.contains("detail=no-freshness"), "the reason that everybody meets first");
}
