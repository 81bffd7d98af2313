//! What the documents say of every reason is what the code says.

use aside::fields::Detail;
use aside::telemetry::{METRICS, Metric};

const REASONS: &str = include_str!("../docs/reasons.md");
const METRICS_PAGE: &str = include_str!("../docs/metrics.md");
const README: &str = include_str!("../README.md");
const CHOICES: &str = include_str!("../docs/choices.md");
const UNROUTED: &str = include_str!("../src/config/unrouted.rs");

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

/// The table of all metrics, as `docs/metrics.md` has it.
fn table_of_metrics() -> String {
    let row = |metric: &Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "\u{2013}".to_owned() } else { labels.join(", ") };
        format!("| `{}` | {} | {labels} | {} |\n", metric.name, metric.kind, metric.help)
    };
    let head = "| metric | kind | labels | what it says |\n|---|---|---|---|\n";
    format!("{head}{}", METRICS.iter().map(row).collect::<String>())
}

#[test]
fn every_metric_is_in_the_table_with_what_it_says() {
    assert!(
        METRICS_PAGE.contains(&table_of_metrics()),
        "put this table into docs/metrics.md:\n\n{}",
        table_of_metrics()
    );
    assert!(README.contains("(docs/metrics.md)"));
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

/// The keys of `[unrouted]`, as the struct that reads it has them.
fn keys_of_unrouted() -> Vec<&'static str> {
    let fields = UNROUTED.split("struct RawUnrouted {").nth(1).unwrap_or_default();
    let fields = fields.split('}').next().unwrap_or_default();
    fields.lines().filter_map(|line| Some(line.trim().split_once(": ")?.0)).collect()
}

#[test]
fn every_choice_without_a_route_is_on_the_page_of_choices() {
    let keys = keys_of_unrouted();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        let row = format!("| `[unrouted] {key}` |");
        assert_eq!(CHOICES.matches(&row).count(), 1, "docs/choices.md has no row that begins with {row}");
    }
    assert!(README.contains("(docs/choices.md)"));
}
